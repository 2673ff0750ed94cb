package l4

// look copies the sessions of each loop out, some of them in a turn, so that no turn takes long.
func (r *reactor) look(f func([]glimpse) bool) {
	some := make([]glimpse, 0, maxGlimpses)
	for _, l := range r.loops {
		for next := 0; next >= 0; {
			some = some[:0]
			at := next
			next = -1 // where the loop has ended
			l.await(func(l *loop) {
				next = l.visit(at, cap(some), func(s *loopSession) {
					some = append(some, glimpse{session: s.session, active: s.active})
				})
			})
			if len(some) > 0 && !f(some) {
				return
			}
		}
	}
}

// kill ends those sessions of each loop that are meant.
func (r *reactor) kill(which func(*session) bool, cause Cause) (n int) {
	for _, l := range r.loops {
		for next := 0; next >= 0; {
			at := next
			next = -1
			l.await(func(l *loop) {
				next = l.visit(at, maxGlimpses, func(s *loopSession) {
					if which(&s.session) {
						l.finish(s, cause)
						n++
					}
				})
			})
		}
	}
	return n
}

// visit calls f for at most n living sessions from an index on, and returns where to go on; below 0:
// these were the last.
func (l *loop) visit(at, n int, f func(*loopSession)) (next int) {
	for i := at; i < len(l.sessions); i++ {
		if s := l.sessions[i]; s != nil && !s.over {
			if n == 0 {
				return i
			}
			n--
			f(s)
		}
	}
	return -1
}
