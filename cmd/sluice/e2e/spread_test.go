//go:build e2e && linux

package e2e

import (
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// testSpread counts which node answers over many connections. All four do, evenly.
func testSpread(t *testing.T, s *stage) {
	// One connection after the other: nothing but the turn decides.
	t.Run("roundrobin", func(t *testing.T) {
		s.balance(t, settings{balance: "roundrobin"})
		tr := s.transport(t)
		tr.DisableKeepAlives = true
		const conns = 400
		got := map[*cluster.Node]int{}
		for range conns {
			n, err := s.who(t.Context(), tr)
			if err != nil {
				t.Fatal(err)
			}
			got[n]++
		}
		s.even(t, got, conns)
	})

	// All connections at once: each goes to a node that has the fewest.
	t.Run("leastconn", func(t *testing.T) {
		s.balance(t, settings{balance: "leastconn"})
		const conns = 64
		got := map[*cluster.Node]int{}
		for range conns {
			n, err := s.who(t.Context(), s.transport(t)) // its one connection stays open until the end
			if err != nil {
				t.Fatal(err)
			}
			got[n]++
		}
		s.even(t, got, conns)
	})
}

// even allows each node one connection more or less than its share.
func (s *stage) even(t *testing.T, got map[*cluster.Node]int, conns int) {
	t.Helper()
	share := conns / len(s.cluster.Nodes)
	for _, n := range s.cluster.Nodes {
		if got[n] < share-1 || got[n] > share+1 {
			t.Errorf("%s answered on %d of %d connections, want %d", n.Name, got[n], conns, share)
		}
	}
}
