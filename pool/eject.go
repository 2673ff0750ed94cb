package pool

import (
	"fmt"
	"sync/atomic"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// runs are failures in a row. Dials and silences are counted apart, because a hung node takes every
// connection: if a dial that succeeds ended a run of silences, such a node would never be ejected.
type runs struct {
	dials, silences atomic.Int32
}

func (r *runs) dialed() {
	if r.dials.Load() != 0 {
		r.dials.Store(0)
	}
}

func (r *runs) answered() {
	r.dialed()
	if r.silences.Load() != 0 {
		r.silences.Store(0)
	}
}

// ejection is the memory behind a node's ejections.
type ejection struct {
	until time.Time     // zero: not ejected
	ended time.Time     // of the last one
	last  time.Duration // how long that was
	steps int           // doublings the next one begins with
	count uint64
	timer *time.Timer
}

// maxEject is the longest ejection in multiples of eject.time. "Doubles up to 10 times" is read as the
// duration: 10s, 20s, 40s, 80s, 100s, 100s. Ten doublings would be close to three hours, in which
// a node that traffic could use again would not be asked.
const maxEject = 10

// length is how long an ejection lasts after steps doublings.
func length(base time.Duration, steps int) time.Duration {
	d := base
	for range steps {
		if d >= maxEject*base {
			break
		}
		d *= 2
	}
	return min(d, maxEject*base)
}

// next is the length of an ejection that begins now, and the steps after it. A node that served for as
// long as it was last ejected for is forgiven one doubling, for twice as long two, and so on.
func (e *ejection) next(base time.Duration, now time.Time) (time.Duration, int) {
	steps := e.steps
	if e.last > 0 {
		forgiven := int64(now.Sub(e.ended) / e.last)
		steps = int(max(int64(steps)-max(forgiven, 0), 0))
	}
	d := length(base, steps)
	if d < maxEject*base {
		steps++
	}
	return d, steps
}

// cancel forgets a running ejection; its timer does nothing any more.
func (e *ejection) cancel() {
	if e.timer != nil {
		e.timer.Stop()
	}
	e.timer, e.until = nil, time.Time{}
}

// mayEject reports whether one more node may go: at most maxShare of the ready ones are ejected at
// once, and never the last that is available.
func mayEject(ready, ejected, othersAvailable int, maxShare float64) bool {
	const rounding = 1e-9 // 0.29*100 is 28.999999999999996
	return othersAvailable > 0 && float64(ejected+1) <= maxShare*float64(ready)+rounding
}

// failed counts a failure that traffic met, and ejects the node at the end of a run of them.
func (n *Node) failed(run *atomic.Int32, what string) {
	p := n.pool.Load()
	if p == nil || p.cfg.Eject.Failures <= 0 || n.load().ejected() {
		return
	}
	if count := run.Add(1); int(count) < p.cfg.Eject.Failures {
		return
	}
	run.Store(0)
	n.eject(p, fmt.Sprintf("%d failures in a row, the last: %s", p.cfg.Eject.Failures, what))
}

// eject takes the node out for a while, if the pool can spare it.
func (n *Node) eject(p *Pool, reason string) {
	n.set.ejecting.Lock() // counting and ejecting are one step
	event, ok := n.ejectCounted(p, reason)
	n.set.ejecting.Unlock()
	if ok {
		n.set.emit(event)
	}
}

func (n *Node) ejectCounted(p *Pool, reason string) (Event, bool) {
	ready, ejected, others := 0, 0, 0
	for _, m := range p.roster.Load().nodes {
		st := m.load()
		if st.admin() == Ready {
			ready++
		}
		if st.ejected() {
			ejected++
		}
		if m != n && st.available() {
			others++
		}
	}

	n.mu.Lock()
	defer n.mu.Unlock()
	if !n.live || n.load().ejected() || !mayEject(ready, ejected, others, p.cfg.Eject.MaxShare) {
		return Event{}, false
	}
	n.ejectLocked(p.cfg.Eject, &reason)
	return n.event(KindEject, "no", "ejected", reason), true
}

func (n *Node) ejectLocked(cfg configs.Eject, reason *string) {
	e := &n.ejection
	now := time.Now()
	d, steps := e.next(cfg.Time, now)
	e.last, e.steps, e.until = d, steps, now.Add(d)
	e.ended = e.until
	e.count++
	which := e.count
	e.timer = time.AfterFunc(d, func() { n.ejectionOver(which) })
	*reason = fmt.Sprintf("%s; out for %v", *reason, d)
	n.storeLocked(n.load().with(ejectedBit, true), *reason)
}

// ejectionOver runs when the time of an ejection is up.
func (n *Node) ejectionOver(which uint64) {
	n.mu.Lock()
	if n.ejection.timer == nil || n.ejection.count != which { // it was cancelled just now
		n.mu.Unlock()
		return
	}
	event := n.unejectLocked("time is up")
	n.storeLocked(n.load().with(ejectedBit, false), "ejection over")
	n.mu.Unlock()
	n.set.emit(event)
}

// unejectLocked ends an ejection but for the state itself, which the caller stores. n.mu must be held.
func (n *Node) unejectLocked(reason string) Event {
	n.ejection.cancel()
	n.ejection.ended = time.Now()
	n.runs.answered()
	n.warmLocked()
	return n.event(KindEject, "ejected", "no", reason)
}
