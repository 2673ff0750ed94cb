package l4

import (
	"context"
	"sync"
	"sync/atomic"
	"time"
)

// progress is what the watch and other outsiders see of a session in the copy engine while it runs.
type progress struct {
	known    atomic.Pointer[session] // as of the last phase it entered
	active   atomic.Int64            // when a byte was last seen to have moved
	in, out  atomic.Uint64           // bytes that moved
	answered atomic.Int64            // when the first byte of the node was passed on, where TLS ends here
	left     atomic.Int32            // the side that finished first, plus one; 0: none has

	// Of the watch alone.
	next    int64  // when to look again
	seen    uint64 // what had moved at the last look, by the kernel's count
	recoded uint64 // and through TLS here
	settled bool   // the node's connection has its keepalive

	mu     sync.Mutex         // guards the fields below, and copySession.node
	killed Cause              // given by somebody outside; CauseNone: nobody has
	giveUp context.CancelFunc // ends the search for a node, while it lasts
}

// maxWatchInterval bounds how seldom a session's progress is looked at.
const maxWatchInterval = 5 * time.Second

// check ends a session that has moved nothing for too long, and sends one to rest that has nothing to move. It is
// called by the watch.
func (s *copySession) check(now int64) {
	phase := s.live.known.Load().phase
	if phase < PhaseRelay || now < s.live.next {
		return
	}
	limit := s.rules.timeouts.Idle
	if phase == PhaseLinger {
		limit = s.rules.timeouts.HalfClose
	}
	s.live.next = now + int64(min(max(limit/8, watchInterval), maxWatchInterval))
	if !s.live.settled && now-s.connected >= int64(settleAge) {
		s.live.settled = true
		s.settle()
	}
	if s.hasMoved() {
		s.live.active.Store(now)
	}
	silent := now - s.live.active.Load()
	if !s.live.settled {
		s.live.next = min(s.live.next, now+int64(settleAge))
	}
	if silent >= int64(limit) {
		s.kill(CauseTimeout)
	} else if s.plain != nil && silent < int64(restAfter) {
		s.live.next = now + int64(watchInterval)
	} else if s.plain != nil {
		s.tire()
	}
}

// settleAge is when a session's connection to its node gets keepalive and TCP_USER_TIMEOUT. They find out
// about nodes that vanish, which a session that is over by then has no need of, and it is spared the
// system calls. The client's connection has them from its listening socket.
const settleAge = 2 * time.Second

// restAfter is how long a session whose bytes are recoded here has none to recode before it comes to rest.
const restAfter = 300 * time.Millisecond

// settle gives the connection to the node what that to the client has from its listening socket.
func (s *copySession) settle() {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	if raw, err := s.node.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { setKeepalive(int(fd), &s.rules.timeouts) })
	}
}

// hasMoved reports whether bytes have moved since it was last asked. Where a session rests there is nothing that
// the kernel could know better.
func (s *copySession) hasMoved() bool {
	recoded := s.live.in.Load() + s.live.out.Load()
	if recoded != s.live.recoded {
		s.live.recoded = recoded
		return true
	}
	if s.resting() {
		return false
	}
	moved := s.moved()
	if moved == s.live.seen {
		return false
	}
	s.live.seen = moved
	return true
}
