package pool

import (
	"sync/atomic"
	"time"
)

// Stats is what is known of a node at one moment. Counters count since the node was first listed.
type Stats struct {
	Health    Health
	Busy      bool
	Admin     Admin
	Ejected   bool
	Available bool
	Since     time.Time // of the last change of any of these
	Reason    string    // of that change

	Sessions          int64
	Picks             uint64 // sessions and attempts that were sent here
	BytesIn, BytesOut uint64
	Dials             [DialResults]uint64
	DialTimes         Histogram // of successful dials
	Silences          uint64    // hellos without a first byte in time
	Ejections         uint64
	EjectedUntil      time.Time // zero: not ejected
	Checks            CheckStats
}

// Stats takes a snapshot. Its counters are read one after the other, while traffic goes on.
func (n *Node) Stats() Stats {
	n.mu.Lock()
	st := n.load()
	s := Stats{
		Since: n.since, Reason: n.reason, Checks: n.checks,
		Ejections: n.ejection.count, EjectedUntil: n.ejection.until,
	}
	n.mu.Unlock()

	s.Health, s.Busy, s.Admin, s.Ejected, s.Available = st.health(), st.busy(), st.admin(), st.ejected(), st.available()
	s.Sessions, s.Picks, s.Silences = n.sessions.Load(), n.picks.Load(), n.silences.Load()
	s.BytesIn, s.BytesOut = n.bytesIn.Load(), n.bytesOut.Load()
	for r := range n.dials {
		s.Dials[r] = n.dials[r].Load()
	}
	s.DialTimes = n.dialTimes.snapshot()
	return s
}

// DialTimes is the distribution of all successful dials, to nodes that are gone as well.
func (s *Set) DialTimes() Histogram { return s.dialTimes.snapshot() }

// Histogram is a distribution, of durations in seconds where nothing else is said.
type Histogram struct {
	Bounds []float64 // upper bounds, shared: not to be changed
	Counts []uint64  // per bucket, not cumulated; one more than Bounds
	Sum    float64
}

// dialBounds are seconds. In a rack a dial takes a tenth of a millisecond; one that lost a SYN takes over a
// second; timeouts.dial ends the rest.
var dialBounds = []float64{.0001, .00025, .0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5}

const dialBuckets = 16 // len(dialBounds) + 1

type histogram struct {
	counts [dialBuckets]atomic.Uint64
	nanos  atomic.Int64
}

func (h *histogram) add(d time.Duration) {
	s, i := d.Seconds(), 0
	for i < len(dialBounds) && s > dialBounds[i] {
		i++
	}
	h.counts[i].Add(1)
	h.nanos.Add(int64(d))
}

func (h *histogram) snapshot() Histogram {
	out := Histogram{Bounds: dialBounds, Counts: make([]uint64, dialBuckets)}
	for i := range h.counts {
		out.Counts[i] = h.counts[i].Load()
	}
	out.Sum = time.Duration(h.nanos.Load()).Seconds()
	return out
}
