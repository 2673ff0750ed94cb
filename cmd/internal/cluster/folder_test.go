//go:build linux

package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFolderSweepsOnlyWhatNobodyHolds(t *testing.T) {
	parent := t.TempDir()
	if err := suits(parent); err != nil {
		t.Skipf("no place for drives here: %v", err)
	}
	left := filepath.Join(parent, "minio-left")
	if err := os.MkdirAll(filepath.Join(left, "n1", "d1"), 0o755); err != nil {
		t.Fatal(err)
	}
	a, err := newFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(left); !os.IsNotExist(err) {
		t.Errorf("what a killed process left: stat says %v, want that it is gone", err)
	}
	b, err := newFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(a.path); err != nil {
		t.Errorf("a folder in use was swept: %v", err)
	}
	for _, f := range []*folder{a, b, b} { // twice: the second does nothing
		if err := f.remove(); err != nil {
			t.Error(err)
		}
	}
	if found, _ := filepath.Glob(filepath.Join(parent, "minio-*")); len(found) != 0 {
		t.Errorf("left behind: %q", found)
	}
}

func TestFolderRefusesTmpfs(t *testing.T) {
	const shm = "/dev/shm"
	if _, err := os.Stat(shm); err != nil {
		t.Skip(err)
	}
	err := suits(shm)
	if err == nil {
		t.Skip(shm + " is no tmpfs here")
	}
	if want := "is on tmpfs: MinIO's drives need a real disk"; !strings.Contains(err.Error(), want) {
		t.Errorf("got %q, want it to contain %q", err, want)
	}
}
