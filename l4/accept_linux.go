package l4

import (
	"time"

	"golang.org/x/sys/unix"
)

// A doorway is a listening socket as one loop sees it.
type doorway struct {
	socket *socket
	index  uint32
	batch  int           // how many connections to accept before looking at anything else
	turn   uint64        // of the loop, when that many were there
	wait   time.Duration // how long it was last closed for want of descriptors or memory
	timer  timer[*doorway]
}

// maxBatch bounds the connections that one event may bring in.
const maxBatch = 64

// accept lets in what waits at a doorway and reports whether there may be more. The socket is
// level-triggered, so what is left waiting is reported again: a lone connection costs one accept(2),
// not a second one to learn that there was no other.
func (l *loop) accept(d *doorway) (more bool) {
	for i := range d.batch {
		var from unix.RawSockaddrAny
		fd, e := sysAccept(d.socket.fd, &from)
		switch e {
		case 0:
			d.wait = 0
			l.admit(d, fd, &from)
		case unix.EAGAIN:
			d.batch = max(1, i)
			return false
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			l.holdOff(d, e)
			return false
		case unix.EBADF, unix.EINVAL, unix.ENOTSOCK:
			return false // it is no listening socket any more
		default:
			// What went wrong is that one connection's, accept(2): ECONNABORTED, EPERM, ENETDOWN and so on.
		}
	}
	if d.turn == l.turns-1 {
		d.batch = min(2*d.batch, maxBatch) // the turn before did not exhaust it either
	}
	d.turn = l.turns
	return true
}

// holdOff closes a doorway for a while.
func (l *loop) holdOff(d *doorway, e unix.Errno) {
	d.wait = min(max(2*d.wait, minAcceptWait), maxAcceptWait)
	sysEpollCtl(l.ep, unix.EPOLL_CTL_DEL, d.socket.fd, 0, 0)
	l.pause.arm(&d.timer, millis(l.now+int64(d.wait)))
	l.srv.acceptTrouble(d.socket, e, d.wait)
}

// unshut opens a doorway, at first or after it was held off.
func (l *loop) unshut(d *doorway) unix.Errno {
	return sysEpollAdd(l.ep, d.socket.fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE, eventData(slotOther, d.index, 0))
}

// resume opens a doorway that was held off.
func (l *loop) resume(d *doorway) {
	if l.share.helping {
		l.unshut(d)
	}
}

// admit begins a session for a connection, or closes it.
func (l *loop) admit(d *doorway, fd int32, from *unix.RawSockaddrAny) {
	r := d.socket.rules.Load()
	peer := addrPort(from)
	if !l.srv.admit(r, peer.Addr(), l.now) {
		sysReset(fd)
		sysClose(fd)
		return
	}
	s := l.newSession(fd, r, peer)
	s.phase = r.firstPhase(peer.Addr())
	s.limited = s.phase != PhaseHeader && r.limitsClients()
	if e := sysEpollAdd(l.ep, fd, epollAll, eventData(slotClient, s.index, s.generation)); e != 0 {
		l.finish(s, CauseResources)
		return
	}
	if s.phase == PhaseAccept {
		s.route = r.fallback
	} else {
		s.opening = new(opening)
	}
	s.clientEnd.set(canRead) // the first bytes are often there already: try before epoll says so
	l.arm(s)
	l.queue(s)
}
