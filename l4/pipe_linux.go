package l4

import (
	"os"
	"strconv"
	"strings"
	"sync"

	"golang.org/x/sys/unix"
)

// A pipe is the kernel buffer that splice(2) needs between two sockets.
type pipe struct {
	r, w int32
	size int // what the kernel really gave, bytes
	held int // bytes inside
}

// A pipePool hands out pipes up to a bound, and keeps those that come back empty.
//
// It is safe for concurrent use by all loops.
type pipePool struct {
	limit int

	mu    sync.Mutex // guards the fields below
	free  []*pipe
	open  int // free and lent
	short int // of these, with less than PipeSize: the kernel's limit for users without privilege is met
}

// get lends a pipe, or returns nil if the bound is reached or the kernel has none to give; then the
// caller copies. The pipe is empty.
func (p *pipePool) get() *pipe {
	p.mu.Lock()
	defer p.mu.Unlock()
	if n := len(p.free); n > 0 {
		got := p.free[n-1]
		p.free = p.free[:n-1]
		return got
	}
	if p.open >= p.limit {
		return nil
	}
	made := newPipe()
	if made == nil {
		return nil
	}
	p.open++
	if made.size < PipeSize {
		p.short++
	}
	return made
}

// put takes a pipe back. One that still holds a dead session's bytes is closed: reused, it would give
// them to somebody else.
func (p *pipePool) put(b *pipe) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if b.held == 0 {
		p.free = append(p.free, b)
		return
	}
	p.drop(b)
}

// close ends every pipe that is not lent.
func (p *pipePool) close() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, b := range p.free {
		p.drop(b)
	}
	p.free = nil
}

// drop closes a pipe for good. p.mu is held.
func (p *pipePool) drop(b *pipe) {
	sysClose(b.r)
	sysClose(b.w)
	p.open--
	if b.size < PipeSize {
		p.short--
	}
}

func (p *pipePool) stats() PipeStats {
	p.mu.Lock()
	defer p.mu.Unlock()
	return PipeStats{Limit: p.limit, Free: len(p.free), Busy: p.open - len(p.free), Short: p.short}
}

func newPipe() *pipe {
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_NONBLOCK|unix.O_CLOEXEC); err != nil {
		return nil
	}
	// A refusal leaves the pipe smaller, which works: what counts is what the kernel says it is.
	unix.FcntlInt(uintptr(fds[1]), unix.F_SETPIPE_SZ, PipeSize)
	size, err := unix.FcntlInt(uintptr(fds[1]), unix.F_GETPIPE_SZ, 0)
	if err != nil {
		unix.Close(fds[0])
		unix.Close(fds[1])
		return nil
	}
	return &pipe{r: int32(fds[0]), w: int32(fds[1]), size: size}
}

// pipeLimit is how many pipes of PipeSize this process gets from the kernel, at most MaxPipes. Without
// CAP_SYS_RESOURCE or CAP_SYS_ADMIN a user's pipes beyond fs.pipe-user-pages-soft shrink to two pages
// (pipe(7)); a quarter of that is left to the user's other processes.
func pipeLimit() int {
	if capable(unix.CAP_SYS_RESOURCE) || capable(unix.CAP_SYS_ADMIN) {
		return MaxPipes
	}
	text, err := os.ReadFile("/proc/sys/fs/pipe-user-pages-soft")
	if err != nil {
		return MaxPipes
	}
	pages, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pages == 0 { // 0: no limit
		return MaxPipes
	}
	return min(MaxPipes, pages*os.Getpagesize()/PipeSize*3/4)
}

// capable reports whether the process has a capability in effect, capabilities(7).
func capable(capability int) bool {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return false
	}
	return data[capability/32].Effective&(1<<(capability%32)) != 0
}
