//go:build e2e && linux

package e2e

import (
	"fmt"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// reloadBound is how long a reload may take to show in new sessions.
const reloadBound = 15 * time.Second

// testReload reloads the configuration while uploads and downloads run on every node and a load of
// short requests goes on beside them: to the same, to one without a node, to a bad one, to all nodes
// again. New sessions follow, running ones notice nothing.
func testReload(t *testing.T, s *stage) {
	all := settings{balance: "roundrobin"}
	b := s.balance(t, all)
	client := s.s3Client(t, s.transport(t), 0)
	name := s.bucket(t, "reload")
	body := randomBytes(transferSize)
	s.upload(t, client, name, "there", body).wait(t)

	var transfers []*transfer
	for i := range s.cluster.Nodes { // by turns, and nothing else takes one yet: each node has two of them
		transfers = append(transfers,
			s.upload(t, client, name, fmt.Sprint("up-", i), body),
			s.download(t, client, name, "there", body))
	}
	for _, x := range transfers {
		x.reach(t, x.begun)
	}
	l := s.startLoad(t, 1)

	reload := func(to settings) {
		t.Helper()
		if err := b.Reload(to); err != nil {
			t.Fatal(err)
		}
	}
	reload(all)
	gone := s.cluster.Nodes[3]
	reload(settings{balance: "roundrobin", without: gone})
	s.untilRow(t, "the node that was taken out has no new sessions", func(n *cluster.Node) bool { return n != gone })

	reload(settings{balance: "roundrobin", broken: true})
	s.untilRow(t, "new sessions are as before the bad file", func(n *cluster.Node) bool { return n != gone })

	reload(all)
	s.until(t, reloadBound, "the node that was put back has new sessions", func(n *cluster.Node) bool { return n == gone })

	onGone := 0
	for _, x := range transfers {
		x.running(t)
	}
	for _, x := range transfers {
		x.wait(t)
		if x.node == gone {
			onGone++
		}
	}
	if onGone == 0 {
		t.Errorf("none of the transfers was on the node that was taken out: nothing was shown")
	}
	outcomes := l.end()
	for _, o := range outcomes {
		if o.err != nil && !o.isMinIOs() {
			t.Errorf("failed: %s", o)
		}
	}
	logMinIOs(t, outcomes, outcome.isMinIOs)
	t.Logf("%d transfers, %d of them on the node taken out, and %d short requests", len(transfers), onGone, len(outcomes))
}

// untilRow waits until which holds for a good row of connections, longer than chance would have it.
func (s *stage) untilRow(t *testing.T, what string, which func(*cluster.Node) bool) {
	t.Helper()
	const row = 40
	in := 0
	s.until(t, reloadBound, what, func(n *cluster.Node) bool {
		in++
		if !which(n) {
			in = 0
		}
		return in == row
	})
}
