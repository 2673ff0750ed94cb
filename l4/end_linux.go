package l4

import "golang.org/x/sys/unix"

// An end is one socket of a reactor session, and what epoll has said of it. Its descriptor is
// registered once, edge-triggered, for everything; so what was reported must be remembered until it is
// used up.
type end struct {
	fd    int32 // -1: none
	state endState
}

type endState uint8

const (
	// canRead: a read may bring bytes, the end or an error. Cleared by EAGAIN, and by a read that came
	// back short: then the queue was empty, and what comes later is reported, epoll(7).
	canRead endState = 1 << iota

	// canWrite: a write may be taken. Only EAGAIN clears it: a short write alone promises no event.
	canWrite

	// peerDone: the peer has sent its FIN. A short read is then the last one.
	peerDone

	// troubled: an error is pending, or was met. What the peer sent before it can still be read.
	troubled

	// peeked: the end of what the peer sends was seen, and left to be read.
	peeked

	// broken: the connection is cut. Nothing that is written arrives any more, and an end of what can be
	// read is no orderly end, even where the kernel reports 0: it tells of an error only once.
	broken
)

func (e *end) has(f endState) bool { return e.state&f != 0 } // any of them
func (e *end) set(f endState)      { e.state |= f }
func (e *end) clear(f endState)    { e.state &^= f }

// drained notes that a read came back short. Where the peer's end or an error waits behind the bytes, no
// event will say so again: then the next read must be tried.
func (e *end) drained() {
	if !e.has(peerDone | troubled) {
		e.clear(canRead)
	}
}

// epollAll is what every socket of a session is registered for.
const epollAll = unix.EPOLLIN | unix.EPOLLOUT | unix.EPOLLRDHUP | unix.EPOLLET

// note remembers what epoll reported.
func (e *end) note(events uint32) {
	if events&(unix.EPOLLIN|unix.EPOLLRDHUP|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		e.set(canRead)
	}
	if events&(unix.EPOLLOUT|unix.EPOLLHUP|unix.EPOLLERR) != 0 {
		e.set(canWrite)
	}
	if events&unix.EPOLLRDHUP != 0 {
		e.set(peerDone)
	}
	if events&unix.EPOLLERR != 0 {
		e.set(troubled)
	}
}
