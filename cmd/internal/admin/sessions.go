package admin

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/sluicelb/sluice/l4"
)

// Of the sessions that fit, this many are shown.
const (
	defaultSessions = 100
	maxSessions     = 10_000
)

// A question is what GET /api/v1/sessions is asked.
type question struct {
	listener, route, pool, node, phase string
	search                             string // anywhere in client, server name, node; lower case
	client                             netip.Prefix
	after                              uint64
	minAge, minIdle                    time.Duration
	limit                              int
	order                              func(a, b *l4.View) int
}

// orders are the ways to sort. Only by id is there a next page.
var orders = map[string]func(a, b *l4.View) int{
	"id":        func(a, b *l4.View) int { return cmp.Compare(a.ID, b.ID) },
	"dur":       func(a, b *l4.View) int { return cmp.Compare(b.Duration, a.Duration) },
	"idle":      func(a, b *l4.View) int { return cmp.Compare(b.Idle, a.Idle) },
	"bytes_in":  func(a, b *l4.View) int { return cmp.Compare(b.BytesIn, a.BytesIn) },
	"bytes_out": func(a, b *l4.View) int { return cmp.Compare(b.BytesOut, a.BytesOut) },
	"bytes":     func(a, b *l4.View) int { return cmp.Compare(b.BytesIn+b.BytesOut, a.BytesIn+a.BytesOut) },
}

// questionFrom reads the query.
func questionFrom(v url.Values) (q question, err error) {
	q = question{
		listener: v.Get("listener"), pool: v.Get("pool"), node: v.Get("node"), route: v.Get("route"),
		phase: v.Get("phase"), search: strings.ToLower(v.Get("search")),
		limit: defaultSessions, order: orders["id"],
	}
	known := []string{"listener", "pool", "node", "route", "phase", "search", "client", "after", "min_age", "min_idle", "limit", "sort"}
	for key := range v {
		if !slices.Contains(known, key) {
			return q, fmt.Errorf("%.50q is no filter; there are %s", key, strings.Join(known, ", "))
		}
	}
	if text := v.Get("client"); text != "" {
		if q.client, err = prefixOf(text); err != nil {
			return q, err
		}
	}
	if text := v.Get("after"); text != "" {
		if q.after, err = strconv.ParseUint(text, 10, 64); err != nil {
			return q, fmt.Errorf("after %.50q is no session id", text)
		}
	}
	if text := v.Get("limit"); text != "" {
		if q.limit, err = strconv.Atoi(text); err != nil || q.limit < 1 || q.limit > maxSessions {
			return q, fmt.Errorf("limit %.50q is no number from 1 to %d", text, maxSessions)
		}
	}
	for key, at := range map[string]*time.Duration{"min_age": &q.minAge, "min_idle": &q.minIdle} {
		if text := v.Get(key); text != "" {
			if *at, err = time.ParseDuration(text); err != nil {
				return q, fmt.Errorf(`%s %.50q is no duration; write it like "90s"`, key, text)
			}
		}
	}
	if text := v.Get("sort"); text != "" {
		if q.order = orders[text]; q.order == nil {
			return q, fmt.Errorf("sort %.50q is not known; there are id, dur, idle, bytes, bytes_in, bytes_out", text)
		}
		if q.after > 0 && text != "id" {
			return q, errors.New("after goes with sort=id only")
		}
	}
	return q, nil
}

func prefixOf(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return netip.PrefixFrom(a, a.BitLen()), nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return p, fmt.Errorf("client %.50q is no address and no network", text)
	}
	return p, nil
}

// fits reports whether a session is asked for.
func (q *question) fits(v *l4.View) bool {
	for _, want := range [...]struct{ want, got string }{
		{q.listener, v.Listener}, {q.pool, v.Pool}, {q.node, v.Node}, {q.route, v.Route}, {q.phase, v.Phase.String()},
	} {
		if want.want != "" && want.want != want.got {
			return false
		}
	}
	switch {
	case q.client.IsValid() && !q.client.Contains(v.Client.Addr()):
		return false
	case v.Duration < q.minAge || v.Idle < q.minIdle:
		return false
	case q.search == "":
		return true
	}
	return strings.Contains(strings.ToLower(v.ServerName), q.search) ||
		strings.Contains(v.Client.String(), q.search) || strings.Contains(strings.ToLower(v.Node), q.search) ||
		strconv.FormatUint(v.ID, 10) == q.search
}

// listSessions shows the sessions that fit the query.
func (s *Server) listSessions(w http.ResponseWriter, r *http.Request) {
	q, err := questionFrom(r.URL.Query())
	if err != nil {
		fail(w, http.StatusBadRequest, Error{Error: err.Error()})
		return
	}
	answer, err := q.ask(r.Context(), s.proc.L4)
	if err != nil {
		return // nobody waits for it any more
	}
	reply(w, http.StatusOK, answer)
}

// ask looks at every session and keeps the first that fit, in the order of the question: never more than
// twice as many as it may show.
func (q *question) ask(ctx context.Context, data *l4.Server) (Sessions, error) {
	out := Sessions{Sessions: []Session{}}
	var kept []l4.View
	err := data.Views(ctx, func(v l4.View) bool {
		out.Total++
		if !q.fits(&v) {
			return true
		}
		out.Matched++
		if v.ID > q.after {
			kept = append(kept, v)
		}
		if len(kept) >= 2*q.limit+1 {
			kept = q.first(kept)
		}
		return true
	})
	if kept = q.first(kept); len(kept) > q.limit {
		kept = kept[:q.limit]
		out.Next = kept[q.limit-1].ID
	}
	for i := range kept {
		out.Sessions = append(out.Sessions, sessionOf(&kept[i]))
	}
	return out, err
}

// first sorts, and drops what is beyond one more than may be shown.
func (q *question) first(views []l4.View) []l4.View {
	slices.SortFunc(views, func(a, b l4.View) int { return cmp.Or(q.order(&a, &b), cmp.Compare(a.ID, b.ID)) })
	return views[:min(len(views), q.limit+1)]
}

func sessionOf(v *l4.View) Session {
	return Session{
		ID: v.ID, Time: v.Accepted, Listener: v.Listener, Route: v.Route, Pool: v.Pool, Node: v.Node,
		Client: v.Client.String(), ServerName: v.ServerName, ALPN: append([]string{}, v.ALPN...),
		Phase: v.Phase.String(), BytesIn: v.BytesIn, BytesOut: v.BytesOut,
		THeader: seconds(v.Header), THello: seconds(v.Hello), TDial: seconds(v.Dial), TFirstByte: seconds(v.FirstByte),
		Dur: seconds(v.Duration), Idle: seconds(v.Idle), Retries: v.Retries, Path: v.Path,
	}
}

// killSession ends one session.
func (s *Server) killSession(w http.ResponseWriter, r *http.Request) {
	id, err := strconv.ParseUint(r.PathValue("id"), 10, 64)
	if err != nil {
		fail(w, http.StatusBadRequest, Error{Error: fmt.Sprintf("session %.50q is no number", r.PathValue("id")), Hint: "GET /api/v1/sessions lists them"})
		return
	}
	if !s.proc.L4.Kill(id) {
		fail(w, http.StatusNotFound, Error{Error: fmt.Sprintf("no session %d", id), Hint: "it has ended, or never was"})
		return
	}
	s.proc.Events.Publish(Event{Kind: KindKill, Reason: fmt.Sprintf("session %d, by the operator", id)})
	reply(w, http.StatusOK, Killed{Killed: 1})
}

// killSessions ends all sessions of a node.
func (s *Server) killSessions(w http.ResponseWriter, r *http.Request) {
	v := r.URL.Query()
	if v.Get("pool") == "" || v.Get("node") == "" || len(v) != 2 {
		fail(w, http.StatusBadRequest, Error{Error: "whose sessions?", Hint: "name one pool and one node: ?pool=s3&node=10.0.0.1:9000"})
		return
	}
	n, e := s.findNode(v.Get("pool"), v.Get("node"), true)
	if e != nil {
		fail(w, http.StatusNotFound, *e)
		return
	}
	killed := s.proc.L4.KillNode(n)
	if killed > 0 {
		s.proc.Events.Publish(Event{Kind: KindKill, Pool: n.Pool(), Node: n.Name(), Reason: fmt.Sprintf("%d sessions, by the operator", killed)})
	}
	reply(w, http.StatusOK, Killed{Killed: min(killed, math.MaxInt32)})
}
