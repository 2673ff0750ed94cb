package l4

import (
	"io"
	"net"
	"sync"
	"sync/atomic"
	"time"
)

// relay moves bytes both ways until both sides have finished, one direction by this goroutine and the other by
// one of its own.
//
// How it ends: an end is passed on when all before it was delivered, and the other direction goes on
// (linger). A reset is passed on as a reset, so that nobody takes a cut stream for a whole one, but not
// before what was received ahead of it is delivered.
func (s *copySession) relay(won *bid) {
	s.enter(PhaseRelay)
	s.live.active.Store(s.srv.clock())
	toNode := &copyFlow{from: clientSide, src: s.client, dst: s.node, total: &s.live.in}
	toClient := &copyFlow{from: nodeSide, src: s.node, dst: s.client, total: &s.live.out, first: won.first}
	toNode.total.Store(s.in)
	if s.plain != nil {
		toNode.in, toNode.out = s.plain, won.plain
		toClient.in, toClient.out = won.plain, s.plain
	}
	var back sync.WaitGroup
	back.Go(func() { s.carry(toClient) })
	s.carry(toNode)
	back.Wait()
	s.in, s.out = toNode.total.Load(), toClient.total.Load()
	s.spliced = toNode.spliced + toClient.spliced
	if s.answered == 0 {
		s.answered = s.live.answered.Load()
	}
	s.conclude()
}

// A copyFlow is one direction of a relay.
type copyFlow struct {
	from     side
	src, dst *net.TCPConn
	in, out  *stream // the same two, where bytes do not go through as they are
	first    []byte  // what was read from src before the relay began
	total    *atomic.Uint64
	spliced  uint64

	err error // why it ended; nil: src has finished, and dst was told
	cut side  // whose connection broke, where err is not nil
}

// carry moves all of a flow and passes its end on.
func (s *copySession) carry(f *copyFlow) {
	defer s.ended(f)
	if len(f.first) > 0 {
		n, err := f.dst.Write(f.first)
		f.total.Add(uint64(n))
		if err != nil {
			f.err, f.cut = err, f.from.other()
			return
		}
	}
	if f.in == nil {
		f.err = pump(f)
	} else {
		f.err = s.recode(f)
	}
	if f.err != nil {
		return
	}
	s.live.left.CompareAndSwap(0, int32(f.from)+1) // before the other side can know
	if f.out == nil {
		f.dst.CloseWrite()
	} else {
		f.out.finish()
	}
}

// recode moves a flow to its end, out of one TLS or into another or both.
func (s *copySession) recode(f *copyFlow) error {
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
		}
		switch {
		case err == io.EOF:
			return nil
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

// ended notes how a flow ended, and sees to it that the other does not wait for what cannot come.
func (s *copySession) ended(f *copyFlow) {
	s.ending.Lock()
	defer s.ending.Unlock()
	if f.err == nil {
		if s.phase == PhaseRelay && s.cause == CauseNone {
			s.live.active.Store(s.srv.clock())
			s.enter(PhaseLinger)
		}
		return
	}
	s.fail(f.err, f.cut)
	if f.cut == f.from {
		// Nothing can be delivered to src any more, so nothing need be read for it.
		f.dst.SetReadDeadline(longAgo)
	}
}

// conclude ends a session whose flows are both over. A reset throws away what is in the send queue of
// the side that is still there, so it waits for that to be acknowledged, as long as it moves.
func (s *copySession) conclude() {
	if s.cause == CauseNone {
		s.enter(PhaseRelay) // where the one who left first left
		s.end(side(s.live.left.Load() - 1).finished())
		return
	}
	if s.cause != CauseClientReset && s.cause != CauseNodeReset {
		return
	}
	left, moved := unsent(s.client, s.node), time.Now()
	for left > 0 && s.ctx.Err() == nil && time.Since(moved) < s.rules.timeouts.HalfClose {
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
