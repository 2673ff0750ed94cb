//go:build linux

package main

import (
	"fmt"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sockets of clients and nodes are raw and non-blocking, and every call on them is a RawSyscall: each of
// these processes runs a single goroutine on one thread, so there is nobody the scheduler would have to make room
// for, and the bookkeeping of an ordinary Syscall would be measured as if it were the balancer's.

const noError = syscall.Errno(0)

func rawRead(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)))
	return int(n), e
}

func rawWrite(fd int, b []byte) (int, syscall.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(&b[0])), uintptr(len(b)),
		unix.MSG_NOSIGNAL, 0, 0)
	return int(n), e
}

// rawDiscard takes up to n bytes off a socket without copying them (MSG_TRUNC, tcp(7)).
func rawDiscard(fd, n int) (int, syscall.Errno) {
	got, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), 0, uintptr(n), unix.MSG_TRUNC, 0, 0)
	return int(got), e
}

// rawSendfile sends n bytes of a file from off on.
func rawSendfile(fd, file int, off int64, n int) (int, syscall.Errno) {
	sent, _, e := unix.RawSyscall6(unix.SYS_SENDFILE, uintptr(fd), uintptr(file), uintptr(unsafe.Pointer(&off)), uintptr(n), 0, 0)
	return int(sent), e
}

func rawAccept(fd int) (int, syscall.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), 0, 0, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int(n), e
}

func rawClose(fd int) { _, _, _ = unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0) }

// rawConnect opens a non-blocking connection. On loopback it is usually established when the call returns.
func rawConnect(to *unix.RawSockaddrInet4) (int, syscall.Errno) {
	s, _, e := unix.RawSyscall(unix.SYS_SOCKET, unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if e != noError {
		return -1, e
	}
	_, _, e = unix.RawSyscall(unix.SYS_CONNECT, s, uintptr(unsafe.Pointer(to)), unsafe.Sizeof(*to))
	if e != noError && e != unix.EINPROGRESS {
		rawClose(int(s))
		return -1, e
	}
	return int(s), noError
}

// sockaddr is the raw form of an IPv4 address and port.
func sockaddr(ip [4]byte, port int) unix.RawSockaddrInet4 {
	a := unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: ip}
	p := (*[2]byte)(unsafe.Pointer(&a.Port))
	p[0], p[1] = byte(port>>8), byte(port)
	return a
}

// listenRaw opens a non-blocking listening socket on every IPv4 address of the machine.
func listenRaw(port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return -1, fmt.Errorf("socket: %w", err)
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1) // inherited by what it accepts
	if err := unix.Bind(fd, &unix.SockaddrInet4{Port: port}); err != nil {
		return -1, fmt.Errorf("bind port %d: %w", port, err)
	}
	if err := unix.Listen(fd, 1<<16); err != nil { // the kernel cuts it to net.core.somaxconn
		return -1, fmt.Errorf("listen on port %d: %w", port, err)
	}
	return fd, nil
}

// poller is one level-triggered epoll set.
type poller struct {
	fd     int
	events [512]unix.EpollEvent
}

func newPoller() (*poller, error) {
	fd, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("epoll_create1: %w", err)
	}
	return &poller{fd: fd}, nil
}

func (p *poller) ctl(how, fd int, events uint32) syscall.Errno {
	ev := unix.EpollEvent{Events: events, Fd: int32(fd)}
	_, _, e := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(p.fd), uintptr(how), uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return e
}

func (p *poller) add(fd int, events uint32) syscall.Errno {
	return p.ctl(unix.EPOLL_CTL_ADD, fd, events)
}
func (p *poller) mod(fd int, events uint32) syscall.Errno {
	return p.ctl(unix.EPOLL_CTL_MOD, fd, events)
}

// wait returns what is ready, after at most d; a negative d waits for as long as it takes. Its precision is the
// clock's (epoll_pwait2, Linux 5.11), not the millisecond of epoll_wait.
func (p *poller) wait(d time.Duration) []unix.EpollEvent {
	var ts *unix.Timespec
	if d >= 0 {
		t := unix.NsecToTimespec(int64(d))
		ts = &t
	}
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT2, uintptr(p.fd), uintptr(unsafe.Pointer(&p.events[0])),
		uintptr(len(p.events)), uintptr(unsafe.Pointer(ts)), 0, 0)
	if e != noError { // EINTR; nothing else can happen to a descriptor of our own
		return nil
	}
	return p.events[:n]
}
