//go:build linux

package cluster

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// A folder holds everything that one cluster writes. Its lock is held for as long as its process
// lives, so that the next one can tell a folder in use from one whose owner was killed.
type folder struct {
	path string
	lock *os.File
}

const lockName = "lock"

// minFree is the room below which no cluster is started: MinIO refuses writes on a full drive in ways
// that look like faults of the balancer.
const minFree = 4 << 30

// newFolder makes a folder under parent (empty: .cache/clusters of the module) and removes those that
// killed processes left there.
func newFolder(parent string) (*folder, error) {
	if parent == "" {
		cache, err := Cache()
		if err != nil {
			return nil, err
		}
		parent = filepath.Join(cache, "clusters")
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return nil, err
	}
	if err := suits(parent); err != nil {
		return nil, err
	}
	// One at a time: a folder that is made and not yet locked looks like one that was left.
	making, err := lockFile(filepath.Join(parent, lockName), syscall.LOCK_EX)
	if err != nil {
		return nil, err
	}
	defer making.Close()
	if err := sweep(parent); err != nil {
		return nil, err
	}
	path, err := os.MkdirTemp(parent, "minio-")
	if err != nil {
		return nil, err
	}
	lock, err := lockFile(filepath.Join(path, lockName), syscall.LOCK_EX|syscall.LOCK_NB)
	if err != nil {
		return nil, errors.Join(err, os.RemoveAll(path))
	}
	return &folder{path: path, lock: lock}, nil
}

// suits says whether drives may be made in a folder.
//
// Trap: MinIO opens its drives with O_DIRECT, which tmpfs does not have everywhere; and what is
// deleted stays in .minio.sys/tmp/.trash for minutes, so a test needs a multiple of what it writes.
func suits(path string) error {
	const tmpfsMagic = 0x01021994 // statfs(2)
	var fs syscall.Statfs_t
	if err := syscall.Statfs(path, &fs); err != nil {
		return fmt.Errorf("statfs %s: %w", path, err)
	}
	if fs.Type == tmpfsMagic {
		return fmt.Errorf("%s is on tmpfs: MinIO's drives need a real disk", path)
	}
	if free := fs.Bavail * uint64(fs.Bsize); free < minFree {
		return fmt.Errorf("%s has %d MiB free: a cluster needs %d MiB", path, free>>20, minFree>>20)
	}
	return nil
}

// sweep removes the folders whose owner is gone.
func sweep(parent string) error {
	found, err := filepath.Glob(filepath.Join(parent, "minio-*"))
	if err != nil {
		return err
	}
	for _, path := range found {
		lock, err := lockFile(filepath.Join(path, lockName), syscall.LOCK_EX|syscall.LOCK_NB)
		if err != nil {
			continue // in use
		}
		err = os.RemoveAll(path)
		lock.Close()
		if err != nil {
			return fmt.Errorf("remove what a killed process left: %w", err)
		}
	}
	return nil
}

// remove deletes the folder, then gives up its lock. Calling it again does nothing.
func (f *folder) remove() error {
	if f.lock == nil {
		return nil
	}
	err := os.RemoveAll(f.path)
	f.lock.Close()
	f.lock = nil
	return err
}

// lockFile opens path and takes its flock(2), which ends with the process at the latest. With LOCK_NB
// in how it does not wait: a lock that another holds is then syscall.EWOULDBLOCK.
func lockFile(path string, how int) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(f.Fd()), how); err != nil {
		f.Close()
		return nil, fmt.Errorf("lock %s: %w", path, err)
	}
	return f, nil
}
