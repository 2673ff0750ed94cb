//go:build e2e && linux

package page

import (
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// root is the repository, seen from this package's folder, where `go test` runs.
var root, _ = filepath.Abs("../../../..")

var binary = filepath.Join(root, "bin", "sluice")

func TestMain(m *testing.M) {
	flag.Parse()
	if flag.Lookup("test.list").Value.String() == "" {
		build := exec.Command("make", "build")
		build.Dir, build.Stdout, build.Stderr = root, os.Stderr, os.Stderr
		if err := build.Run(); err != nil {
			fmt.Fprintln(os.Stderr, "page: make build:", err)
			os.Exit(1)
		}
	}
	os.Exit(m.Run())
}
