package top

import "github.com/sluicelb/sluice/cmd/internal/admin"

// nodeID is which node is meant, however the status changes.
type nodeID struct{ pool, name string }

func idOf(n *admin.Node) nodeID { return nodeID{n.Pool, n.Name} }

// String is what a person calls it.
func (id nodeID) String() string { return id.pool + " " + id.name }

// A rate is what a node, or all of Sluice, does in a second. Negative is not known.
type rate struct{ begun, in, out float64 }

var unknownRate = rate{-1, -1, -1}

// count is what a rate is the difference of.
type count struct{ begun, in, out uint64 }

// since is the rate between two counts. One that went back has begun anew, so nothing is known.
func (c count) since(before count, seconds float64) rate {
	one := func(then, now uint64) float64 {
		if now < then {
			return -1
		}
		return float64(now-then) / seconds
	}
	return rate{one(before.begun, c.begun), one(before.in, c.in), one(before.out, c.out)}
}

// rates are those of all of Sluice and of its nodes.
type rates struct {
	total rate
	nodes map[nodeID]rate
}

// of is the rate of a node.
func (r *rates) of(id nodeID) rate {
	if known, ok := r.nodes[id]; ok {
		return known
	}
	return unknownRate
}

// ratesBetween is the rates between two statuses, of which after is the later; before may be nil.
func ratesBetween(before, after *admin.Status) rates {
	r := rates{unknownRate, map[nodeID]rate{}}
	if before == nil || !before.Started.Equal(after.Started) {
		return r
	}
	seconds := after.Time.Sub(before.Time).Seconds()
	r.total = totalOf(after).since(totalOf(before), seconds)
	old := map[nodeID]count{}
	for _, n := range allNodes(before) {
		old[idOf(n)] = countOf(n)
	}
	for _, n := range allNodes(after) {
		if then, ok := old[idOf(n)]; ok {
			r.nodes[idOf(n)] = countOf(n).since(then, seconds)
		}
	}
	return r
}

func totalOf(st *admin.Status) count {
	return count{st.Sessions.Ended + uint64(max(0, st.Sessions.Open)), st.Bytes.In, st.Bytes.Out}
}

func countOf(n *admin.Node) count { return count{n.Picks, n.Bytes.In, n.Bytes.Out} }

// allNodes lists the nodes of all pools, then those that were taken out and have sessions left.
func allNodes(st *admin.Status) (all []*admin.Node) {
	for i := range st.Pools {
		for j := range st.Pools[i].Nodes {
			all = append(all, &st.Pools[i].Nodes[j])
		}
	}
	for i := range st.Retired {
		all = append(all, &st.Retired[i])
	}
	return all
}
