package l4

import (
	"golang.org/x/sys/unix"
)

// A doorway is a listening socket as one loop sees it.
type doorway struct {
	socket *socket
	index  uint32
	batch  int   // how many to accept at most before looking at anything else
	shut   bool  // taken out of epoll while the process is short of something
	pause  int64 // how long it stays so, nanoseconds
	timer  timer[*doorway]
}

// maxBatch bounds the connections that one event may bring in.
const maxBatch = 64

// accept lets in what waits. The socket is level-triggered, so what is left waiting is reported again:
// a lone connection costs one accept(2) and not a second one that only says that there was no other.
func (l *loop) accept(d *doorway) {
	for i := 0; i < d.batch; i++ {
		var from unix.RawSockaddrAny
		fd, e := sysAccept(d.socket.fd, &from)
		switch e {
		case 0:
		case unix.EAGAIN:
			d.batch = 1
			return
		case unix.EMFILE, unix.ENFILE, unix.ENOBUFS, unix.ENOMEM:
			l.shut(d, e)
			return
		case unix.EBADF, unix.EINVAL: // closed under us: a reload took it
			return
		default:
			continue // what went wrong is that connection's, accept(2): ECONNABORTED, EPERM, ENETDOWN and so on
		}
		d.pause = 0
		l.admit(d, fd, &from)
	}
	d.batch = min(2*d.batch, maxBatch)
}

// admit begins a session for a connection, or closes it.
func (l *loop) admit(d *doorway, fd int32, from *unix.RawSockaddrAny) {
	r := d.socket.rules.Load()
	peer := addrPort(from)
	if !l.srv.admit(r, peer.Addr()) {
		sysReset(fd)
		sysClose(fd)
		return
	}
	s := l.newSession(fd, r, peer)
	if e := sysEpollAdd(l.ep, fd, epollAll, eventData(slotClient, s.index, s.generation)); e != 0 {
		l.finish(s, CauseResources)
		return
	}
	if r.routes == nil {
		s.route = r.fallback
		l.dial(s)
		return
	}
	s.phase = PhaseHello
	s.opening = new(opening)
	// The hello is often there already: try before epoll says so.
	s.client.set(canRead)
	l.arm(s)
	l.queue(s)
}
