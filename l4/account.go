package l4

import "net/netip"

// admit decides, before a byte is read, whether a connection may become a session, and counts it in or
// away. Every session that it lets in is counted out by discharge. A peer that must open with a PROXY
// header is judged by whom it announces, see letIn.
func (s *Server) admit(r *rules, peer netip.Addr, now int64) bool {
	reason, ok := s.hasRoom(r)
	if ok && !r.wantsHeader(peer) {
		reason, ok = s.welcome(r, peer, now)
	}
	if !ok {
		r.listener.refused[reason].Add(1)
		return false
	}
	s.sessions.Add(1)
	s.pending.Add(1)
	r.listener.sessions.Add(1)
	return true
}

// hasRoom applies the limits that have nothing to do with who the client is.
func (s *Server) hasRoom(r *rules) (Reason, bool) {
	switch {
	case s.pending.Load() >= int64(r.limits.Pending):
		return RefusedPending, false
	case r.Sessions > 0 && r.listener.sessions.Load() >= int64(r.Sessions):
		return RefusedListener, false
	case s.sessions.Load() >= s.capacity.Load():
		return RefusedSessions, false
	}
	return 0, true
}

// welcome applies the access rules and the limits of one client.
func (s *Server) welcome(r *rules, client netip.Addr, now int64) (Reason, bool) {
	if !r.allows(client) {
		return RefusedDenied, false
	}
	if !r.limitsClients() {
		return 0, true
	}
	return s.clients.admit(client, &r.limits, now)
}

// letIn applies to a session whose client was announced by a PROXY header what others meet before they
// are read from.
func (s *Server) letIn(ss *session, now int64) verdict {
	reason, ok := s.welcome(ss.rules, ss.client.Addr(), now)
	switch {
	case ok:
		ss.limited = ss.rules.limitsClients()
		return goOn
	case reason == RefusedDenied:
		ss.refuse(CauseDenied, reason)
	default:
		ss.refuse(CauseLimit, reason)
	}
	return refuse
}

// refuse ends a session that no node will see, and counts it with the reason.
func (s *session) refuse(cause Cause, reason Reason) {
	s.end(cause)
	s.rules.listener.refused[reason].Add(1)
}

// timedOut ends a session whose first bytes did not come in time.
func (s *session) timedOut() {
	if s.phase == PhaseHeader {
		s.refuse(CauseTimeout, RefusedHeaderTimeout)
	} else {
		s.refuse(CauseTimeout, RefusedHelloTimeout)
	}
}

// relaying counts a session that has found its node.
func (s *Server) relaying(ss *session) {
	if !ss.relayed {
		ss.relayed = true
		s.pending.Add(-1)
	}
}

// discharge counts a session out.
func (s *Server) discharge(ss *session, now int64) {
	stats := ss.rules.lost
	if ss.route != nil {
		stats = ss.route.RouteStats
	}
	stats.ended[ss.cause][ss.phase].Add(1)
	if !ss.relayed {
		s.pending.Add(-1)
	}
	if ss.limited {
		s.clients.release(ss.client.Addr(), now)
	}
	ss.rules.listener.sessions.Add(-1)
	s.sessions.Add(-1)
}
