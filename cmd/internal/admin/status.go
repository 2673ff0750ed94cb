package admin

import (
	"cmp"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
	"github.com/sluicelb/sluice/pool"
)

// status renders all that is counted.
func (s *Server) status(w http.ResponseWriter, _ *http.Request) {
	reply(w, http.StatusOK, s.snapshot())
}

// snapshot is the status now. Its counters are read one after the other, while traffic goes on.
func (s *Server) snapshot() Status {
	now := time.Now()
	data := s.proc.L4
	paths, pipes, records := data.Paths(), data.Pipes(), s.proc.Records()
	cfg := s.proc.Config()
	reasons := s.notReady()
	host, _ := os.Hostname() // "" says it all
	st := Status{
		Time: now, Started: s.began, Uptime: seconds(now.Sub(s.began)), Host: host, PID: os.Getpid(), Build: s.proc.Build,
		Config:       ConfigFile{Path: cfg.Path, LastReload: s.proc.LastReload()},
		Ready:        len(reasons) == 0,
		NotReady:     reasons,
		Draining:     s.proc.Draining(),
		Sessions:     SessionCounts{Open: data.Sessions(), Pending: data.Pending(), Capacity: data.Capacity()},
		Relayed:      Relayed(paths),
		Pipes:        Pipes(pipes),
		Records:      Records(records),
		Listeners:    listenersOf(cfg, data),
		Pools:        []Pool{},
		Retired:      []Node{},
		Certificates: []Certificate{},
	}
	for i := range st.Listeners {
		ln := &st.Listeners[i]
		st.Sessions.Ended += ln.Ended
		st.Bytes.In += ln.Bytes.In
		st.Bytes.Out += ln.Bytes.Out
	}
	for _, p := range s.proc.Pools.Pools() {
		st.Pools = append(st.Pools, poolOf(p))
	}
	for _, n := range sortedNodes(s.proc.Pools.Retired()) {
		st.Retired = append(st.Retired, nodeOf(n, nil))
	}
	for _, c := range s.proc.Certificates() {
		st.Certificates = append(st.Certificates, certificateOf(&c))
	}
	return st
}

// listenersOf lists the listeners: those of the configuration in its order, then those before it.
func listenersOf(cfg *configs.Config, data *l4.Server) []Listener {
	bound := map[string][]string{}
	for _, b := range data.Addresses() {
		bound[b.Listener] = append(bound[b.Listener], b.Address.String())
	}
	position := map[string]int{}
	for i, ln := range cfg.Listeners {
		position[ln.Name] = i + 1 - len(cfg.Listeners)
	}
	counted := data.Listeners()
	slices.SortStableFunc(counted, func(a, b *l4.Listener) int {
		return cmp.Compare(place(position, a.Name()), place(position, b.Name()))
	})
	all := []Listener{}
	for _, ln := range counted {
		one := listenerOf(ln, append([]string{}, bound[ln.Name()]...))
		if i, ok := position[ln.Name()]; ok {
			c := cfg.Listeners[i-1+len(cfg.Listeners)]
			one.TLS, one.Limit = string(c.TLS), c.Sessions
		}
		all = append(all, one)
	}
	return all
}

// place puts what is not in the list behind all that is.
func place(position map[string]int, name string) int {
	if at, ok := position[name]; ok {
		return at
	}
	return 1
}

func listenerOf(ln *l4.Listener, addresses []string) Listener {
	out := Listener{
		Name: ln.Name(), Addresses: addresses, Sessions: ln.Sessions(),
		Rejected: map[string]uint64{}, Routes: []Route{},
	}
	for _, why := range l4.Reasons() {
		if n := ln.Refused(why); n > 0 {
			out.Rejected[why.String()] = n
		}
	}
	routes := ln.Routes()
	slices.SortFunc(routes, func(a, b *l4.RouteStats) int {
		return cmp.Or(cmp.Compare(a.Label, b.Label), cmp.Compare(a.Pool, b.Pool))
	})
	for _, r := range routes {
		one := Route{Label: r.Label, Pool: r.Pool, Ended: []Ended{}}
		one.Bytes.In, one.Bytes.Out = r.Bytes()
		for end, n := range r.AllEnded() {
			one.Ended = append(one.Ended, Ended{Cause: end.Cause.String(), Phase: end.Phase.String(), Count: n})
			out.Ended += n
		}
		out.Bytes.In += one.Bytes.In
		out.Bytes.Out += one.Bytes.Out
		out.Routes = append(out.Routes, one)
	}
	return out
}

func poolOf(p *pool.Pool) Pool {
	c := p.Config()
	out := Pool{
		Name: p.Name(), Balance: string(c.Balance), OnDown: string(c.OnDown), Check: string(c.Check.Type),
		Available: p.Available(), Nodes: []Node{},
	}
	for _, n := range p.Nodes() {
		one := nodeOf(n, p)
		out.Sessions += one.Sessions
		out.Nodes = append(out.Nodes, one)
	}
	return out
}

// nodeOf renders a node as a pool has it; p is nil for one that none has any more.
func nodeOf(n *pool.Node, p *pool.Pool) Node {
	st := n.Stats()
	out := Node{
		Pool: n.Pool(), Name: n.Name(), Weight: 100,
		Health: st.Health.String(), Busy: st.Busy, Admin: st.Admin.String(), Ejected: st.Ejected,
		Available: st.Available, Since: st.Since, Reason: st.Reason,
		Sessions: st.Sessions, Picks: st.Picks, Bytes: Bytes{In: st.BytesIn, Out: st.BytesOut},
		Dials: map[string]uint64{}, Dial: latencyOf(st.DialTimes),
		Silences: st.Silences, Ejections: st.Ejections, Check: checkOf(&st.Checks),
	}
	if n.Addr().IsValid() {
		out.Address = n.Addr().String()
	}
	if st.Ejected && !st.EjectedUntil.IsZero() {
		out.EjectedUntil = &st.EjectedUntil
	}
	for r, count := range st.Dials {
		if count > 0 {
			out.Dials[pool.DialResult(r).String()] = count
		}
	}
	if p != nil {
		out.Weight, out.Backup = p.Standing(n)
		out.Limit = p.Config().SessionsPerNode
	}
	return out
}

func checkOf(c *pool.CheckStats) *Check {
	if c.Last.Time.IsZero() {
		return nil
	}
	count := c.Pass + c.Busy + c.Fail + c.Late
	return &Check{
		Time: c.Last.Time, Verdict: c.Last.Verdict.String(), Text: c.Last.Text, Took: seconds(c.Last.Took),
		Mean: seconds(c.Took) / float64(max(count, 1)),
		Pass: c.Pass, Busy: c.Busy, Fail: c.Fail, Late: c.Late,
	}
}

func latencyOf(h pool.Histogram) Latency {
	var out Latency
	for _, n := range h.Counts {
		out.Count += n
	}
	if out.Count > 0 {
		out.Mean = h.Sum / float64(out.Count)
		out.P50, out.P99 = quantile(h, out.Count, .5), quantile(h, out.Count, .99)
	}
	return out
}

// quantile is the value under which a share of the observations lie, taken as evenly spread within their
// bucket, as Prometheus does. What is beyond the last bound counts as the last bound.
func quantile(h pool.Histogram, total uint64, share float64) float64 {
	rank, below, lower := share*float64(total), 0.0, 0.0
	for i, upper := range h.Bounds {
		in := float64(h.Counts[i])
		if in > 0 && below+in >= rank {
			return lower + (upper-lower)*(rank-below)/in
		}
		below, lower = below+in, upper
	}
	return h.Bounds[len(h.Bounds)-1]
}

func certificateOf(c *l4.Certificate) Certificate {
	out := Certificate{
		Listener: c.Listener, File: c.File, Names: append([]string{}, c.Names...), Issuer: c.Issuer, Key: c.Key,
		Fingerprint: c.Fingerprint, NotBefore: c.NotBefore, NotAfter: c.NotAfter,
	}
	if !c.Staple.IsZero() {
		out.Staple = &c.Staple
	}
	return out
}

func sortedNodes(nodes []*pool.Node) []*pool.Node {
	return slices.SortedFunc(slices.Values(nodes), func(a, b *pool.Node) int {
		return cmp.Or(cmp.Compare(a.Pool(), b.Pool()), cmp.Compare(a.Name(), b.Name()))
	})
}

// NewReload renders the outcome of reading a configuration file: what was found in it, and why it is not in
// effect, if it is not.
func NewReload(at time.Time, problems []configs.Problem, err error) Reload {
	r := Reload{Time: at, OK: err == nil, Problems: []Problem{}}
	for _, p := range problems {
		r.Problems = append(r.Problems, Problem{
			Warning: p.Warning, File: p.Pos.File, Line: p.Pos.Line, Column: p.Pos.Col,
			Key: p.Key, What: p.What, Right: p.Right, Text: p.String(),
		})
	}
	if _, isFile := err.(*configs.Report); err != nil && !isFile {
		r.Error = err.Error()
	}
	return r
}

// names lists what there is, for errors about what there is not.
func names[T fmt.Stringer](of []T) (all []string) {
	for _, v := range of {
		if !slices.Contains(all, v.String()) {
			all = append(all, v.String())
		}
	}
	return all
}
