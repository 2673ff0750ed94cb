package l4

import (
	"errors"
	"time"
)

// How the flows of a silent session come to rest in the lounge. The watch tells them to, by a deadline that has
// passed: a session that is busy pays nothing for it.

// errResting is the end of a goroutine, but not of its flow.
var errResting = errors.New("the flow rests")

// tire tells the flows of a session to rest. It is called by the watch, when no byte has moved for a while.
func (s *copySession) tire() {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	for _, f := range []*copyFlow{&s.toNode, &s.toClient} {
		if s.live.killed == CauseNone && !f.closed && !f.tired {
			f.tired = true
			f.src.SetReadDeadline(longAgo)
		}
	}
}

// resting reports whether nothing of a session is in this process.
func (s *copySession) resting() bool {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	return s.toNode.tired && s.toClient.tired
}

// rest lays a flow down that was told to: with errResting it is another goroutine's. If there is no place it goes
// on, with nil; if its deadline was for the end of the session, that is what is returned.
func (s *copySession) rest(f *copyFlow, deadline error) error {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	if s.live.killed != CauseNone || f.closed {
		return deadline
	}
	f.src.SetReadDeadline(time.Time{})
	if s.engine.lounge.take(f) {
		return errResting
	}
	return nil
}

// wake is for a flow that has rested and goes on.
func (s *copySession) wake(f *copyFlow) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	f.tired = false
}

// silence ends the reading of what cannot be delivered any more.
func (s *copySession) silence(f *copyFlow) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	f.closed = true
	f.src.SetReadDeadline(longAgo)
	s.engine.lounge.rouse(f)
}
