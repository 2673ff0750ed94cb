//go:build e2e && linux

package e2e

import (
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

const (
	// afterKill is how long the load goes on without the node: longer than checks take to notice, so
	// that what happens before and after that are both seen.
	afterKill = 8 * time.Second
	// passedOn is how long the end of the node's connections may take to reach the client. A request
	// that is sent in this time on a connection of the dead node is in flight on it.
	passedOn = 250 * time.Millisecond
	// usedAgain bounds the time from a node being ready to its first sessions: the checks' interval
	// times their rise, and the rest of the time for which it is ejected, 20 s the second time.
	usedAgain = time.Minute
)

// testKill kills a node with SIGKILL under load. What was in flight on it is lost, nothing else; it is
// used again once it is back. With a client that retries, as they all do, nothing is lost.
func testKill(t *testing.T, s *stage) {
	s.balance(t, settings{balance: "leastconn"})

	// The same node both times. The three others have been up all along and are a write quorum for each
	// other; one that was started a moment ago refuses writes for seconds once another dies, whatever
	// stands in front of it.
	victim := s.cluster.Nodes[1]

	t.Run("without retries", func(t *testing.T) {
		k := s.killUnderLoad(t, victim, 1)
		inFlight, failed := 0, 0
		for _, o := range k.outcomes {
			if k.exposed(o) {
				inFlight++
			}
			if o.err == nil || k.isMinIOs(o) {
				continue
			}
			failed++
			if !k.exposed(o) {
				t.Errorf("failed although not in flight on %s, begun %+.2f s from the kill: %s", k.victim.Name, k.since(o), o)
			}
		}
		t.Logf("%d of %d requests failed; %d were in flight on %s when it was killed", failed, len(k.outcomes), inFlight, k.victim.Name)
		if failed > inFlight {
			t.Errorf("%d requests failed, want at most the %d in flight on the killed node", failed, inFlight)
		}
	})

	t.Run("default retries", func(t *testing.T) {
		k := s.killUnderLoad(t, victim, 0)
		for _, o := range k.outcomes {
			if o.err != nil && !k.isMinIOs(o) {
				t.Errorf("failed in spite of retries, begun %+.2f s from the kill: %s", k.since(o), o)
			}
		}
		t.Logf("%d requests", len(k.outcomes))
	})
}

// A kill is what became of a load during which a node was killed and came back.
type kill struct {
	victim       *cluster.Node
	killed, dead time.Time // when the signal was sent, and when the process was gone
	restarted    time.Time
	outcomes     []outcome
}

// exposed says whether a request was in flight on the victim when it was killed, as far as a client
// can tell: on a connection to it or to nobody known, which failed.
func (k *kill) exposed(o outcome) bool {
	onVictim := o.node == k.victim || o.node == nil && o.err != nil
	return onVictim && o.started.Before(k.dead.Add(passedOn)) && o.ended.After(k.killed)
}

// isMinIOs says whether an error is no matter of the balancer's. Once the victim is back it may know too few
// drives to find an object.
func (k *kill) isMinIOs(o outcome) bool {
	return o.isMinIOs() || o.code == "NoSuchKey" && o.started.After(k.restarted)
}

// since is how many seconds after the kill a request began.
func (k *kill) since(o outcome) float64 { return o.started.Sub(k.killed).Seconds() }

// killUnderLoad kills a node, starts it again after a while and waits until it is used.
func (s *stage) killUnderLoad(t *testing.T, victim *cluster.Node, attempts int) *kill {
	t.Helper()
	k := &kill{victim: victim}
	l := s.startLoad(t, attempts)
	l.waitServed(t, s.cluster.Nodes, time.Time{}, usedAgain)

	k.killed = time.Now()
	victim.Kill()
	k.dead = time.Now()
	time.Sleep(afterKill)
	k.restarted = time.Now()
	if err := victim.Start(); err != nil {
		t.Fatal(err)
	}
	s.waitReady(t)
	ready := time.Now()
	t.Logf("%s was ready %.1f s after it was started", victim.Name, ready.Sub(k.restarted).Seconds())
	l.waitServed(t, []*cluster.Node{victim}, ready, usedAgain)
	t.Logf("it was used again %.1f s after that", time.Since(ready).Seconds())
	k.outcomes = l.end()
	logMinIOs(t, k.outcomes, k.isMinIOs)

	var longest time.Duration
	for _, o := range k.outcomes {
		longest = max(longest, o.ended.Sub(o.started))
		if o.err == nil && o.node == victim && o.started.After(k.dead) && o.ended.Before(k.restarted) {
			t.Errorf("%s answered while it was dead", victim.Name) // then the test does not see what it thinks
		}
	}
	t.Logf("the longest request took %.1f s", longest.Seconds())
	return k
}
