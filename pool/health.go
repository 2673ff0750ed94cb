package pool

import (
	"context"
	"math/rand/v2"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// Verdict is what one check means.
type Verdict uint8

const (
	Pass Verdict = iota
	Busy         // 429 or 503: alive, but others first; counts as a pass
	Fail
	Late // no verdict: this machine was too slow to judge; counts as nothing
)

// String is the word used in the API and in the log.
func (v Verdict) String() string { return [...]string{"pass", "busy", "fail", "late"}[v] }

// Result is the outcome of one check.
type Result struct {
	Verdict Verdict
	Text    string // what was seen, for people
	Time    time.Time
	Took    time.Duration
}

// CheckStats is what a node's checks came to.
type CheckStats struct {
	Last                   Result // zero Time: none yet
	Pass, Busy, Fail, Late uint64
	Took                   time.Duration // by all of them together
}

func (c *CheckStats) add(r Result) {
	c.Last = r
	c.Took += r.Took
	switch r.Verdict {
	case Pass:
		c.Pass++
	case Busy:
		c.Busy++
	case Fail:
		c.Fail++
	case Late:
		c.Late++
	}
}

// tally is the rise and fall of a node: its health, and how many checks in a row spoke against it.
type tally struct {
	health  Health
	against int
}

// add counts a verdict. The first pass decides at once: the node counts as fit already, and a verdict
// ends the fast checks of its start. Down takes fall failures even then, so that one lost packet while
// Sluice starts takes no node out; at the fast interval that is soon.
func (t tally) add(v Verdict, rise, fall int) tally {
	var needed int
	switch {
	case v == Late:
		return t
	case v == Fail && t.health != Down:
		needed = fall
	case v != Fail && t.health == Down:
		needed = rise
	case v != Fail: // it speaks for what the node is, or is the first
		return tally{health: Up}
	default:
		return tally{health: Down}
	}
	if t.against++; t.against < needed {
		return t
	}
	if t.health == Down {
		return tally{health: Up}
	}
	return tally{health: Down}
}

// changing reports whether the next checks may change the health, so that they should come soon.
func (t tally) changing() bool { return t.health == Unknown || t.against > 0 }

// lateness is how much longer than its timeout a check may have taken for its failure to count. Beyond
// that it was this machine that was late, and a node must not go down for that.
func lateness(timeout time.Duration) time.Duration {
	return timeout + max(timeout/2, 250*time.Millisecond)
}

const (
	minFast  = 100 * time.Millisecond // of an interval that is derived, not configured
	minPause = 10 * time.Millisecond  // between the end of a check and the next: a slow check is no reason to hammer
)

// fastInterval is the time between checks while a state is changing.
func fastInterval(c *configs.Check) time.Duration {
	if c.Fast > 0 {
		return min(c.Fast, c.Interval)
	}
	return min(max(c.Interval/4, minFast), c.Interval)
}

// pause is the time from the end of a check that took so long to the begin of the next. Chance is
// uniform in [0,1): begins are an interval apart, give or take the jitter.
func pause(c *configs.Check, changing bool, took time.Duration, chance float64) time.Duration {
	interval := c.Interval
	if changing {
		interval = fastInterval(c)
	}
	spread := 1 + c.Jitter*(2*chance-1)
	return max(time.Duration(float64(interval)*spread)-took, minPause)
}

// stagger is the time before the first check: anywhere in one fast interval, so that the nodes of a
// large configuration are not all asked in the same instant.
func stagger(c *configs.Check, chance float64) time.Duration {
	return time.Duration(float64(fastInterval(c)) * chance)
}

// startLocked starts the node's watch. n.mu must be held. Set.Close waits for it.
func (n *Node) startLocked() {
	ctx, cancel := context.WithCancel(context.Background())
	n.stop = cancel
	n.set.wg.Go(func() { n.watch(ctx) })
}

// watch checks the node until ctx ends. A node has one watch, and one check at a time.
func (n *Node) watch(ctx context.Context) {
	pr := n.prob.Load()
	timer := time.NewTimer(stagger(pr.cfg, rand.Float64()))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-n.wake: // the configuration or the operator changed something
			if pr = n.prob.Load(); pr != nil {
				timer.Reset(stagger(pr.cfg, rand.Float64()))
			}
			continue
		case <-timer.C:
		}
		if pr = n.prob.Load(); pr == nil || n.Admin() == Maint {
			continue // the wake that ends this resets the timer
		}
		r := pr.ask(ctx)
		if ctx.Err() != nil {
			return
		}
		changing := n.judge(ctx, r, pr.cfg)
		timer.Reset(pause(pr.cfg, changing, r.Took, rand.Float64()))
	}
}

// judge counts a result and moves the node's health; it reports whether that may change soon. The
// result of a watch that has ended, or of a node in maint, is dropped.
func (n *Node) judge(ctx context.Context, r Result, c *configs.Check) (changing bool) {
	n.mu.Lock()
	old := n.load()
	if ctx.Err() != nil || old.admin() == Maint {
		n.mu.Unlock()
		return false
	}
	n.checks.add(r)
	n.tally = n.tally.add(r.Verdict, c.Rise, c.Fall)
	changing = n.tally.changing()

	next := old.withHealth(n.tally.health)
	if r.Verdict != Late {
		next = next.with(busyBit, r.Verdict == Busy && next.health() == Up)
	}
	var events []Event
	if old.health() != next.health() {
		events = append(events, n.event(KindHealth, old.health().String(), next.health().String(), r.Text))
	}
	if old.busy() != next.busy() {
		events = append(events, n.event(KindBusy, busyWord(old.busy()), busyWord(next.busy()), r.Text))
	}
	if old.health() == Down && next.health() == Up {
		if old.ejected() { // what checks saw is newer than what traffic met
			events = append(events, n.unejectLocked("up again"))
			next = next.with(ejectedBit, false)
		}
		n.warmLocked()
	}
	n.storeLocked(next, r.Text)
	n.mu.Unlock()
	n.set.emit(events...)
	return changing
}

func busyWord(busy bool) string {
	if busy {
		return "busy"
	}
	return "no"
}
