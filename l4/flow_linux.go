package l4

import (
	"golang.org/x/sys/unix"
)

// A flow is one direction of a relay. What it holds is what its destination did not take yet, in order:
// rest, then what is in the pipe. While it holds anything, nothing more is read in its direction; so a
// session is never worth more memory than one buffer and one pipe each way.
type flow struct {
	rest []byte // read and not written yet; towards the node, until the relay begins, what the client sent first
	pipe *pipe  // lent while bytes are in it

	sent   int32 // of rest, what has been written
	bulk   bool  // move by splice
	streak uint8 // reads in a row that speak for the other way of moving
	state  flowState
}

type flowState uint8

const (
	// ended: the source will send nothing more.
	ended flowState = 1 << iota
	// cut: it ended by a reset, and is to be passed on as one.
	cut
	// closed: the end was passed on, or the destination can take nothing any more. Nothing is left to do.
	closed
)

// backToCopy is how many splices in a row must bring less than a buffer before a flow is small again.
// Without it a flow of middling writes changes its mind with every one of them, which costs more than
// either way.
const backToCopy = 8

func (f *flow) has(st flowState) bool { return f.state&st != 0 }

// holds reports whether the destination still owes us room.
func (f *flow) holds() bool { return f.pipe != nil || int(f.sent) < len(f.rest) }

// move does one bounded round of a flow from src to dst: at most one buffer or one pipe full. It
// reports whether it could do more without waiting for an event.
func (l *loop) move(s *loopSession, f *flow, src, dst *end) (more bool) {
	if f.has(closed) {
		return false
	}
	if f.holds() && !l.deliver(s, f, dst) {
		return dst.has(canWrite) && !s.over
	}
	if !f.has(ended) && src.has(canRead) && dst.has(canWrite) {
		if f.bulk {
			l.splice(s, f, src, dst)
		} else {
			l.copy(s, f, src, dst)
		}
	}
	switch {
	case s.over || s.flushing || f.has(closed):
		return false
	case f.holds():
		return dst.has(canWrite)
	case f.has(ended):
		l.passEnd(s, f, dst)
		return false
	}
	return src.has(canRead) && dst.has(canWrite)
}

// copy moves a small burst: one read into the loop's buffer, one write out of it.
func (l *loop) copy(s *loopSession, f *flow, src, dst *end) {
	n, e := sysRead(src.fd, l.buf)
	switch {
	case e == unix.EAGAIN:
		src.clear(canRead)
	case e != 0:
		l.sourceCut(s, f, src, e)
	case n == 0:
		l.sourceEnded(s, f, src)
	default:
		l.brought(s, f, src, dst, n)
	}
}

// brought goes on with the n bytes that a read from src has put into the loop's buffer: they are written to
// dst, and what that does not take is kept.
func (l *loop) brought(s *loopSession, f *flow, src, dst *end, n int) {
	switch {
	case n == len(l.buf):
		f.bulk, f.streak = true, 0
	case src.has(peerDone) && !src.has(troubled):
		// The FIN was there before the read, and the read found less than it asked for: that was all.
		l.sourceEnded(s, f, src)
	default:
		src.drained()
	}
	l.copied += uint64(n)
	l.moved(s, f, n)
	w, e := sysSend(dst.fd, l.buf[:n])
	switch {
	case e == unix.EAGAIN:
		dst.clear(canWrite)
		w = 0
	case e != 0:
		l.destinationGone(s, f, dst, e)
		return
	}
	if w < n {
		f.rest, f.sent = l.spare.keep(l.buf[w:n], 0), 0
	}
}

// splice moves bulk: from the socket into a pipe, and from there as much as the other socket takes.
// Invariant: the flow holds nothing on entry, so the pipe is empty and EAGAIN can only mean the source.
func (l *loop) splice(s *loopSession, f *flow, src, dst *end) {
	p := l.pipes.get()
	if p == nil {
		l.copy(s, f, src, dst)
		return
	}
	n, e := sysSplice(src.fd, p.w, p.size)
	if e != 0 || n == 0 {
		l.pipes.put(p)
		switch {
		case e == unix.EAGAIN:
			src.clear(canRead)
		case e != 0:
			l.sourceCut(s, f, src, e)
		default:
			l.sourceEnded(s, f, src)
		}
		return
	}
	p.held, f.pipe = n, p
	s.spliced += uint64(n)
	l.spliced += uint64(n)
	l.moved(s, f, n)
	if n >= bufSize {
		f.streak = 0
	} else if f.streak++; f.streak == backToCopy {
		f.bulk, f.streak = false, 0
	}
	l.deliver(s, f, dst)
}

// deliver writes what the flow holds and reports whether all of it is gone.
func (l *loop) deliver(s *loopSession, f *flow, dst *end) bool {
	for f.holds() && dst.has(canWrite) {
		var n int
		var e unix.Errno
		if int(f.sent) < len(f.rest) {
			n, e = sysSend(dst.fd, f.rest[f.sent:])
		} else {
			n, e = sysSplice(f.pipe.r, dst.fd, f.pipe.held)
		}
		switch {
		case e == unix.EAGAIN:
			dst.clear(canWrite)
			return false
		case e != 0:
			l.destinationGone(s, f, dst, e)
			return false
		}
		s.active = l.now
		if int(f.sent) < len(f.rest) {
			f.sent += int32(n)
		} else {
			f.pipe.held -= n
		}
		l.lighten(f)
	}
	return !f.holds()
}

// lighten gives back what has become empty.
func (l *loop) lighten(f *flow) {
	if f.rest != nil && int(f.sent) == len(f.rest) {
		l.spare.release(f.rest)
		f.rest, f.sent = nil, 0
	}
	if f.pipe != nil && f.pipe.held == 0 {
		l.pipes.put(f.pipe)
		f.pipe = nil
	}
}

// letGo gives back what a flow holds, delivered or not.
func (l *loop) letGo(f *flow) {
	if f.pipe != nil {
		l.pipes.put(f.pipe)
		f.pipe = nil
	}
	f.sent = int32(len(f.rest))
	l.lighten(f)
}

// moved counts bytes that were taken from a flow's source.
func (l *loop) moved(s *loopSession, f *flow, n int) {
	s.active = l.now
	if f == &s.toNode {
		s.in += uint64(n)
		s.credit(uint64(n), 0)
		return
	}
	if s.out == 0 {
		s.answered = l.now
	}
	s.out += uint64(n)
	s.credit(0, uint64(n))
}
