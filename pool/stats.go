package pool

import (
	"context"
	"errors"
	"math"
	"net"
	"os"
	"sync/atomic"
	"syscall"
	"time"
)

// DialResult is how one attempt to reach a node ended.
type DialResult uint8

const (
	DialOK          DialResult = iota
	DialRefused                // the node's machine said no: counts towards ejection
	DialTimeout                // nobody answered: counts
	DialUnreachable            // the network said no: counts
	DialError                  // anything else that the node may be blamed for, such as its TLS: counts
	DialLocal                  // this machine could not even try (descriptors, ports, rights): does not count
	DialCanceled               // the session gave up first: does not count
	dialResults
)

// DialResults is the number of different results; they count from 0.
const DialResults = int(dialResults)

// String is the value of the metric's label.
func (r DialResult) String() string {
	return [...]string{"ok", "refused", "timeout", "unreachable", "error", "local", "canceled"}[r]
}

// blames reports whether the result speaks against the node.
func (r DialResult) blames() bool { return r != DialOK && r < DialLocal }

// ClassifyDial says how an attempt that ended with err is counted. It understands the errors of
// package net and bare errno values alike.
func ClassifyDial(err error) DialResult {
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil:
		return DialOK
	case is(context.Canceled, net.ErrClosed):
		return DialCanceled
	case is(syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL,
		syscall.EADDRINUSE, syscall.EACCES, syscall.EPERM):
		return DialLocal
	case is(syscall.ECONNREFUSED):
		return DialRefused
	case is(syscall.EHOSTUNREACH, syscall.ENETUNREACH):
		return DialUnreachable
	case is(context.DeadlineExceeded, os.ErrDeadlineExceeded, syscall.ETIMEDOUT):
		return DialTimeout
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return DialTimeout
	}
	return DialError
}

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

// Dialed reports how a dial ended: nil, or why not, after how long. Refused and timed-out dials count
// towards ejection; a success ends a run of them. Call it once for each attempt, before
// [Node.Release] where the attempt failed.
func (n *Node) Dialed(err error, took time.Duration) {
	r := ClassifyDial(err)
	n.dials[r].Add(1)
	switch {
	case r == DialOK:
		n.dialTimes.add(took)
		n.runs.dialed()
	case r.blames():
		n.failed(&n.runs.dials, "dial "+r.String())
	}
}

// Silent reports that the node took a connection and a hello and sent nothing within
// timeouts.first_byte. It counts towards ejection as a failed dial does.
func (n *Node) Silent() {
	n.silences.Add(1)
	n.failed(&n.runs.silences, "no first byte")
}

// Answered reports a first byte in time; it ends every run of failures.
func (n *Node) Answered() { n.runs.answered() }

// Histogram is a distribution of durations.
type Histogram struct {
	Bounds []float64 // upper bounds in seconds, shared: not to be changed
	Counts []uint64  // per bucket, not cumulated; one more than Bounds
	Sum    float64   // seconds
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

// decay is a node's recent bytes, for the leastbytes balance: a total that loses half of itself every
// [halfLife]. It is brought forward by whoever picks, at most once every [sampleEvery]; nothing runs.
type decay struct {
	at    atomic.Int64  // uptime of the last sample, in ns
	seen  atomic.Uint64 // the node's burden at that time
	value atomic.Uint64 // the decayed total at that time, as float bits
}

const (
	halfLife    = 10 * time.Second
	sampleEvery = 100 * time.Millisecond

	// pickBurden is what a session is charged in advance. Bytes are counted after they moved, so without
	// it a burst of new sessions would all meet the same least node.
	pickBurden = 64 << 10
)

// burden grows with everything that the leastbytes balance counts.
func (n *Node) burden() uint64 {
	return n.bytesIn.Load() + n.bytesOut.Load() + n.picks.Load()*pickBurden
}

// recent is the decayed burden at now. Concurrent picks may see a sample half done: they choose by
// figures that are at most sampleEvery apart.
func (n *Node) recent(now time.Duration) uint64 {
	d := &n.decay
	at, burden := d.at.Load(), n.burden()
	value := math.Float64frombits(d.value.Load())
	since := now - time.Duration(at)
	if since >= sampleEvery && d.at.CompareAndSwap(at, int64(now)) {
		value = decayed(value, float64(burden-min(d.seen.Swap(burden), burden)), float64(since)/float64(halfLife))
		d.value.Store(math.Float64bits(value))
		return uint64(value)
	}
	return uint64(value) + burden - min(d.seen.Load(), burden)
}

// decayed is a total after so many half-lives, with fresh burden that came evenly over that time.
func decayed(total, fresh, halfLives float64) float64 {
	left := math.Exp2(-halfLives)
	return total*left + fresh*(1-left)/(halfLives*math.Ln2)
}
