package l4

import (
	"golang.org/x/sys/unix"
)

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
		switch s.opening.decide(&s.session, sent) {
		case goOn:
			l.opened(s, sent)
			return
		case refuse:
			l.turnAway(s)
			return
		}
		if s.head == nil {
			s.head = l.spare.keep(sent, 0)
		}
	}
}

// readFirst reads more of what the client sends first, and returns all of it so far: a view of the
// loop's buffer at the first read, which mostly brings everything, later of the session's own. nil
// without an error is the end.
func (l *loop) readFirst(s *loopSession) ([]byte, unix.Errno) {
	if s.head == nil {
		n, e := sysRead(s.clientEnd.fd, l.buf)
		if e != 0 || n == 0 {
			return nil, e
		}
		if n < len(l.buf) {
			s.clientEnd.clear(canRead)
		}
		return l.buf[:n], 0
	}
	if len(s.head) == cap(s.head) {
		grown := l.spare.keep(s.head, 2*len(s.head))
		l.spare.release(s.head)
		s.head = grown
	}
	n, e := sysRead(s.clientEnd.fd, s.head[len(s.head):cap(s.head)])
	if e != 0 || n == 0 {
		return nil, e
	}
	s.head = s.head[:len(s.head)+n]
	return s.head, 0
}

// opened sends the session on its way to a node. What the client sent goes along.
func (l *loop) opened(s *loopSession, sent []byte) {
	s.greeted, s.opening = l.now, nil
	if s.head == nil {
		s.head = l.spare.keep(sent, 0)
	}
	l.dial(s)
}

// turnAway ends a session that no node will see. Where the client speaks TLS it is told why, and what
// it still sends is read once, so that the close is an orderly one and the alert is not lost to a reset.
func (l *loop) turnAway(s *loopSession) {
	if alert := s.opening.alert; alert != "" {
		sysSend(s.clientEnd.fd, append(l.spare.keep(nil, 0), alert...))
		sysShutdownWrite(s.clientEnd.fd)
		sysRead(s.clientEnd.fd, l.buf)
		s.told = true
	}
	l.srv.refused(&s.session)
	l.finish(s, s.cause)
}
