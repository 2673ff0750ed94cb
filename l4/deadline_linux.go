package l4

import (
	"math"
)

// deadline is when something must have happened to a session, on the loop's clock. Whatever the phase
// waits for is bounded here, and only here.
func (s *loopSession) deadline() int64 {
	t := &s.rules.timeouts
	switch s.phase {
	case PhaseAccept:
		return s.accepted + int64(firstWord)
	case PhaseHeader, PhaseHello:
		return max(s.accepted, s.headed) + int64(s.rules.patience(s.phase))
	case PhaseDial:
		return min(s.dialFrom+int64(t.DialTotal), s.attemptDeadline(), s.hedgeDeadline())
	}
	if s.contested() {
		return s.attemptDeadline()
	}
	if !s.settled {
		return min(s.quietDeadline(), s.connected+int64(settleAge))
	}
	return s.quietDeadline()
}

// quietDeadline is when a relay has moved nothing for too long.
func (s *loopSession) quietDeadline() int64 {
	if s.phase == PhaseLinger {
		return s.active + int64(s.rules.timeouts.HalfClose)
	}
	return s.active + int64(s.rules.timeouts.Idle)
}

// attemptDeadline is when the latest attempt to reach a node has had its time: to connect, then to
// answer.
func (s *loopSession) attemptDeadline() int64 {
	a := s.latest()
	if a.connected {
		return a.began + int64(s.rules.timeouts.FirstByte)
	}
	return a.began + int64(s.rules.timeouts.Dial)
}

// hedgeDeadline is when a second node is dialled beside one that lets itself be waited for.
func (s *loopSession) hedgeDeadline() int64 {
	patience := s.hedge()
	if patience <= 0 || s.rival != nil || s.alone {
		return math.MaxInt64
	}
	return s.chosen.began + int64(patience)
}

// latest is the attempt that was begun last.
func (s *loopSession) latest() *attempt {
	if s.rival != nil {
		return s.rival
	}
	return &s.chosen
}

// arm makes sure that the session is looked at by its deadline. A timer that fires early is no harm,
// so a deadline that moved away costs nothing: bytes that move do not touch the wheel.
func (l *loop) arm(s *loopSession) {
	at := millis(s.deadline() + 1e6 - 1)
	if !s.timer.armed || at < s.timer.at {
		l.wheel.arm(&s.timer, at)
	}
}

// expired is called when a session's timer fires, which may be long before its deadline.
func (l *loop) expired(s *loopSession) {
	if s.over {
		return
	}
	if l.now >= s.deadline() {
		l.overdue(s)
	}
	if s.flushing && !s.over {
		l.conclude(s) // arms the timer itself
		return
	}
	if !s.over {
		l.arm(s)
		l.queue(s) // whatever that has set going goes on
	}
}

// overdue does what a phase does when its time is up.
func (l *loop) overdue(s *loopSession) {
	switch {
	case s.phase == PhaseAccept:
		l.reach(s, nil)
	case s.phase == PhaseDial && l.now >= s.dialFrom+int64(s.rules.timeouts.DialTotal):
		l.finish(s, CauseDial)
	case s.phase == PhaseDial && l.now < s.attemptDeadline():
		l.challenge(s)
	case s.phase == PhaseDial, s.contested():
		l.outwait(s)
	case s.phase == PhaseHeader, s.phase == PhaseHello:
		s.timedOut()
		l.finish(s, s.cause)
	case l.now < s.quietDeadline():
		s.settled = true
		setKeepalive(int(s.chosen.end.fd), &s.rules.timeouts)
	default:
		l.finish(s, CauseTimeout)
	}
}
