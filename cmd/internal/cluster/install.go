//go:build linux

package cluster

import (
	"bytes"
	"context"
	"debug/buildinfo"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// A Tool is a Go program that is installed by version.
type Tool struct {
	Name    string // of the binary
	Module  string
	Version string
}

// What is installed. Both modules have versions only as pseudo-versions of a commit, and install
// without a module of ours around them: their dependencies would be ours otherwise.
var (
	MinIO = Tool{"minio", "github.com/minio/minio", "v0.0.0-20260212201848-7aac2a2c5b7c"}
	MC    = Tool{"mc", "github.com/minio/mc", "v0.0.0-20250313080218-cf909e1063a9"}
)

// Binaries are the paths of the installed tools.
type Binaries struct {
	MinIO, MC string
}

const (
	// installBound is for one tool. From cold caches on two busy cores MinIO took seven minutes.
	installBound = 40 * time.Minute
	// reportEvery is how long the person at the terminal is left without a word.
	reportEvery = 5 * time.Second
)

// Install makes sure that MinIO and mc are in .cache/bin at their versions, building what is not, and
// tells progress what is going on every few seconds. The first time takes minutes and a network. It is
// safe to run from several processes: one builds, the others wait.
func Install(ctx context.Context, progress io.Writer) (Binaries, error) {
	cache, err := Cache()
	if err != nil {
		return Binaries{}, err
	}
	dir := filepath.Join(cache, "bin")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return Binaries{}, err
	}
	b := Binaries{MinIO: filepath.Join(dir, MinIO.Name), MC: filepath.Join(dir, MC.Name)}
	if MinIO.isAt(b.MinIO) && MC.isAt(b.MC) {
		return b, nil
	}
	lock, err := waitForLock(ctx, filepath.Join(dir, ".install"), progress)
	if err != nil {
		return Binaries{}, err
	}
	defer lock.Close()
	if err := MinIO.install(ctx, b.MinIO, progress); err != nil {
		return Binaries{}, err
	}
	if err := MC.install(ctx, b.MC, progress); err != nil {
		return Binaries{}, err
	}
	return b, nil
}

// waitForLock takes the lock of the installation, however long another one takes within its bound.
func waitForLock(ctx context.Context, path string, progress io.Writer) (*os.File, error) {
	began := time.Now()
	for ; ; time.Sleep(reportEvery) {
		lock, err := lockFile(path, syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EWOULDBLOCK) {
			return lock, err
		}
		if err := ctx.Err(); err != nil {
			return nil, err
		}
		if time.Since(began) > 2*installBound {
			return nil, err
		}
		fmt.Fprintf(progress, "waiting for another process that installs MinIO: %s\n", elapsed(began))
	}
}

// isAt says whether the binary at path is this tool at this version, as the Go linker wrote into it.
func (t Tool) isAt(path string) bool {
	info, err := buildinfo.ReadFile(path)
	return err == nil && info.Main.Path == t.Module && info.Main.Version == t.Version
}

// install builds the tool beside its place and moves it there when it is whole.
func (t Tool) install(ctx context.Context, path string, progress io.Writer) error {
	if t.isAt(path) {
		return nil
	}
	fmt.Fprintf(progress, "installing %s@%s, once: several minutes from cold caches\n", t.Module, t.Version)
	temp, err := os.MkdirTemp(filepath.Dir(path), ".building-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(temp)
	if err := t.build(ctx, temp, progress); err != nil {
		return err
	}
	return os.Rename(filepath.Join(temp, t.Name), path)
}

// build runs go install into dir.
func (t Tool) build(ctx context.Context, dir string, progress io.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, installBound)
	defer cancel()
	launcher := NewLauncher()
	defer launcher.Close()

	w := watch(t.Name, progress)
	cmd := exec.Command("go", "install", "-v", t.Module+"@"+t.Version)
	cmd.Stderr = w
	// Flags that suit a module of the caller's (-mod=vendor, say) do not suit this one. Without cgo no
	// C compiler is needed.
	cmd.Env = append(os.Environ(), "GOBIN="+dir, "GOFLAGS=", "CGO_ENABLED=0")
	p, err := launcher.Start("go install", cmd)
	if err != nil {
		return errors.Join(fmt.Errorf("go install %s: %w", t.Module, err), w.Close())
	}
	code, err := p.Wait(ctx)
	launcher.Close()
	w.Close()
	switch {
	case err != nil:
		return fmt.Errorf("go install %s@%s: %w", t.Module, t.Version, err)
	case code != 0:
		return t.buildFailed(code, w.said())
	}
	return nil
}

// buildFailed makes an error of what go install said, and names the usual reason as such.
func (t Tool) buildFailed(code int, said string) error {
	err := fmt.Errorf("go install %s@%s: exit status %d:\n%s", t.Module, t.Version, code, said)
	for _, sign := range []string{
		"dial tcp", "no such host", "i/o timeout", "network is unreachable", "connection refused",
		"connection reset", "proxyconnect", "TLS handshake", "disabled by GOPROXY=off", "unrecognized import path",
	} {
		if strings.Contains(said, sign) {
			proxy, _ := exec.Command("go", "env", "GOPROXY").Output()
			return fmt.Errorf("the Go module proxy cannot be reached (GOPROXY is %q): installing MinIO needs a working network, this once\n%w",
				bytes.TrimSpace(proxy), err)
		}
	}
	return err
}

func elapsed(since time.Time) time.Duration { return time.Since(since).Truncate(time.Second) }
