package top

import (
	"net/url"
	"strconv"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/cmd/internal/units"
)

// sessionOrders are the ways to sort sessions: Sluice does it.
var sessionOrders = []struct{ name, sort string }{
	{"oldest first", "id"}, {"most bytes", "bytes"}, {"most bytes in", "bytes_in"}, {"most bytes out", "bytes_out"}, {"longest idle", "idle"},
}

// maxSessions is how many sessions the screen asks for: more than anybody scrolls through, and an answer of
// some 100 KiB.
const maxSessions = 300

// sessionQuery is the question for the sessions with a text in them, of a node or of all, in an order.
func sessionQuery(filter string, of *nodeID, order int) url.Values {
	q := url.Values{"sort": {sessionOrders[order].sort}, "limit": {strconv.Itoa(maxSessions)}}
	if filter != "" {
		q.Set("search", filter)
	}
	if of != nil {
		q.Set("pool", of.pool)
		q.Set("node", of.name)
	}
	return q
}

// sessionTable is the table of sessions.
func sessionTable(list []admin.Session) *table {
	t := &table{columns: []column{
		{title: "ID", right: true, least: 6}, {title: "CLIENT", least: 15}, {title: "NODE", least: 9}, {title: "POOL", give: 5},
		{title: "LISTENER", give: 6}, {title: "PHASE", least: 6, give: 4}, {title: "AGE", right: true, least: 6}, {title: "IDLE", right: true, least: 6, give: 2},
		{title: "IN", right: true, least: 8}, {title: "OUT", right: true, least: 8}, {title: "PATH", give: 7}, {title: "SERVER NAME", give: 3},
	}}
	for i := range list {
		s := &list[i]
		t.rows = append(t.rows, []span{
			{idText(s.ID), faint}, {clean(s.Client), plain}, {units.OrDash(clean(s.Node)), plain}, {clean(s.Pool), plain},
			{clean(s.Listener), plain}, {s.Phase, plain}, {units.Age(s.Dur), plain}, {units.Age(s.Idle), plain},
			{units.Size(s.BytesIn), plain}, {units.Size(s.BytesOut), plain}, {units.OrDash(s.Path), plain}, {units.OrDash(clean(s.ServerName)), cyan},
		})
	}
	return t
}
