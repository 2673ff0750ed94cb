package l4

import (
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
	next int64  // when to look again
	seen uint64 // bytes at the last look

	mu     sync.Mutex // guards the fields below, and copySession.node
	killed bool
}

// maxWatchInterval bounds how seldom a session's progress is looked at.
const maxWatchInterval = 5 * time.Second

// check ends a session that has moved nothing for too long, and brings the counters up to date. It is
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
	if moved := s.moved(); moved != s.live.seen {
		s.live.seen = moved
		s.live.active.Store(now)
		return
	}
	if now-s.live.active.Load() >= int64(limit) {
		s.kill(CauseTimeout)
	}
}
