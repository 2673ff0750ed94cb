package l4

import (
	"context"
	"time"

	"github.com/sluicelb/sluice/pool"
)

// A View is a session that lives, as it was a moment ago: its [Record] so far, with CauseNone, and how
// long no byte has moved.
type View struct {
	Record
	Idle time.Duration
}

// A glimpse is a copy of a session, and when a byte of it last moved.
type glimpse struct {
	session
	active int64
}

// maxGlimpses bounds how many sessions are copied at a time: some 50 microseconds of a loop's time.
const maxGlimpses = 256

// Views calls f for the living sessions, in no order, until f returns false or ctx ends; its error is why
// ctx did. What f is given is f's. Sessions that begin or end meanwhile may be among them or not. The
// sessions themselves are held up for microseconds, however long f takes.
func (s *Server) Views(ctx context.Context, f func(View) (more bool)) error {
	more := true
	show := func(some []glimpse) bool {
		now := s.clock()
		for i := range some {
			if more = more && ctx.Err() == nil; !more {
				return false
			}
			g := &some[i]
			more = f(View{Record: s.record(&g.session, now), Idle: time.Duration(max(now-g.active, 0))})
		}
		return more
	}
	for _, e := range []engine{s.reactor, s.copying} {
		if e != nil && more {
			e.look(show)
		}
	}
	return context.Cause(ctx)
}

// Kill ends the session with this id by a reset, as the operator's word; false if there is none.
func (s *Server) Kill(id uint64) bool {
	return s.kill(func(ss *session) bool { return ss.id == id }, CauseKilled) > 0
}

// KillNode ends the sessions that a node has, as the operator's word, and returns how many those were.
func (s *Server) KillNode(n *pool.Node) int {
	return s.kill(func(ss *session) bool { return ss.node == n }, CauseKilled)
}

// NodeDown ends the sessions of a node that is down: call it for pools that close on that. It does not
// wait.
func (s *Server) NodeDown(n *pool.Node) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return
	}
	s.killing.Go(func() {
		s.kill(func(ss *session) bool { return ss.node == n }, CauseNodeDown)
	})
}

func (s *Server) kill(which func(*session) bool, cause Cause) (n int) {
	for _, e := range []engine{s.reactor, s.copying} {
		if e != nil {
			n += e.kill(which, cause)
		}
	}
	return n
}

// list returns the sessions that the copy engine has.
func (e *copyEngine) list() []*copySession {
	e.mu.Lock()
	defer e.mu.Unlock()
	all := make([]*copySession, 0, len(e.sessions))
	for s := range e.sessions {
		all = append(all, s)
	}
	return all
}

func (e *copyEngine) look(f func([]glimpse) bool) {
	var some [1]glimpse
	for _, s := range e.list() {
		g := &some[0]
		*g = glimpse{session: s.state(), active: s.live.active.Load()}
		g.active = max(g.active, g.accepted)
		if g.phase >= PhaseRelay && s.plain == nil {
			s.soFar(&g.session)
		}
		if !f(some[:]) {
			return
		}
	}
}

func (e *copyEngine) kill(which func(*session) bool, cause Cause) (n int) {
	for _, s := range e.list() {
		if known := s.state(); which(&known) {
			s.kill(cause)
			n++
		}
	}
	return n
}

func (e *copyEngine) addPaths(*Paths) {} // they are the server's
