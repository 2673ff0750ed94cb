package l4

import (
	"time"

	"golang.org/x/sys/unix"
)

// contested reports whether the chosen node has yet to answer, so that another may take its place.
// The head is then kept, and the flows are not in use.
func (s *loopSession) contested() bool { return s.phase == PhaseRelay && s.contest }

// contest carries a session to the node's first byte. A node that stays silent gets a rival (see
// outwait), one that ends the connection a successor; the first to answer has the session.
func (l *loop) contest(s *loopSession) (more bool) {
	if s.clientEnd.has(troubled) || s.rival == nil && l.wentOn(s) {
		l.settle(s)
		return l.relay(s)
	}
	answer := 0
	if s.rival != nil {
		if answer = l.answer(s, s.rival); answer > 0 {
			l.outdone(&s.chosen)
			s.chosen, s.rival = *s.rival, nil
		}
	}
	if answer == 0 && s.contested() {
		answer = l.answer(s, &s.chosen)
	}
	if answer == 0 {
		return false
	}
	s.chosen.node.Answered()
	l.settle(s)
	l.brought(s, &s.toClient, &s.chosen.end, &s.clientEnd, answer)
	return !s.over
}

// wentOn reports whether the client has sent more than its hello, or was cut: what comes beyond a hello is
// for one node only. An end in order is for whoever gets the session.
func (l *loop) wentOn(s *loopSession) bool {
	e := &s.clientEnd
	if !e.has(canRead) || e.has(peeked) {
		return e.has(troubled)
	}
	var next [1]byte
	switch n, errno := sysPeek(e.fd, next[:]); {
	case errno == unix.EAGAIN:
		e.clear(canRead)
		return false
	case errno == 0 && n == 0:
		e.set(peeked)
		return false
	}
	return true
}

// answer offers an attempt the session's head, and reads the beginning of the node's answer into the loop's
// buffer; 0: there is none yet. An attempt that failed is gone afterwards, and what follows from that is
// done.
func (l *loop) answer(s *loopSession, a *attempt) int {
	e := l.offer(s, a)
	if e == 0 && a.end.has(canRead) {
		var n int
		n, e = sysRead(a.end.fd, l.buf)
		switch {
		case e == unix.EAGAIN:
			a.end.clear(canRead)
			return 0
		case e == 0 && n > 0:
			return n
		case e == 0:
			e = unix.ECONNRESET // ended without an answer: no matter how
		}
	}
	if e != 0 {
		l.failed(s, a, e)
		l.succeed(s, a)
	}
	return 0
}

// offer connects an attempt, as far as that goes by itself, and sends it the head.
func (l *loop) offer(s *loopSession, a *attempt) unix.Errno {
	if !a.connected {
		switch e := l.outcome(a); e {
		case unix.EINPROGRESS:
			return 0
		case 0:
			a.node.Dialed(nil, time.Duration(l.now-a.began))
			a.connected, a.began = true, l.now
		default:
			return e
		}
	}
	for int(a.offered) < len(s.head()) && a.end.has(canWrite) {
		n, e := sysSend(a.end.fd, s.head()[a.offered:])
		switch {
		case e == unix.EAGAIN:
			a.end.clear(canWrite)
		case e != 0:
			return e
		}
		a.offered += int32(max(n, 0))
	}
	return 0
}

// succeed finds who takes the place of a failed attempt: for the chosen one the rival if there is one,
// else a node that was not tried yet.
func (l *loop) succeed(s *loopSession, failed *attempt) {
	if failed == s.rival {
		s.rival = nil
		return
	}
	if s.rival == nil {
		l.dial(s)
		return
	}
	s.chosen, s.rival = *s.rival, nil
	if !s.chosen.connected {
		s.phase = PhaseDial
		l.arm(s)
	}
	l.queue(s)
}

// outwait is called when the latest attempt has had its time. One that did not connect has failed. A
// node that took the hello and is silent keeps its chance, but another is asked as well; a rival that is
// silent too makes place for the next.
func (l *loop) outwait(s *loopSession) {
	a := s.latest()
	if !a.connected {
		l.failed(s, a, unix.ETIMEDOUT)
		l.succeed(s, a)
		return
	}
	a.node.Silent()
	s.setAside(a.node)
	if a == s.rival {
		l.drop(a)
		s.rival = nil
	}
	l.challenge(s)
}

// challenge begins a second attempt beside the chosen one. Where there is no node for it, the chosen one
// has the session, answer or not.
func (l *loop) challenge(s *loopSession) {
	s.setAside(s.chosen.node)
	rival := new(attempt)
	switch {
	case l.attempt(s, rival, slotNode+slotRival-s.chosen.slot) == nil:
		s.rival = rival
	case s.phase == PhaseDial:
		s.alone = true
	default:
		l.settle(s)
		l.queue(s)
	}
}

// settle ends the contest: the chosen node has the session. What is left of the head goes first.
func (l *loop) settle(s *loopSession) {
	if s.rival != nil {
		l.outdone(s.rival)
		s.rival = nil
	}
	s.contest = false
	s.node = s.chosen.node
	l.sendHead(s)
	s.active = l.now
}
