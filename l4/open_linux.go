package l4

import (
	"net/netip"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicelb/sluice/configs"
)

// firstWord is how long a plain session waits for its client to say something before a node is dialled.
// Nearly all clients of object storage speak first, and what they say is there within microseconds of the
// accept. With it in hand the node is connected to and sent its first bytes in one go, which saves two
// packets and a wake-up at the node, see connect. Where the node speaks first, this is what it costs.
const firstWord = 3 * time.Millisecond

// begin reads what the client of a plain session says first, and goes on to dial.
func (l *loop) begin(s *loopSession) {
	n, e := sysRead(s.clientEnd.fd, l.buf)
	switch {
	case e == unix.EAGAIN:
		s.clientEnd.clear(canRead)
		return
	case e != 0:
		l.finish(s, classify(e, clientSide))
		return
	case n > 0 && n < len(l.buf): // an end without a word is for the relay, which reads it again
		s.clientEnd.drained()
	}
	l.reach(s, l.buf[:n])
}

// open reads a client's first bytes until they say where the session goes.
func (l *loop) open(s *loopSession) {
	for s.clientEnd.has(canRead) {
		sent, e := l.readFirst(s)
		switch {
		case e == unix.EAGAIN:
			s.clientEnd.clear(canRead)
			return
		case e != 0:
			l.finish(s, classify(e, clientSide))
			return
		case sent == nil:
			l.finish(s, CauseClient)
			return
		}
		switch s.opening.decide(l.srv, &s.session, sent, l.now) {
		case goOn:
			l.reach(s, sent[s.opening.header:])
			return
		case refuse:
			l.turnAway(s)
			return
		}
		if s.head() == nil {
			s.toNode.rest = l.spare.keep(sent, 0)
		}
	}
}

// readFirst reads more of what the client sends first, and returns all of it so far: a view of the
// loop's buffer at the first read, which mostly brings everything, later of the session's own. nil
// without an error is the end.
func (l *loop) readFirst(s *loopSession) ([]byte, unix.Errno) {
	head := s.head()
	if head == nil {
		n, e := sysRead(s.clientEnd.fd, l.buf)
		if e != 0 || n == 0 {
			return nil, e
		}
		if n < len(l.buf) {
			s.clientEnd.drained()
		}
		return l.buf[:n], 0
	}
	if len(head) == cap(head) {
		grown := l.spare.keep(head, 2*len(head))
		l.spare.release(head)
		head = grown
	}
	n, e := sysRead(s.clientEnd.fd, head[len(head):cap(head)])
	s.toNode.rest = head[:len(head)+max(n, 0)]
	if e != 0 || n == 0 {
		return nil, e
	}
	return s.toNode.rest, 0
}

// reach sends the session on its way to a node, with the PROXY header that its pool wants and what the
// client has sent so far.
func (l *loop) reach(s *loopSession, payload []byte) {
	preface, err := s.preface(l.srv.name, l.localAddr(s))
	if err != nil {
		l.srv.log.Error("PROXY header", "session", s.id, "error", err)
		l.finish(s, CauseInternal)
		return
	}
	s.prefaced = len(preface)
	var head []byte
	if size := len(preface) + len(payload); size > 0 {
		head = append(l.spare.keep(preface, size), payload...)
	}
	if kept := s.head(); kept != nil { // payload was a part of it
		l.spare.release(kept)
	}
	s.toNode.rest, s.opening = head, nil
	l.dial(s)
}

// localAddr is the address that the client connected to, for a PROXY header; not asked for without need.
func (l *loop) localAddr(s *loopSession) netip.AddrPort {
	var raw unix.RawSockaddrAny
	if s.route.pool.Config().Proxy == configs.ProxyOff || sysLocalAddr(s.clientEnd.fd, &raw) != 0 {
		return netip.AddrPort{}
	}
	return addrPort(&raw)
}

// turnAway ends a session that no node will see. Where the client speaks TLS it is told why, and what
// it still sends is read once, so that the close is an orderly one and the alert is not lost to a reset.
func (l *loop) turnAway(s *loopSession) {
	if alert := s.opening.alert; alert != "" {
		sysSend(s.clientEnd.fd, []byte(alert))
		sysShutdownWrite(s.clientEnd.fd)
		sysRead(s.clientEnd.fd, l.buf)
		s.told = true
	}
	l.finish(s, s.cause)
}
