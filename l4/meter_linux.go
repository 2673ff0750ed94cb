package l4

// publish makes what was relayed in this turn known to other threads.
func (l *loop) publish() {
	if l.spliced > 0 {
		l.moving.splice.Add(l.spliced)
		l.spliced = 0
	}
	if l.copied > 0 {
		l.moving.copy.Add(l.copied)
		l.copied = 0
	}
}

func (r *reactor) addPaths(sum *Paths) {
	for _, l := range r.loops {
		l.moving.addTo(sum)
	}
}
