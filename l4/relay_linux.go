package l4

import "golang.org/x/sys/unix"

// relay moves what can be moved, each way once, and reports whether there is more to do at once.
//
// How it ends: a FIN is passed on when all before it was delivered, and the other direction goes on
// (linger); when both have ended, both sockets are closed. A reset is passed on as a reset, so that
// nobody takes a cut stream for a whole one, but not before what was received ahead of it is delivered.
func (l *loop) relay(s *loopSession) (more bool) {
	if s.contested() {
		return l.contest(s)
	}
	if s.flushing {
		l.conclude(s)
		return false
	}
	more = l.move(s, &s.toNode, &s.clientEnd, &s.chosen.end)
	if s.over || s.flushing {
		return false
	}
	return l.move(s, &s.toClient, &s.chosen.end, &s.clientEnd) || more
}

// sourceEnded: src has finished. Where its connection was cut before, that is no orderly end.
func (l *loop) sourceEnded(s *loopSession, f *flow, src *end) {
	f.state |= ended
	if src.has(broken) {
		f.state |= cut
		return
	}
	s.active = l.now // an end is progress too
	if s.phase == PhaseRelay {
		s.phase, s.left = PhaseLinger, s.side(src)
		l.arm(s)
	}
}

// sourceCut: reading from src failed, so its stream is not whole. What was read before goes on its way.
func (l *loop) sourceCut(s *loopSession, f *flow, src *end, e unix.Errno) {
	f.state |= ended | cut
	l.breakOff(s, src, e)
}

// destinationGone: dst takes nothing any more. What it sent before can still be read.
func (l *loop) destinationGone(s *loopSession, f *flow, dst *end, e unix.Errno) {
	dst.set(canRead)
	l.queue(s)
	l.breakOff(s, dst, e)
}

// breakOff notes that the connection to one side is cut: the flow to it is closed.
func (l *loop) breakOff(s *loopSession, e *end, why unix.Errno) {
	e.set(broken)
	s.end(classify(why, s.side(e)))
	dead := &s.toClient
	if e == &s.chosen.end {
		dead = &s.toNode
	}
	l.letGo(dead)
	l.shut(s, dead)
}

// passEnd tells dst that its flow has ended, now that everything before is written.
func (l *loop) passEnd(s *loopSession, f *flow, dst *end) {
	other := &s.toNode
	if f == other {
		other = &s.toClient
	}
	// Where the other direction has ended too, the close that follows says it.
	if !f.has(cut) && !other.has(closed) {
		sysShutdownWrite(dst.fd)
	}
	l.shut(s, f)
}

// shut marks a flow as done with; when both are, the session is.
func (l *loop) shut(s *loopSession, f *flow) {
	f.state |= closed
	if s.toNode.has(closed) && s.toClient.has(closed) {
		l.conclude(s)
	}
}

// conclude ends a session whose flows are both done with. A clean one is closed, and the kernel
// delivers the rest. A reset would throw away what is in the send queue of the side that is still there, so
// it waits for that to be acknowledged, as long as it moves.
func (l *loop) conclude(s *loopSession) {
	if s.cause == CauseNone {
		s.phase = PhaseRelay // where the one who left first left
		l.finish(s, s.left.finished())
		return
	}
	unsent := int32(0)
	for _, e := range [...]*end{&s.clientEnd, &s.chosen.end} {
		if !e.has(broken) && !e.has(troubled) {
			n, _ := sysUnsent(e.fd)
			unsent = max(unsent, n)
		}
	}
	if unsent == 0 || s.flushing && l.now-s.active > int64(s.rules.timeouts.HalfClose) {
		l.finish(s, s.cause)
		return
	}
	if !s.flushing || unsent < s.unsent {
		s.active = l.now
	}
	s.flushing, s.unsent = true, unsent
	l.wheel.arm(&s.timer, millis(l.now+int64(flushInterval)))
}

// side says which of the session's two sides an end is.
func (s *loopSession) side(e *end) side {
	if e == &s.clientEnd {
		return clientSide
	}
	return nodeSide
}
