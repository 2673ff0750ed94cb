package l4

import (
	"net/netip"
	"time"

	"github.com/sluicelb/sluice/pool"
)

// A loopSession is a session in the hands of a loop: two sockets, and nothing else that lasts. While
// nobody sends, it holds no pipe, no buffer and no goroutine.
//
// Its size is most of what an idle session costs in user space; a test holds the budget.
type loopSession struct {
	session
	index, generation uint32

	clientEnd end
	chosen    attempt  // the node that has the session, or is being dialled
	rival     *attempt // a second one beside it, while it is not known which of the two it will be
	toNode    flow
	toClient  flow

	opening *opening // until the route is known

	timer    timer[*loopSession]
	active   int64  // when a byte last moved
	steps    uint32 // taken since the loop last looked at who makes its load
	unsent   int32  // while a reset waits for what was sent before it: how much of that is left
	left     side   // who finished first, once one has
	queued   bool   // in loop.ready
	flushing bool   // both flows are done, and a reset waits to be passed on
	told     bool   // the client was told by an alert, so its connection is closed in order
	settled  bool   // it is older than settleAge
	alone    bool   // no node is left to be dialled beside the chosen one
	contest  bool   // the chosen node has yet to answer, and its head is kept
	over     bool   // ended; its descriptors are closed when the turn is over
}

// An attempt is a connection to a node: being made, waiting for the node's first byte, or relaying.
// It holds one of the node's sessions until it is dropped. Without a node it is none.
type attempt struct {
	node      *pool.Node
	end       end
	offered   int32 // how much of the session's head was sent to it
	slot      uint8 // its place in epoll's data
	connected bool
	began     int64 // when it was begun; once connected, when that was
}

// head is what the client sent first, behind the PROXY header for the node: until it is on its way to a node that
// has answered. The flow to the node is not in use before.
func (s *loopSession) head() []byte { return s.toNode.rest }

// endAt is the socket an event's slot stands for, nil if it is gone.
func (s *loopSession) endAt(slot uint8) *end {
	switch {
	case slot == slotClient:
		return &s.clientEnd
	case slot == s.chosen.slot && s.chosen.node != nil:
		return &s.chosen.end
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
	l.enlist(s)
	s.session = session{id: l.srv.nextID.Add(1), rules: r, client: client, accepted: l.now}
	s.clientEnd = end{fd: fd}
	s.active = l.now
	return s
}

// enlist gives a session its index, and a generation that none had there before.
func (l *loop) enlist(s *loopSession) {
	if n := len(l.indexes); n > 0 {
		s.index, l.indexes = l.indexes[n-1], l.indexes[:n-1]
		l.sessions[s.index] = s
	} else {
		s.index = uint32(len(l.sessions))
		l.sessions = append(l.sessions, s)
	}
	l.generation++
	s.generation = l.generation
}

// finish ends a session: nothing more is moved. Its descriptors stay open until the turn is over, so
// that an event already fetched cannot meet a number that means another connection by then.
func (l *loop) finish(s *loopSession, cause Cause) {
	if s.over {
		return
	}
	s.end(cause)
	s.over = true
	l.wheel.disarm(&s.timer)
	l.letGo(&s.toNode)
	l.letGo(&s.toClient)
	l.ended = append(l.ended, s)
}

// sweep closes what ended in this turn, and writes it down.
func (l *loop) sweep() {
	for i, s := range l.ended {
		l.ended[i] = nil
		reset := !s.cause.orderly()
		l.hangUp(&s.clientEnd, reset && !s.told)
		if s.chosen.node != nil {
			l.hangUp(&s.chosen.end, reset)
			s.chosen.node.Release()
		}
		if s.rival != nil {
			l.drop(s.rival)
		}
		l.account(&s.session)
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
	l.sessions[s.index] = nil
	l.indexes = append(l.indexes, s.index)
	*s = loopSession{}
	s.timer.owner = s
	if len(l.recycled) < maxRecycled {
		l.recycled = append(l.recycled, s)
	}
}

// maxRecycled bounds the sessions that wait for reuse: what a burst leaves behind beyond it goes back
// to the runtime.
const maxRecycled = 4096

// account counts an ended session out and keeps its record for the next batch.
func (l *loop) account(s *session) {
	l.srv.discharge(s, l.now)
	if l.srv.records == nil {
		return
	}
	if len(l.records) == 0 {
		l.recordsBy = l.now + int64(recordDelay)
	}
	l.records = append(l.records, l.srv.record(s, l.now))
	if len(l.records) == maxRecords {
		l.flushRecords()
	}
}

// maxRecords is how many records a loop keeps before it hands them on.
const maxRecords = 256

// recordDelay is how long records wait for company: handing them on wakes another thread, which for each
// session by itself would cost more than writing it down.
const recordDelay = 100 * time.Millisecond

// flushRecords hands the records on.
func (l *loop) flushRecords() {
	if len(l.records) > 0 {
		l.srv.records.add(l.records...)
		clear(l.records)
		l.records = l.records[:0]
	}
}
