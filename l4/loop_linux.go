package l4

import (
	"sync"
	"sync/atomic"

	"golang.org/x/sys/unix"
)

// A loop is one reactor: one goroutine with an epoll set of its own that accepts, reads, dials and
// relays the sessions it has taken, and shares none of them with anybody.
//
// A turn handles what epoll reported, what came due, and what was left over from the turn before, each
// within bounds; then the descriptors of sessions that ended are closed, and it waits again.
type loop struct {
	srv   *Server
	pipes *pipePool

	ep     int32 // the epoll set
	wake   int32 // an eventfd: somebody posted
	parked *parking
	events [256]epollEvent

	number int     // among its peers
	peers  []*loop // all loops of the reactor, this one too
	share  share
	load   atomic.Int32 // per mille of the last window in which the loop did not wait
	helps  atomic.Bool  // it accepts sessions, or is about to

	now   int64  // nanoseconds on the server's clock, read once a turn
	turns uint64 // so far
	wheel wheel[*loopSession]
	pause wheel[*doorway]
	buf   []byte // what is read and at once written; nothing stays in it past one call
	spare buffers

	generation uint32         // of the last session
	sessions   []*loopSession // by index; nil where an index is free
	indexes    []uint32       // free ones
	recycled   []*loopSession
	listening  map[uint32]*doorway
	ready      []*loopSession // have something to do that no event will tell of again
	working    []*loopSession // the ready ones of this turn
	ended      []*loopSession // to be closed when the turn is over
	moving     paths          // what was relayed so far, for other threads to read
	spliced    uint64         // this turn, see paths
	copied     uint64         // this turn
	records    []Record       // of sessions that ended since the last were handed on
	recordsBy  int64          // when they are handed on at the latest

	mu    sync.Mutex // guards the fields below
	inbox []func()
	gone  bool // nobody looks into inbox any more

	stopped bool
}

// bufSize is what one read may bring while a flow is small. A read that fills it says that splice
// would have been cheaper.
const bufSize = 16 << 10

// An event's data says whom it is for: which of a session's sockets, the session's index, and its
// generation, so that an event of a session that is gone is known for what it is.
//
//	bits 0-1: slot, bits 2-31: index, bits 32-63: generation
const (
	slotClient = iota
	slotNode   // one of two attempts to reach a node
	slotRival  // the other
	slotOther  // no session: index 0 is the eventfd, others are listening sockets
)

func eventData(slot uint8, index, generation uint32) uint64 {
	return uint64(slot) | uint64(index)<<2 | uint64(generation)<<32
}

func newLoop(srv *Server, pipes *pipePool) (*loop, error) {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, err
	}
	wake, err := unix.Eventfd(0, unix.EFD_NONBLOCK|unix.EFD_CLOEXEC)
	if err != nil {
		unix.Close(ep)
		return nil, err
	}
	l := &loop{
		srv: srv, pipes: pipes,
		ep: int32(ep), wake: int32(wake),
		buf:       make([]byte, bufSize),
		listening: map[uint32]*doorway{},
		sessions:  make([]*loopSession, 1, 64), // index 0 stays free
	}
	l.now = srv.clock()
	l.wheel.now, l.pause.now = millis(l.now), millis(l.now)
	l.parked, err = newParking(l.ep)
	if e := sysEpollAdd(l.ep, l.wake, unix.EPOLLIN, eventData(slotOther, 0, 0)); err == nil && e != 0 {
		err = e
	}
	if err != nil {
		unix.Close(ep)
		unix.Close(wake)
		return nil, err
	}
	return l, nil
}

// run is the life of a loop.
func (l *loop) run() {
	defer l.close()
	for !l.stopped {
		asleep := l.srv.clock()
		n := l.wait(asleep)
		l.now = l.srv.clock()
		l.share.waited += l.now - asleep
		l.turns++
		for i := range l.events[:n] {
			l.take(&l.events[i])
		}
		l.wheel.advance(millis(l.now), l.expired)
		l.pause.advance(millis(l.now), l.resume)
		l.work()
		l.sweep()
		l.publish()
		if len(l.records) > 0 && l.now >= l.recordsBy {
			l.flushRecords()
		}
		l.assess()
	}
}

// take notes what an event says. Invariant: nothing is closed here, so every event of this turn still
// means the descriptor it was reported for.
func (l *loop) take(e *epollEvent) {
	data := e.data()
	slot, index, generation := uint8(data&3), uint32(data)>>2, uint32(data>>32)
	if slot == slotOther {
		if index == 0 {
			l.runInbox()
		} else if d := l.listening[index]; d != nil {
			l.accept(d)
		}
		return
	}
	s := l.sessions[index]
	if s == nil || s.generation != generation {
		return
	}
	if end := s.endAt(slot); end != nil {
		end.note(e.Events)
		l.queue(s)
	}
}

// queue gives a session a place in the coming round of work.
func (l *loop) queue(s *loopSession) {
	if !s.queued {
		s.queued = true
		l.ready = append(l.ready, s)
	}
}

// work gives every session that has something to do one bounded step. Those that could do more at once
// are queued for the next turn, behind another look at epoll: this is what keeps one bulk stream from
// starving ten thousand others.
func (l *loop) work() {
	l.working, l.ready = l.ready, l.working[:0]
	for i, s := range l.working {
		l.working[i] = nil
		s.queued = false
		alive := l.sessions[s.index] == s && !s.over // it may have ended since it was queued
		if !alive {
			continue
		}
		s.steps++
		if l.step(s) {
			l.queue(s)
		}
	}
}

// step does one bounded piece of a session's work and reports whether there is more that no event
// will tell of.
func (l *loop) step(s *loopSession) bool {
	switch s.phase {
	case PhaseAccept:
		l.begin(s)
	case PhaseHeader, PhaseHello:
		l.open(s)
	case PhaseDial:
		l.dialled(s)
	}
	if s.phase >= PhaseRelay && !s.over {
		return l.relay(s)
	}
	return false
}

// post has f run by the loop, soon; false if the loop has ended. It may be called from any goroutine.
func (l *loop) post(f func()) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.gone {
		return false
	}
	l.inbox = append(l.inbox, f)
	if len(l.inbox) == 1 {
		// The counter cannot be near its limit, so a non-blocking write succeeds, eventfd(2).
		one := [8]byte{1}
		unix.Write(int(l.wake), one[:])
	}
	return true
}

// await has f run by the loop and waits for it. It does nothing if the loop has ended.
func (l *loop) await(f func(*loop)) {
	done := make(chan struct{})
	posted := l.post(func() {
		defer close(done)
		f(l)
	})
	if posted {
		<-done
	}
}

func (l *loop) runInbox() {
	sysRead(l.wake, l.buf[:8])
	for _, f := range l.takeInbox(false) {
		f()
	}
}

// takeInbox empties the inbox, for good if it is the last time.
func (l *loop) takeInbox(last bool) []func() {
	l.mu.Lock()
	defer l.mu.Unlock()
	todo := l.inbox
	l.inbox, l.gone = nil, last
	return todo
}

// close releases what the loop holds. Its sessions have ended.
func (l *loop) close() {
	for _, f := range l.takeInbox(true) {
		f() // somebody may wait for it
	}
	l.flushRecords()
	l.parked.close()
	sysClose(l.ep)
	sysClose(l.wake)
}

// millis is a clock reading in the wheel's ticks.
func millis(nanos int64) int64 { return nanos / 1e6 }
