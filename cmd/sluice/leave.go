package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/admin"
)

// A leave is the end of the process, from the first word of it: from then on /readyz says no, and those who
// look at it (VRRP, anycast, another balancer) can send clients elsewhere while these are still served.
//
// It is safe for concurrent use.
type leave struct {
	now chan struct{} // closed when the grace is over

	mu    sync.Mutex // guards the fields below
	begun bool
	timer *time.Timer
}

func newLeave() *leave { return &leave{now: make(chan struct{})} }

// begin says that the process leaves after grace; false if that was said before.
func (l *leave) begin(grace time.Duration) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.begun {
		return false
	}
	l.begun = true
	l.timer = time.AfterFunc(grace, func() { close(l.now) })
	return true
}

// hasBegun reports whether the process is about to end.
func (l *leave) hasBegun() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.begun
}

// stop forgets the grace.
func (l *leave) stop() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.timer != nil {
		l.timer.Stop()
	}
}

// beginLeave says that the process leaves, and writes that down; false if that was said before.
func (s *service) beginLeave(grace time.Duration) bool {
	if !s.leave.begin(grace) {
		return false
	}
	s.log.Info("drain", "sessions", s.server.Sessions(), "grace", grace, "for", s.config().Timeouts.Drain)
	s.events.Publish(admin.Event{Kind: admin.KindDrain, Old: "serving", New: "draining", Reason: "grace " + grace.String()})
	return true
}

// errCut ends a drain that was cut short by a second signal.
var errCut = errors.New("told again: stopping now")

// drain lets the sessions finish, for as long as the configuration says or until the next signal to stop.
func (s *service) drain(signals <-chan os.Signal, m *manager) error {
	m.stopping()
	s.beginLeave(0)
	limit := s.config().Timeouts.Drain
	ctx, stop := context.WithTimeoutCause(context.Background(), limit, fmt.Errorf("timeouts.drain, %s, is over", limit))
	defer stop()
	ctx, cut := context.WithCancelCause(ctx)
	defer cut(nil)
	drained := make(chan error, 1)
	go func() { drained <- s.server.Shutdown(ctx) }()
	for {
		select {
		case err := <-drained:
			return err
		case <-m.beat:
			m.alive()
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				cut(errCut)
			}
		}
	}
}
