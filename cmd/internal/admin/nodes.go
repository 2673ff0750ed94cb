package admin

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/sluicelb/sluice/pool"
)

// findNode finds a node by what a person calls it: its name, its address, or a part of either that is whole
// words and fits no other node of the pool.
func (s *Server) findNode(poolName, text string, retired bool) (*pool.Node, *Error) {
	var have []string
	var nodes []*pool.Node
	found := false
	for _, p := range s.proc.Pools.Pools() {
		have = append(have, p.Name())
		if p.Name() == poolName {
			nodes, found = p.Nodes(), true
		}
	}
	if !found {
		return nil, &Error{Error: fmt.Sprintf("no pool %.100q", poolName), Have: have}
	}
	if retired {
		for _, n := range s.proc.Pools.Retired() {
			if n.Pool() == poolName {
				nodes = append(nodes, n)
			}
		}
	}
	for _, fits := range []func(*pool.Node) bool{
		func(n *pool.Node) bool { return n.Name() == text },
		func(n *pool.Node) bool { return n.Addr().IsValid() && n.Addr().String() == text },
		func(n *pool.Node) bool { return n.Host() == text },
		func(n *pool.Node) bool { return hasPart(n.Name(), text) || hasPart(n.Addr().String(), text) },
	} {
		var fit []*pool.Node
		for _, n := range nodes {
			if fits(n) {
				fit = append(fit, n)
			}
		}
		switch {
		case len(fit) == 1:
			return fit[0], nil
		case len(fit) > 1:
			return nil, &Error{Error: fmt.Sprintf("pool %q has %d nodes that %.100q may mean", poolName, len(fit), text), Have: names(fit)}
		}
	}
	return nil, &Error{Error: fmt.Sprintf("no node %.100q in pool %q", text, poolName), Have: names(nodes)}
}

// hasPart reports whether text is made of whole words of name: 10.0.0.1 is no part of 10.0.0.10:9000.
func hasPart(name, text string) bool {
	if text == "" {
		return false
	}
	edge := func(i int) bool { return i < 0 || i >= len(name) || strings.IndexByte(".:@[]", name[i]) >= 0 }
	for from := 0; ; {
		i := strings.Index(name[from:], text)
		if i < 0 {
			return false
		}
		i += from
		if edge(i-1) && edge(i+len(text)) {
			return true
		}
		from = i + 1
	}
}

func (s *Server) readyNode(w http.ResponseWriter, r *http.Request) { s.setNode(w, r, pool.Ready) }
func (s *Server) maintNode(w http.ResponseWriter, r *http.Request) { s.setNode(w, r, pool.Maint) }
func (s *Server) drainNode(w http.ResponseWriter, r *http.Request) { s.setNode(w, r, pool.Drain) }

// setNode takes the operator's word on a node.
func (s *Server) setNode(w http.ResponseWriter, r *http.Request, want pool.Admin) {
	n, e := s.findNode(r.PathValue("pool"), r.PathValue("node"), false)
	if e != nil {
		fail(w, http.StatusNotFound, *e)
		return
	}
	force := false
	switch text := r.URL.Query().Get("force"); text {
	case "", "0", "false":
	case "1", "true":
		force = true
	default:
		fail(w, http.StatusBadRequest, Error{Error: fmt.Sprintf("force %.50q is neither true nor false", text)})
		return
	}
	change := NodeChange{Pool: n.Pool(), Node: n.Name(), Was: n.Admin().String(), Notices: []string{}}
	if want == pool.Drain && n.Admin() == pool.Ready {
		change.Answer = s.mayLeave(r.Context(), n)
		if status, e := refusal(n, change.Answer); e != nil && !force {
			fail(w, status, *e)
			return
		}
		change.Notices = s.notices(n, change.Answer)
	}
	n.SetAdmin(want)
	change.Admin, change.Sessions = want.String(), n.Sessions()
	reply(w, http.StatusOK, change)
}

// outlook says what draining a node would meet. It asks the node, and changes nothing.
func (s *Server) outlook(w http.ResponseWriter, r *http.Request) {
	n, e := s.findNode(r.PathValue("pool"), r.PathValue("node"), false)
	if e != nil {
		fail(w, http.StatusNotFound, *e)
		return
	}
	out := DrainOutlook{Pool: n.Pool(), Node: n.Name(), Notices: []string{}}
	if out.Answer = s.mayLeave(r.Context(), n); out.Answer != nil {
		out.Notices = s.goneBefore(n)
	}
	if _, out.Refusal = refusal(n, out.Answer); out.Refusal != nil {
		out.Refusal.Answer = nil // it is beside it
	}
	out.Admin, out.Sessions = n.Admin().String(), n.Sessions()
	for _, p := range s.proc.Pools.Pools() {
		if p.Name() == n.Pool() {
			out.Others = p.Available()
		}
	}
	if n.Available() {
		out.Others--
	}
	reply(w, http.StatusOK, out)
}

// mayLeave asks a MinIO node whether its cluster can do without it; nil for nodes that cannot be asked.
func (s *Server) mayLeave(ctx context.Context, n *pool.Node) *Answer {
	ctx, stop := context.WithTimeout(ctx, questionWait)
	defer stop()
	m, err := n.AskMaintenance(ctx)
	switch {
	case errors.Is(err, pool.ErrNotMinIO):
		return nil
	case err != nil:
		return &Answer{Text: err.Error()}
	}
	a := &Answer{Status: m.Status, Safe: m.Status == http.StatusOK}
	quorum := ""
	if m.Quorum != "" {
		quorum = fmt.Sprintf(" (write quorum %s)", m.Quorum)
	}
	switch m.Status {
	case http.StatusOK:
		a.Text = "the cluster keeps write quorum without it" + quorum
	case http.StatusPreconditionFailed:
		a.Text = "without it the cluster loses write quorum" + quorum
	case http.StatusServiceUnavailable:
		a.Text = "the node is not part of the cluster yet, or the cluster has no write quorum as it is" + quorum
	default:
		a.Text = fmt.Sprintf("status %d, which is no answer of MinIO", m.Status)
	}
	return a
}

// refusal says why a node should not be drained, if it should not:
//
//	answer of the node          health     drain
//	200                         any        yes
//	412                         any        refused, 412
//	503                         any        refused, 409: it cannot be said what its absence means
//	none                        down       yes, with a notice: nothing is taken away that is there
//	none                        otherwise  refused, 409
//	another status, not MinIO   any        yes, with a notice
func refusal(n *pool.Node, a *Answer) (status int, e *Error) {
	switch {
	case a == nil || a.Safe:
		return 0, nil
	case a.Status == http.StatusPreconditionFailed:
		return http.StatusPreconditionFailed, &Error{
			Error: fmt.Sprintf("node %s says: %s", n.Name(), a.Text), Answer: a,
			Hint: "bring the nodes back that are missing, then ask again; force drains it all the same",
		}
	case a.Status == http.StatusServiceUnavailable:
		return http.StatusConflict, &Error{
			Error: fmt.Sprintf("node %s says: %s", n.Name(), a.Text), Answer: a,
			Hint: "wait until it is, and ask again; force drains it all the same",
		}
	case a.Status == 0 && n.Health() != pool.Down:
		return http.StatusConflict, &Error{
			Error: fmt.Sprintf("node %s cannot say whether its cluster can do without it: %s", n.Name(), a.Text), Answer: a,
			Hint: "ask again when it answers; force drains it without knowing",
		}
	}
	return 0, nil
}

// notices is what an operator should know about a node that is about to be drained.
func (s *Server) notices(n *pool.Node, a *Answer) []string {
	out := []string{}
	switch {
	case a == nil:
	case a.Status == 0 && n.Health() == pool.Down:
		out = append(out, "the node is down and was not asked: "+a.Text)
	case !a.Safe:
		out = append(out, a.Text)
	}
	if a != nil {
		out = append(out, s.goneBefore(n)...)
	}
	return out
}

// goneBefore notes the other nodes of a node's pool that were told to leave.
func (s *Server) goneBefore(n *pool.Node) []string {
	i := slices.IndexFunc(s.proc.Pools.Pools(), func(p *pool.Pool) bool { return p.Name() == n.Pool() })
	if i < 0 {
		return []string{}
	}
	var away []string
	for _, other := range s.proc.Pools.Pools()[i].Nodes() {
		if other != n && other.Admin() != pool.Ready {
			away = append(away, other.Name())
		}
	}
	if len(away) == 0 {
		return []string{}
	}
	verb := "was"
	if len(away) > 1 {
		verb = "were"
	}
	return []string{fmt.Sprintf("%s %s told to leave before; MinIO counts a node for as long as it runs, so stop one at a time", strings.Join(away, ", "), verb)}
}
