package l4

import "net/netip"

// admit decides, before a byte is read, whether a connection may become a session, and counts it in or
// away. Every session that it lets in is counted out by discharge.
func (s *Server) admit(r *rules, client netip.Addr) bool {
	ln := r.listener
	switch {
	case !r.allows(client):
		ln.refused[RefusedDenied].Add(1)
		return false
	case s.pending.Load() >= int64(r.limits.Pending):
		ln.refused[RefusedPending].Add(1)
		return false
	case r.Sessions > 0 && ln.sessions.Load() >= int64(r.Sessions):
		ln.refused[RefusedListener].Add(1)
		return false
	case s.sessions.Load() >= s.capacity.Load():
		ln.refused[RefusedSessions].Add(1)
		return false
	}
	s.sessions.Add(1)
	s.pending.Add(1)
	ln.sessions.Add(1)
	return true
}

// relaying counts a session that has found its node.
func (s *Server) relaying(ss *session) {
	if !ss.relayed {
		ss.relayed = true
		s.pending.Add(-1)
	}
}

// refused counts a session that was turned away for what it sent first, or did not send.
func (s *Server) refused(ss *session) {
	ln := ss.rules.listener
	switch ss.cause {
	case CauseNotTLS:
		ln.refused[RefusedNotTLS].Add(1)
	case CauseBadHello:
		ln.refused[RefusedHello].Add(1)
	case CauseBadHeader:
		ln.refused[RefusedHeader].Add(1)
	case CauseNoRoute:
		ln.refused[RefusedNoRoute].Add(1)
	case CauseTimeout:
		if ss.phase == PhaseHeader {
			ln.refused[RefusedHeaderTimeout].Add(1)
		} else {
			ln.refused[RefusedHelloTimeout].Add(1)
		}
	}
}

// discharge counts a session out.
func (s *Server) discharge(ss *session) {
	stats := ss.rules.lost
	if ss.route != nil {
		stats = ss.route.RouteStats
	}
	stats.ended[ss.cause][ss.phase].Add(1)
	if !ss.relayed {
		s.pending.Add(-1)
	}
	ss.rules.listener.sessions.Add(-1)
	s.sessions.Add(-1)
}
