package l4

import (
	"net/netip"

	"github.com/sluicelb/sluice/pool"
)

// A loopSession is a session in the hands of a loop: two sockets, and nothing else that lasts. While
// nobody sends, it holds no pipe, no buffer and no goroutine.
//
// Its size is most of what an idle session costs in user space; a test holds the budget.
type loopSession struct {
	session
	index, generation uint32

	client   end
	up       attempt  // the node that has the session, or is being dialled
	rival    *attempt // a second one, until it is known which of the two it is; nil otherwise
	toNode   flow
	toClient flow

	opening *opening // until the route is known
	first   []byte   // what was read and not sent yet, before there is a node; then the hello, while it may be sent again
	tried   []*pool.Node

	timer  timer[*loopSession]
	since  int64 // when the phase, or the attempt, began
	active int64 // when a byte last moved

	left   side // who finished first
	queued bool // in loop.ready
	over   bool // ended; its descriptors are closed when the turn is over
	reset  bool // close with a reset: the streams are not whole
}

// An attempt is a connection to a node: being made, waiting for the node's first byte, or relaying.
type attempt struct {
	node  *pool.Node
	end   end
	slot  uint8 // its place in epoll's data
	began int64
}

// endAt is the socket an event's slot stands for, nil if it is gone.
func (s *loopSession) endAt(slot uint8) *end {
	switch {
	case slot == slotClient:
		return &s.client
	case slot == s.up.slot && s.up.node != nil:
		return &s.up.end
	case s.rival != nil && slot == s.rival.slot:
		return &s.rival.end
	}
	return nil
}

// newSession takes a connection that was let in.
func (l *loop) newSession(fd int32, r *rules, client netip.AddrPort) *loopSession {
	var s *loopSession
	if n := len(l.recycled); n > 0 {
		s, l.recycled = l.recycled[n-1], l.recycled[:n-1]
	} else {
		s = new(loopSession)
		s.timer.owner = s
	}
	if n := len(l.indexes); n > 0 {
		s.index, l.indexes = l.indexes[n-1], l.indexes[:n-1]
		l.sessions[s.index] = s
	} else {
		s.index = uint32(len(l.sessions))
		l.sessions = append(l.sessions, s)
	}
	s.session = session{id: l.srv.nextID.Add(1), rules: r, client: client, accepted: l.now}
	s.client = end{fd: fd}
	s.active, s.since = l.now, l.now
	return s
}

// finish ends a session: nothing more is moved. Its descriptors stay open until the turn is over, so
// that an event already fetched cannot meet a number that means another connection by then.
func (l *loop) finish(s *loopSession, cause Cause) {
	if s.over {
		return
	}
	s.end(cause)
	s.over = true
	s.reset = s.reset || !s.cause.orderly()
	l.wheel.disarm(&s.timer)
	l.letGo(&s.toNode)
	l.letGo(&s.toClient)
	l.ended = append(l.ended, s)
}

// sweep closes what ended in this turn, and writes it down.
func (l *loop) sweep() {
	for i, s := range l.ended {
		l.ended[i] = nil
		l.hangUp(&s.client, s.reset)
		if s.up.node != nil {
			l.hangUp(&s.up.end, s.reset)
			s.up.node.Release()
		}
		if s.rival != nil {
			l.hangUp(&s.rival.end, true)
			s.rival.node.Release()
		}
		if s.first != nil {
			l.spare.release(s.first)
		}
		l.record(&s.session)
		l.recycle(s)
	}
	l.ended = l.ended[:0]
}

// hangUp closes a socket: in order, or so that the peer cannot take what it got for the whole.
func (l *loop) hangUp(e *end, reset bool) {
	if e.fd < 0 {
		return
	}
	if reset {
		sysReset(e.fd)
	}
	sysClose(e.fd)
	e.fd = -1
}

// recycle makes the session's memory and index free for another.
func (l *loop) recycle(s *loopSession) {
	index, generation := s.index, s.generation+1
	l.sessions[index] = nil
	l.indexes = append(l.indexes, index)
	*s = loopSession{generation: generation}
	s.timer.owner = s
	if len(l.recycled) < maxRecycled {
		l.recycled = append(l.recycled, s)
	}
}

// maxRecycled bounds the sessions that wait for reuse: what a burst leaves behind beyond it goes back
// to the runtime.
const maxRecycled = 4096
