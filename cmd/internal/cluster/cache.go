//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

// ErrNoModule is returned where no go.mod is found upward of the working directory.
var ErrNoModule = errors.New("no go.mod here or in any folder above: run this inside Sluice's source tree")

// ModuleRoot is the folder of the go.mod that the working directory belongs to.
func ModuleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", ErrNoModule
		}
		dir = parent
	}
}

// Cache is .cache under the module root, where everything lies that is made once and used again. It is
// ignored by git and may be deleted at any time nothing runs.
func Cache() (string, error) {
	root, err := ModuleRoot()
	if err != nil {
		return "", fmt.Errorf("cache folder: %w", err)
	}
	return filepath.Join(root, ".cache"), nil
}
