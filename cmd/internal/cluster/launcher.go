//go:build linux

package cluster

import (
	"cmp"
	"errors"
	"os/exec"
	"runtime"
	"sync"
	"syscall"
	"time"
)

// ErrLauncherClosed is returned by [Launcher.Start] after Close.
var ErrLauncherClosed = errors.New("cluster: launcher is closed")

// waitDelay bounds how long a pipe that a grandchild holds open may keep a process that has ended from
// counting as ended.
const waitDelay = 2 * time.Second

// A Launcher starts processes that cannot outlive this one, not even when it is killed with SIGKILL.
// It is safe for concurrent use. Make one with [NewLauncher], end it with Close.
//
// The kernel's part of that is PR_SET_PDEATHSIG (prctl(2)), which has a trap: the "parent" it watches
// is the thread that forked, and the Go runtime ends threads as it likes. So one goroutine, locked to
// its thread for the life of the launcher, does all the forking.
type Launcher struct {
	forks chan func() // run one after the other on the locked thread

	mu      sync.Mutex // guards the fields below
	closed  bool
	running map[*Process]struct{}
}

// NewLauncher returns a launcher with nothing running.
func NewLauncher() *Launcher {
	l := &Launcher{forks: make(chan func()), running: make(map[*Process]struct{})}
	go l.fork()
	return l
}

// fork is the goroutine that owns the thread. It does not unlock it: the thread ends with it, and by
// then Close has waited for every process.
func (l *Launcher) fork() {
	runtime.LockOSThread()
	for start := range l.forks {
		start()
	}
}

// Start starts cmd in a process group of its own, so that a Ctrl-C in the terminal reaches us and not
// it, and so that its children can be signalled with it. The name is for messages. It takes over
// cmd.SysProcAttr and cmd.Wait; everything else is the caller's to set.
func (l *Launcher) Start(name string, cmd *exec.Cmd) (*Process, error) {
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	cmd.WaitDelay = cmp.Or(cmd.WaitDelay, waitDelay)
	p := &Process{Name: name, cmd: cmd, exited: make(chan struct{})}

	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return nil, ErrLauncherClosed
	}
	started := make(chan error)
	l.forks <- func() { started <- cmd.Start() }
	if err := <-started; err != nil {
		return nil, err
	}
	l.running[p] = struct{}{}
	go l.reap(p)
	return p, nil
}

// reap waits for the end of p, then ends what is left of its group.
func (l *Launcher) reap(p *Process) {
	p.err = p.cmd.Wait()
	_ = syscall.Kill(-p.cmd.Process.Pid, syscall.SIGKILL)
	l.mu.Lock()
	delete(l.running, p)
	l.mu.Unlock()
	close(p.exited)
}

// Close kills everything that is still running and waits until it is gone. Calling it again does
// nothing.
func (l *Launcher) Close() {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.closed = true
	var left []*Process
	for p := range l.running {
		left = append(left, p)
	}
	l.mu.Unlock()

	for _, p := range left {
		p.Kill()
	}
	close(l.forks)
}
