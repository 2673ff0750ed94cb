package top

import (
	"fmt"
	"strings"

	tea "charm.land/bubbletea/v2"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/cmd/internal/units"
)

// A question is asked before anything is changed: it says what will happen. Its answers are y, n, and where the
// cluster said no, F.
type question struct {
	title   string
	action  string // what y does
	facts   []line
	waiting bool // for the cluster's answer
	refused bool // by the cluster: only F goes on
	node    nodeID

	others []nodeID // what the same machine is in other pools
	also   bool     // them too

	run func(q *question, force bool) tea.Cmd
}

func fact(how style, format string, args ...any) line {
	return line{{fmt.Sprintf(format, args...), how}}
}

// drainQuestion asks before a node is drained. The cluster is asked meanwhile.
func drainQuestion(a asker, st *admin.Status, n *admin.Node) (*question, tea.Cmd) {
	q := &question{
		title: "Drain " + clean(n.Name) + " of pool " + clean(n.Pool) + "?", action: "drain", waiting: true, node: idOf(n),
		others: elsewhere(st, n, func(o *admin.Node) bool { return o.Admin == "ready" }), also: true,
	}
	q.run = func(q *question, force bool) tea.Cmd { return a.setNodes(q.nodes(), "drain", force) }
	return q, a.outlook(q.node)
}

// answer takes what the cluster said.
func (q *question) answer(m outlookMsg) {
	if !q.waiting || m.node != q.node {
		return
	}
	q.waiting = false
	o := &m.outlook
	if m.err != nil {
		q.refused = true
		q.facts = append(q.facts, fact(red, "It cannot be said what this would mean: %s", clean(m.err.Error())))
		return
	}
	switch {
	case o.Answer == nil:
		q.facts = append(q.facts, fact(plain, "Its pool is not checked as MinIO: nobody was asked whether the cluster can do without it."))
	case o.Answer.Safe:
		q.facts = append(q.facts, fact(green, "Safe: %s.", clean(o.Answer.Text)))
	case o.Refusal != nil:
		q.refused = true
		q.facts = append(q.facts, fact(red, "Not safe: %s.", clean(o.Refusal.Error)))
		helps, _, _ := strings.Cut(o.Refusal.Hint, ";")
		q.facts = append(q.facts, fact(plain, "What helps: %s.", clean(helps)))
	default:
		q.facts = append(q.facts, fact(yellow, "Nobody can tell: %s.", clean(o.Answer.Text)))
	}
	for _, n := range o.Notices {
		q.facts = append(q.facts, fact(yellow, "Note: %s.", clean(n)))
	}
	switch o.Others {
	case 0:
		q.facts = append(q.facts, fact(yellow, "No other node of the pool is available: rather than refuse clients, Sluice goes on sending them here."))
	case 1:
		q.facts = append(q.facts, fact(plain, "New sessions go to the one other available node of the pool."))
	default:
		q.facts = append(q.facts, fact(plain, "New sessions go to the %d other available nodes of the pool.", o.Others))
	}
	q.facts = append(q.facts, kept(o.Sessions), fact(plain, "r (ready) undoes it at any time."))
}

// kept says what becomes of sessions.
func kept(sessions int64) line {
	switch sessions {
	case 0:
		return fact(plain, "It has no sessions now.")
	case 1:
		return fact(plain, "Its one session goes on until it ends; nothing is cut.")
	}
	return fact(plain, "Its %s sessions go on until they end; nothing is cut.", units.Count(sessions))
}

func maintQuestion(a asker, st *admin.Status, n *admin.Node) *question {
	return &question{
		title: "Put " + clean(n.Name) + " of pool " + clean(n.Pool) + " into maint?", action: "maint", node: idOf(n),
		others: elsewhere(st, n, func(o *admin.Node) bool { return o.Admin != "maint" }), also: true,
		facts: []line{
			fact(plain, "It gets no new sessions, not even if no other node is available, and is not checked."),
			fact(yellow, "The cluster is not asked whether it can do without it; d (drain) asks."),
			kept(n.Sessions), fact(plain, "r (ready) undoes it at any time."),
		},
		run: func(q *question, _ bool) tea.Cmd { return a.setNodes(q.nodes(), "maint", false) },
	}
}

func readyQuestion(a asker, st *admin.Status, n *admin.Node) *question {
	return &question{
		title: "Put " + clean(n.Name) + " of pool " + clean(n.Pool) + " back?", action: "ready", node: idOf(n),
		others: elsewhere(st, n, func(o *admin.Node) bool { return o.Admin != "ready" }), also: true,
		facts: []line{fact(plain, "It gets new sessions again, as soon as it is not down. An ejection ends.")},
		run:   func(q *question, _ bool) tea.Cmd { return a.setNodes(q.nodes(), "ready", false) },
	}
}

func endNodeQuestion(a asker, n *admin.Node) *question {
	return &question{
		title: fmt.Sprintf("End the %s of %s of pool %s?", counted(n.Sessions, "session"), clean(n.Name), clean(n.Pool)), action: "end them", node: idOf(n),
		facts: []line{
			fact(yellow, "Clients and node see a reset: whatever they are moving is cut."),
			fact(plain, "The node keeps getting new sessions unless it is drained before."),
		},
		run: func(q *question, _ bool) tea.Cmd { return a.endSessions(q.node) },
	}
}

func endSessionQuestion(a asker, s *admin.Session) *question {
	id := s.ID
	return &question{
		title: "Kill session " + idText(id) + "?", action: "kill it",
		facts: []line{
			fact(plain, "%s to %s, %s old, %s in and %s out so far.", clean(s.Client), units.OrDash(clean(s.Node)), units.Age(s.Dur), units.Size(s.BytesIn), units.Size(s.BytesOut)),
			fact(yellow, "Both sides see a reset: whatever they are moving is cut."),
		},
		run: func(_ *question, _ bool) tea.Cmd { return a.endSession(id) },
	}
}

// elsewhere lists what the machine of a node is in other pools, the Console for one, where that fits.
func elsewhere(st *admin.Status, n *admin.Node, fits func(*admin.Node) bool) (others []nodeID) {
	for _, o := range allNodes(st) {
		if o.Pool != n.Pool && n.Address != "" && hostOf(o.Address) == hostOf(n.Address) && fits(o) {
			others = append(others, idOf(o))
		}
	}
	return others
}

func hostOf(address string) string {
	if i := strings.LastIndexByte(address, ':'); i >= 0 {
		return address[:i]
	}
	return address
}

// nodes are those that are meant.
func (q *question) nodes() []nodeID {
	if q.also {
		return append([]nodeID{q.node}, q.others...)
	}
	return []nodeID{q.node}
}

// key is what a key does: the command of the answer, and whether the question is over.
func (q *question) key(key string) (cmd tea.Cmd, over bool) {
	switch key {
	case "n", "N", "esc", "q", "ctrl+c":
		return nil, true
	case "a":
		q.also = !q.also
	case "y", "Y":
		if !q.waiting && !q.refused {
			return q.run(q, false), true
		}
	case "F":
		if !q.waiting && q.refused {
			return q.run(q, true), true
		}
	}
	return nil, false
}

// lines shows the question, at most so wide.
func (q *question) lines(width int) []line {
	out := []line{{{q.title, bold}}, {}}
	for _, f := range q.facts {
		for _, part := range fold(f.String(), width-2) {
			out = append(out, line{{"  " + part, f[0].style}})
		}
	}
	if q.waiting {
		out = append(out, text("  Asking the node whether its cluster can do without it ..."))
	}
	if len(q.others) > 0 {
		box := "[ ]"
		if q.also {
			box = "[x]"
		}
		var names []string
		for _, o := range q.others {
			names = append(names, clean(o.pool))
		}
		out = append(out, line{}, line{{"  " + box + " in pool " + strings.Join(names, ", ") + " too", plain}, {"   a changes that", faint}})
	}
	keys := line{{"  y", bold}, {" " + q.action + "   ", plain}}
	switch {
	case q.waiting:
		keys = line{{"  ", plain}}
	case q.refused:
		keys = line{{"  F", red}, {" " + q.action + " all the same   ", plain}}
	}
	return append(out, line{}, append(keys, span{"n", bold}, span{" leave it", plain}))
}

// fold breaks a text into lines.
func fold(s string, width int) (lines []string) {
	at := ""
	for word := range strings.FieldsSeq(s) {
		if at != "" && len(at)+1+len(word) > width {
			lines, at = append(lines, at), ""
		}
		at = strings.TrimLeft(at+" "+word, " ")
	}
	return append(lines, at)
}
