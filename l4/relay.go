package l4

import (
	"errors"
	"io"
	"net"
	"os"
	"sync/atomic"
	"time"
)

// relay moves bytes both ways until both sides have finished, one direction by this goroutine and the other by
// one of its own. It may return before that: whichever flow ends last ends the session.
//
// How it ends: an end is passed on when all before it was delivered, and the other direction goes on
// (linger). A reset is passed on as a reset, so that nobody takes a cut stream for a whole one, but not
// before what was received ahead of it is delivered.
func (s *copySession) relay(won *bid) {
	s.live.in.Store(s.in)
	s.live.active.Store(s.srv.clock())
	s.live.mu.Lock()
	s.toNode = copyFlow{session: s, from: clientSide, src: s.client, dst: s.node, total: &s.live.in}
	s.toClient = copyFlow{session: s, from: nodeSide, src: s.node, dst: s.client, total: &s.live.out, first: won.first}
	if s.plain != nil {
		s.toNode.in, s.toNode.out = s.plain, won.plain
		s.toClient.in, s.toClient.out = won.plain, s.plain
	}
	s.live.mu.Unlock()
	s.enter(PhaseRelay) // the watch looks at the flows from now on
	s.running = 2
	go s.carry(&s.toClient)
	s.carry(&s.toNode)
}

// A copyFlow is one direction of a relay.
type copyFlow struct {
	session  *copySession
	from     side
	src, dst *net.TCPConn
	in, out  *stream // the same two, where bytes do not go through as they are
	first    []byte  // what was read from src before the relay began
	total    *atomic.Uint64
	spliced  uint64

	err error // why it ended; nil: src has finished, and dst was told
	cut side  // whose connection broke, where err is not nil

	seat   uint64 // in the lounge; 0: it does not rest there
	tired  bool   // it was told to rest; guarded by session.live.mu, like the next
	closed bool   // nothing need be read any more
}

// carry moves all of a flow and passes its end on. The flow that ends last ends the session.
func (s *copySession) carry(f *copyFlow) {
	var err error
	switch {
	case !f.begin():
		err = f.err
	case f.in == nil:
		err = pump(f)
	default:
		err = s.recode(f)
	}
	if err == errResting {
		return // f belongs to another goroutine by now
	}
	if f.err = err; err == nil {
		s.live.left.CompareAndSwap(0, int32(f.from)+1) // before the other side can know
		f.finish()
	}
	if s.ended(f) {
		s.conclude()
		s.over()
	}
}

// begin passes on what was read before the relay began.
func (f *copyFlow) begin() bool {
	if len(f.first) == 0 {
		return true
	}
	n, err := f.dst.Write(f.first)
	f.total.Add(uint64(n))
	f.err, f.cut, f.first = err, f.from.other(), nil
	return err == nil
}

// finish tells dst that nothing more will come.
func (f *copyFlow) finish() {
	if f.out == nil {
		f.dst.CloseWrite()
	} else {
		f.out.finish()
	}
}

// recode moves a flow to its end, out of one TLS or into another or both.
func (s *copySession) recode(f *copyFlow) error {
	s.wake(f)
	for {
		b, n, err := f.in.read()
		if n == 0 {
			b.giveBack()
		} else if err := f.out.write(b, n); err != nil {
			f.cut = f.from.other()
			return err
		}
		if n > 0 {
			s.recoded(f, uint64(n))
			s.srv.procs.look(s.srv.clock())
		}
		if errors.Is(err, os.ErrDeadlineExceeded) {
			err = s.rest(f, err)
		}
		switch {
		case err == io.EOF:
			return nil
		case err == errResting:
			return err
		case err != nil:
			f.cut = f.from
			return err
		}
	}
}

// recoded counts bytes that were delivered.
func (s *copySession) recoded(f *copyFlow, n uint64) {
	f.total.Add(n)
	s.srv.moved.tls.Add(n)
	if f.from == clientSide {
		s.credit(n, 0)
		return
	}
	s.credit(0, n)
	if s.live.answered.Load() == 0 {
		s.live.answered.Store(s.srv.clock())
	}
}

// ended notes how a flow ended, and sees to it that the other does not wait for what cannot come. It reports
// whether that has ended too.
func (s *copySession) ended(f *copyFlow) (both bool) {
	s.ending.Lock()
	defer s.ending.Unlock()
	s.running--
	if f.err == nil {
		if s.phase == PhaseRelay && s.cause == CauseNone {
			s.live.active.Store(s.srv.clock())
			s.enter(PhaseLinger)
		}
		return s.running == 0
	}
	s.fail(f.err, f.cut)
	if f.cut == f.from {
		// Nothing can be delivered to src any more, so nothing need be read for it.
		other := &s.toNode
		if f == other {
			other = &s.toClient
		}
		s.silence(other)
	}
	return s.running == 0
}

// conclude ends a session whose flows are both over. A reset throws away what is in the send queue of
// the side that is still there, so it waits for that to be acknowledged, as long as it moves.
func (s *copySession) conclude() {
	s.in, s.out = s.live.in.Load(), s.live.out.Load()
	s.spliced = s.toNode.spliced + s.toClient.spliced
	if s.answered == 0 {
		s.answered = s.live.answered.Load()
	}
	if s.cause == CauseNone {
		s.enter(PhaseRelay) // where the one who left first left
		s.end(side(s.live.left.Load() - 1).finished())
		return
	}
	if s.cause != CauseClientReset && s.cause != CauseNodeReset {
		return
	}
	left, moved := unsent(s.client, s.node), time.Now()
	for left > 0 && !s.killed() && time.Since(moved) < s.rules.timeouts.HalfClose {
		time.Sleep(flushInterval)
		now := unsent(s.client, s.node)
		if now < left {
			moved = time.Now()
		}
		left = now
	}
}

// flushInterval is how often a reset that waits looks whether it may go out.
const flushInterval = 10 * time.Millisecond
