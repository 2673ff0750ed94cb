package l4

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// readTLS reads all files that a configuration names for TLS. The error is everything that is wrong with them.
func (p *plan) readTLS(cfg *configs.Config, t *tickets) error {
	var errs []error
	for _, lc := range cfg.Listeners {
		if lc.TLS != configs.Terminate {
			continue
		}
		tm, err := newTerminator(lc, t)
		if err != nil {
			errs = append(errs, fmt.Errorf("listener %q: %w", lc.Name, err))
			continue
		}
		p.terminators = append(p.terminators, tm)
	}
	p.nodeTLS = map[string]*nodeTLS{}
	for _, pc := range cfg.Pools {
		if !pc.TLS.Enabled {
			continue
		}
		t, err := newNodeTLS(&pc.TLS)
		if err != nil {
			errs = append(errs, fmt.Errorf("pool %q: %w", pc.Name, err))
			continue
		}
		p.nodeTLS[pc.Name] = t
	}
	return errors.Join(errs...)
}

// terminator is what ends TLS for a listener; nil if nothing does.
func (p *plan) terminator(lc *configs.Listener) *terminator {
	i := slices.IndexFunc(p.terminators, func(t *terminator) bool { return t.listener == lc })
	if i < 0 {
		return nil
	}
	return p.terminators[i]
}

// watchFiles makes these the terminators whose files are watched. s.mu must be held.
func (s *Server) watchFiles(all []*terminator) {
	if s.terminators = all; len(all) > 0 && !s.looking {
		s.looking = true
		s.watching.Go(s.watch)
	}
	for _, t := range all {
		s.warn(t)
	}
}

// watch reads the terminators' files again when they change, and gives tickets new keys, until the server is
// closed.
func (s *Server) watch() {
	tick := time.NewTicker(lookInterval)
	defer tick.Stop()
	for {
		select {
		case <-s.unwatch:
			return
		case now := <-tick.C:
			s.look(now)
			s.tickets.rotate(now)
		}
	}
}

func (s *Server) look(now time.Time) {
	s.mu.Lock()
	all := s.terminators
	s.mu.Unlock()
	for _, t := range all {
		for _, c := range t.look(now) {
			s.reread(t.listener.Name, c.files, c.err)
			if c.err != nil {
				s.log.Error("files changed", "listener", t.listener.Name, "files", c.files,
					"result", "what they had before stays in use", "error", c.err)
			} else {
				s.log.Info("files changed", "listener", t.listener.Name, "files", c.files, "result", "in use")
			}
		}
		s.warn(t)
	}
}

// warn says what clients may object to.
func (s *Server) warn(t *terminator) {
	for _, w := range t.takeWarnings() {
		s.log.Warn("certificate", "listener", t.listener.Name, "problem", w)
	}
}
