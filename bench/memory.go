//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// memGroup is a cgroup that a peer is started in, to count its memory with all that the kernel holds for it: descriptors, epoll
// entries, pipes, page tables, and its sockets, which the kernel charges to the process that accepts or connects them (since
// Linux 6.12 an accepted one in full). The kernel books in batches of 64 pages for each processor, so only the
// difference of thousands of sessions means something.
type memGroup struct {
	dir string
	v2  bool
}

// newMemGroup makes a memory cgroup, of version 1 or 2, whichever the machine has.
func newMemGroup() (*memGroup, error) {
	name := fmt.Sprintf("bench-mem-%d", os.Getpid())
	g := &memGroup{dir: filepath.Join("/sys/fs/cgroup/memory", name)}
	if _, err := os.Stat("/sys/fs/cgroup/memory/memory.usage_in_bytes"); err != nil {
		g = &memGroup{dir: filepath.Join("/sys/fs/cgroup", name), v2: true}
		_ = os.WriteFile("/sys/fs/cgroup/cgroup.subtree_control", []byte("+memory"), 0)
	}
	if err := os.Mkdir(g.dir, 0o755); err != nil && !errors.Is(err, os.ErrExist) {
		return nil, fmt.Errorf("memory is counted by cgroup, which needs root: %w", err)
	}
	if !g.v2 {
		// Version 1 books sockets only for a group with a limit on their buffers: this one is never met.
		_ = os.WriteFile(filepath.Join(g.dir, "memory.kmem.tcp.limit_in_bytes"), []byte("1099511627776"), 0)
	}
	if _, err := g.read(); err != nil {
		g.remove()
		return nil, err
	}
	return g, nil
}

// memory is what a cgroup holds, in bytes.
type memory struct {
	all  int64 // with the kernel's part
	user int64 // anonymous pages: heap and stacks
}

func (g *memGroup) read() (memory, error) {
	all, field := "memory.usage_in_bytes", "total_rss "
	if g.v2 {
		all, field = "memory.current", "anon "
	}
	var m memory
	var err error
	if m.all, err = readInt(filepath.Join(g.dir, all)); err != nil {
		return m, err
	}
	if !g.v2 { // version 1 counts socket buffers apart
		buffers, err := readInt(filepath.Join(g.dir, "memory.kmem.tcp.usage_in_bytes"))
		if err != nil {
			return m, err
		}
		m.all += buffers
	}
	stat, err := os.ReadFile(filepath.Join(g.dir, "memory.stat"))
	for line := range strings.Lines(string(stat)) {
		if v, ok := strings.CutPrefix(line, field); ok {
			m.user, _ = strconv.ParseInt(strings.TrimSpace(v), 10, 64)
		}
	}
	return m, err
}

func readInt(path string) (int64, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return 0, err
	}
	return strconv.ParseInt(strings.TrimSpace(string(b)), 10, 64)
}

// remove deletes the group, once the processes in it have gone.
func (g *memGroup) remove() {
	for range 100 {
		if os.Remove(g.dir) == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
}
