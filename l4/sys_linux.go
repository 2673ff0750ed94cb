package l4

import (
	"unsafe"

	"golang.org/x/sys/unix"
)

// The system calls of the reactor. They go through RawSyscall, past the runtime's scheduler: every
// descriptor here is non-blocking, so none of them waits, and telling the scheduler about each (the
// difference to syscall.Syscall) costs a tenth of a short session. EINTR cannot come from a call that
// does not wait; [epollWait], which does, handles it.
//
// All return the errno itself, 0 for success, so that nothing is boxed into an interface on the way.

func sysRead(fd int32, b []byte) (int, unix.Errno) {
	n, _, e := unix.RawSyscall(unix.SYS_READ, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)))
	return int(n), e
}

// sysPeek reads without taking anything away, recv(2) MSG_PEEK.
func sysPeek(fd int32, b []byte) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_RECVFROM, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_PEEK, 0, 0)
	return int(n), e
}

// sysSend never raises SIGPIPE, whatever the process's disposition is.
func sysSend(fd int32, b []byte) (int, unix.Errno) {
	n, _, e := unix.RawSyscall6(unix.SYS_SENDTO, uintptr(fd), uintptr(unsafe.Pointer(unsafe.SliceData(b))), uintptr(len(b)), unix.MSG_NOSIGNAL, 0, 0)
	return int(n), e
}

// sysSplice moves up to n bytes between a socket and a pipe, splice(2). SPLICE_F_MORE is left out on
// purpose: it makes the socket wait for more (golang/go#10948).
func sysSplice(from, to int32, n int) (int, unix.Errno) {
	r, _, e := unix.RawSyscall6(unix.SYS_SPLICE, uintptr(from), 0, uintptr(to), 0, uintptr(n), unix.SPLICE_F_MOVE|unix.SPLICE_F_NONBLOCK)
	return int(r), e
}

// sysAccept takes a connection, non-blocking and closed on exec. The peer's address is written to from.
func sysAccept(fd int32, from *unix.RawSockaddrAny) (int32, unix.Errno) {
	size := uint32(unsafe.Sizeof(*from))
	n, _, e := unix.RawSyscall6(unix.SYS_ACCEPT4, uintptr(fd), uintptr(unsafe.Pointer(from)), uintptr(unsafe.Pointer(&size)), unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0, 0)
	return int32(n), e
}

func sysSocket(family int) (int32, unix.Errno) {
	n, _, e := unix.RawSyscall(unix.SYS_SOCKET, uintptr(family), unix.SOCK_STREAM|unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC, 0)
	return int32(n), e
}

func sysConnect(fd int32, to *sockaddr) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_CONNECT, uintptr(fd), uintptr(unsafe.Pointer(&to.raw)), uintptr(to.size))
	return e
}

func sysBind(fd int32, to *sockaddr) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_BIND, uintptr(fd), uintptr(unsafe.Pointer(&to.raw)), uintptr(to.size))
	return e
}

func sysSetInt(fd int32, level, option int, value int32) unix.Errno {
	_, _, e := unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&value)), unsafe.Sizeof(value), 0)
	return e
}

func sysGetInt(fd int32, level, option int) (int32, unix.Errno) {
	var value int32
	size := uint32(unsafe.Sizeof(value))
	_, _, e := unix.RawSyscall6(unix.SYS_GETSOCKOPT, uintptr(fd), uintptr(level), uintptr(option), uintptr(unsafe.Pointer(&value)), uintptr(unsafe.Pointer(&size)), 0)
	return value, e
}

// sysLocalAddr is getsockname(2).
func sysLocalAddr(fd int32, addr *unix.RawSockaddrAny) unix.Errno {
	size := uint32(unsafe.Sizeof(*addr))
	_, _, e := unix.RawSyscall(unix.SYS_GETSOCKNAME, uintptr(fd), uintptr(unsafe.Pointer(addr)), uintptr(unsafe.Pointer(&size)))
	return e
}

// sysUnsent is how many bytes of the socket's send queue the peer has not acknowledged, tcp(7) SIOCOUTQ.
func sysUnsent(fd int32) (int32, unix.Errno) {
	var value int32
	_, _, e := unix.RawSyscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCOUTQ, uintptr(unsafe.Pointer(&value)))
	return value, e
}

func sysShutdownWrite(fd int32) unix.Errno {
	_, _, e := unix.RawSyscall(unix.SYS_SHUTDOWN, uintptr(fd), unix.SHUT_WR, 0)
	return e
}

func sysClose(fd int32) {
	unix.RawSyscall(unix.SYS_CLOSE, uintptr(fd), 0, 0)
}

// sysReset makes the next close of a socket a reset instead of an orderly end: RST is sent and what is
// still unsent is dropped, socket(7) SO_LINGER.
func sysReset(fd int32) {
	linger := unix.Linger{Onoff: 1}
	unix.RawSyscall6(unix.SYS_SETSOCKOPT, uintptr(fd), unix.SOL_SOCKET, unix.SO_LINGER, uintptr(unsafe.Pointer(&linger)), unsafe.Sizeof(linger), 0)
}

// epollEvent is struct epoll_event with its data as one number; the kernel packs it on amd64 only,
// which [unix.EpollEvent] knows per architecture.
type epollEvent unix.EpollEvent

func (e *epollEvent) data() uint64 {
	return uint64(uint32(e.Fd)) | uint64(uint32(e.Pad))<<32
}

func sysEpollAdd(ep, fd int32, events uint32, data uint64) unix.Errno {
	return sysEpollCtl(ep, unix.EPOLL_CTL_ADD, fd, events, data)
}

func sysEpollCtl(ep int32, op int, fd int32, events uint32, data uint64) unix.Errno {
	ev := unix.EpollEvent{Events: events, Fd: int32(uint32(data)), Pad: int32(uint32(data >> 32))}
	_, _, e := unix.RawSyscall6(unix.SYS_EPOLL_CTL, uintptr(ep), uintptr(op), uintptr(fd), uintptr(unsafe.Pointer(&ev)), 0, 0)
	return e
}

// sysEpollWait waits for at most ms milliseconds, for ever below 0. An interrupted wait is one that
// found nothing.
func sysEpollWait(ep int32, events []epollEvent, ms int) int {
	n, _, e := unix.RawSyscall6(unix.SYS_EPOLL_PWAIT, uintptr(ep), uintptr(unsafe.Pointer(unsafe.SliceData(events))), uintptr(len(events)), uintptr(ms), 0, 0)
	if e != 0 {
		return 0
	}
	return int(n)
}
