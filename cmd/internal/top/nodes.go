package top

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/cmd/internal/units"
)

// nodeOrders are the ways to sort nodes. The first is that of the configuration.
var nodeOrders = []struct {
	name    string
	compare func(r *rates, a, b *admin.Node) int // nil: as they are
}{
	{"as configured", nil},
	{"state", func(_ *rates, a, b *admin.Node) int { return cmp.Compare(trouble(b), trouble(a)) }},
	{"sessions", func(_ *rates, a, b *admin.Node) int { return cmp.Compare(b.Sessions, a.Sessions) }},
	{"bytes a second", func(r *rates, a, b *admin.Node) int {
		x, y := r.of(idOf(a)), r.of(idOf(b))
		return cmp.Compare(y.in+y.out, x.in+x.out)
	}},
	{"dial", func(_ *rates, a, b *admin.Node) int { return cmp.Compare(b.Dial.P50, a.Dial.P50) }},
}

// trouble is how much a node's state asks for attention.
func trouble(n *admin.Node) int {
	switch {
	case n.Admin == "ready" && !n.Available:
		return 3
	case n.Busy:
		return 2
	case n.Admin != "ready":
		return 1
	}
	return 0
}

// shownNodes are those that have a text in them, in an order.
func shownNodes(st *admin.Status, r *rates, filter string, order int) []*admin.Node {
	filter = strings.ToLower(filter)
	nodes := slices.DeleteFunc(allNodes(st), func(n *admin.Node) bool {
		return !strings.Contains(strings.ToLower(strings.Join([]string{n.Pool, n.Name, n.State(), n.Reason}, " ")), filter)
	})
	if by := nodeOrders[order].compare; by != nil {
		slices.SortStableFunc(nodes, func(a, b *admin.Node) int { return by(r, a, b) })
	}
	return nodes
}

// nodeTable is the table of nodes.
func nodeTable(nodes []*admin.Node, r *rates, now time.Time) *table {
	t := &table{columns: []column{
		{title: "POOL"}, {title: "NODE"}, {title: "STATE", least: 8}, {title: "SESS", right: true, least: 6},
		{title: "NEW", right: true, least: 7, give: 5}, {title: "IN", right: true, least: 10}, {title: "OUT", right: true, least: 10},
		{title: "DIAL", right: true, least: 7, give: 3}, {title: "P99", right: true, least: 7, give: 6},
		{title: "CHECK", right: true, least: 7, give: 4}, {title: "CHECKED", right: true, least: 7, give: 7},
		{title: "FOR", right: true, least: 6, give: 8}, {title: "WHY", give: 9},
	}}
	for _, n := range nodes {
		rate := r.of(idOf(n))
		dial, slow, check, checked := "-", "-", "-", "-"
		if n.Dial.Count > 0 {
			dial, slow = units.Latency(n.Dial.P50), units.Latency(n.Dial.P99)
		}
		if n.Check != nil {
			check, checked = units.Latency(n.Check.Took), units.Age(now.Sub(n.Check.Time).Seconds())
		}
		t.rows = append(t.rows, []span{
			{clean(n.Pool), plain}, {clean(n.Name), bold}, {n.State(), stateStyle(n)}, {units.Count(n.Sessions), plain},
			{howOften(rate.begun), plain}, {perSecond(rate.in), plain}, {perSecond(rate.out), plain},
			{dial, plain}, {slow, plain}, {check, plain}, {checked, faint},
			{units.Age(now.Sub(n.Since).Seconds()), faint}, {clean(n.Reason), faint},
		})
	}
	return t
}
