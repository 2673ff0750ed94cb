package l4

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// dial looks for a node that takes the session. The answers come through epoll, see dialled.
func (l *loop) dial(s *loopSession) {
	s.phase = PhaseDial
	s.dialFrom = l.now
	l.dialNext(s)
}

// dialNext begins an attempt, the first or the one after a failure, or ends the session where there is
// no node left to try.
func (l *loop) dialNext(s *loopSession) {
	if l.now-s.dialFrom >= int64(s.rules.timeouts.DialTotal) {
		l.finish(s, CauseDial)
		return
	}
	err := l.attempt(s, &s.chosen, slotNode)
	switch {
	case err == nil:
		if s.chosen.offered > 0 {
			l.now = l.srv.clock() // what it took is to be seen, though it is the same turn
			l.dialled(s)
		}
		if !s.over {
			l.arm(s)
		}
	case errors.Is(err, unix.EMFILE), errors.Is(err, unix.ENFILE), errors.Is(err, unix.ENOBUFS), errors.Is(err, unix.ENOMEM):
		l.finish(s, CauseResources)
	case s.retries > 0:
		l.finish(s, CauseDial)
	default:
		l.finish(s, CauseNoNode)
	}
}

// attempt picks a node that has not been tried and begins to connect to it as a. A node that refuses at
// once is passed over at once.
func (l *loop) attempt(s *loopSession, a *attempt, slot uint8) error {
	for {
		node, err := s.route.pool.Pick(s.client.Addr(), s.tried())
		if err != nil {
			return err
		}
		*a = attempt{node: node, slot: slot, began: l.now, end: end{fd: -1}}
		e := l.connect(s, a)
		if e == 0 {
			return nil
		}
		if classify(e, nodeSide) == CauseResources {
			l.drop(a)
			return e
		}
		l.failed(s, a, e)
	}
}

// connect makes the socket of an attempt. Its outcome is reported as writable.
func (l *loop) connect(s *loopSession, a *attempt) unix.Errno {
	var to sockaddr
	fd, e := sysSocket(to.set(a.node.Addr()))
	if e != 0 {
		return e
	}
	a.end.fd = fd
	sysSetInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	if from := s.route.source.from(s.client.Addr(), a.node.Addr().Addr()); from.IsValid() {
		if e := bindSource(fd, from, s.route.source.transparent); e != 0 {
			return e
		}
	}
	if len(s.head()) > 0 {
		// The last packet of the handshake waits for the first bytes and travels with them, tcp(7).
		sysSetInt(fd, unix.IPPROTO_TCP, unix.TCP_QUICKACK, 0)
	}
	if e := sysConnect(fd, &to); e != 0 && e != unix.EINPROGRESS {
		return e
	}
	if len(s.head()) > 0 {
		// On a short way the connection is there by now.
		switch n, e := sysSend(fd, s.head()); e {
		case 0:
			a.offered = int32(n)
			a.end.set(canWrite)
		case unix.EAGAIN:
		default:
			return e
		}
	}
	return sysEpollAdd(l.ep, fd, epollAll, eventData(a.slot, s.index, s.generation))
}

// dialled looks at what became of the attempts to connect.
func (l *loop) dialled(s *loopSession) {
	if s.clientEnd.has(troubled) {
		l.finish(s, CauseClientReset)
		return
	}
	if s.rival != nil {
		switch e := l.outcome(s.rival); e {
		case unix.EINPROGRESS:
		case 0:
			l.outdone(&s.chosen)
			s.chosen, s.rival = *s.rival, nil
			l.connected(s)
			return
		default:
			l.failed(s, s.rival, e)
			s.rival = nil
		}
	}
	switch e := l.outcome(&s.chosen); e {
	case unix.EINPROGRESS:
		l.arm(s) // without its rival it may be due for another one
	case 0:
		l.connected(s)
	default:
		l.failed(s, &s.chosen, e)
		if s.rival != nil {
			s.chosen, s.rival = *s.rival, nil
			l.arm(s)
			return
		}
		l.dialNext(s)
	}
}

// outcome is how a connect ended: 0, an error, or EINPROGRESS while it goes on.
func (l *loop) outcome(a *attempt) unix.Errno {
	if !a.end.has(canWrite) {
		return unix.EINPROGRESS
	}
	if a.end.has(troubled) {
		code, e := sysGetInt(a.end.fd, unix.SOL_SOCKET, unix.SO_ERROR)
		if e == 0 && code != 0 {
			return unix.Errno(code)
		}
		return unix.ECONNRESET // it was taken and cut before we looked
	}
	if selfConnected(a.end.fd, a.node.Addr()) {
		return unix.ECONNREFUSED
	}
	return 0
}

// selfConnected reports whether a socket is connected to itself. TCP allows that (simultaneous open, RFC
// 9293 section 3.5): it happens when nobody listens on a port of this machine that the kernel also
// gives to outgoing connections, and the echo would look like a node.
func selfConnected(fd int32, to netip.AddrPort) bool {
	if to.Port() < firstEphemeralPort() {
		return false
	}
	var raw unix.RawSockaddrAny
	return sysLocalAddr(fd, &raw) == 0 && addrPort(&raw) == to
}

// firstEphemeralPort is where outgoing ports begin, ip(7) ip_local_port_range; the lowest there can be
// if the system does not say.
var firstEphemeralPort = sync.OnceValue(func() uint16 {
	var first uint16 = 1024
	if text, err := os.ReadFile("/proc/sys/net/ipv4/ip_local_port_range"); err == nil {
		fmt.Sscan(string(text), &first)
	}
	return first
})

// connected begins the relay over s.chosen; what the client has sent so far goes out first.
func (l *loop) connected(s *loopSession) {
	if s.rival != nil {
		l.outdone(s.rival)
		s.rival = nil
	}
	s.chosen.node.Dialed(nil, time.Duration(l.now-s.chosen.began))
	s.connected, s.active = l.now, l.now
	s.phase = PhaseRelay
	s.aside = nil
	l.srv.relaying(&s.session)
	s.node = s.chosen.node
	s.chosen.connected, s.chosen.began = true, l.now
	if s.contest = s.mayRepeat(s.head()); !s.contest {
		l.sendHead(s)
	}
	l.arm(s)
}

// sendHead gives what the client sent first to the chosen node and no other: what was not offered yet is the flow's.
func (l *loop) sendHead(s *loopSession) {
	n := uint64(len(s.head()) - s.prefaced)
	s.in += n
	s.credit(n, 0)
	l.copied += n
	s.toNode.sent = s.chosen.offered
	l.lighten(&s.toNode)
}

// failed books an attempt that came to nothing, and makes sure that its node is not tried again.
func (l *loop) failed(s *loopSession, a *attempt, e unix.Errno) {
	a.node.Dialed(e, time.Duration(l.now-a.began))
	s.setAside(a.node)
	s.retries++
	l.drop(a)
}

// outdone gives up an attempt that another has won.
func (l *loop) outdone(a *attempt) {
	if !a.connected {
		a.node.Dialed(context.Canceled, time.Duration(l.now-a.began))
	}
	l.drop(a)
}

// drop gives an attempt up without blame.
func (l *loop) drop(a *attempt) {
	l.hangUp(&a.end, true)
	a.node.Release()
	a.node = nil
}
