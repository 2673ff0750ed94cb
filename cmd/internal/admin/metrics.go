package admin

import (
	"maps"
	"net/http"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/sluicelb/sluice/l4"
	"github.com/sluicelb/sluice/pool"
)

// A metric's labels are words of the configuration, of Sluice itself, or names of nodes: nothing that a
// client sends is ever a label, so the number of series is bounded by the configuration.
var (
	descSessionsTotal = desc("sessions_total", "Sessions that have ended, by who or what ended them (cause) and where in their life they were (phase).",
		"listener", "route", "pool", "cause", "phase")
	descSessions = desc("sessions", "Sessions that are open.", "listener")
	descPending  = desc("sessions_pending", "Sessions that are open and do not relay yet.")
	descCapacity = desc("sessions_capacity", "Sessions that may be open at once: limits.sessions, or what RLIMIT_NOFILE allows.")
	descBytes    = desc("bytes_total", "Bytes that were moved from clients to nodes (in) and back (out).",
		"listener", "pool", "direction")
	descRelayBytes = desc("relay_bytes_total", "Bytes that were moved, both ways together: without entering user space (splice), through a buffer (copy), or decrypted or encrypted here (tls).",
		"path")
	descRejected = desc("rejected_total", "Connections and sessions that were turned away before they had a node.",
		"listener", "reason")
	descHandshakes  = desc("tls_handshakes_total", "TLS handshakes with clients that were completed, where TLS ends here.", "listener")
	descResumptions = desc("tls_resumptions_total", "TLS handshakes that resumed an earlier session, of those that were completed.", "listener")

	descNodeUp        = desc("node_up", "1 unless the checks say that the node is down; a node that is not checked counts as up.", "pool", "node")
	descNodeAvailable = desc("node_available", "1 if the node may get new sessions: it is not down, ready, not ejected, and has an address.", "pool", "node")
	descNodeBusy      = desc("node_busy", "1 if the node's last check was answered with 429 or 503: others get sessions first.", "pool", "node")
	descNodeAdmin     = desc("node_admin", "1 for what the operator said of the node (ready, drain, maint), 0 for the others.", "pool", "node", "state")
	descNodeSessions  = desc("node_sessions", "Sessions that the node has, those of a node that was taken out of the configuration too.", "pool", "node")
	descNodeBytes     = desc("node_bytes_total", "Bytes that were moved to the node (in) and from it (out).", "pool", "node", "direction")
	descEjections     = desc("node_ejections_total", "How often the node was taken out because traffic failed on it.", "pool", "node")
	descDials         = desc("dials_total", "Attempts to connect to a node, by how they ended.", "pool", "node", "result")
	descChecks        = desc("checks_total", "Checks of the node, by verdict: pass, busy, fail, or late where this machine was too slow to judge.", "pool", "node", "verdict")
	descCheckSeconds  = desc("check_seconds", "How long the node's last check took.", "pool", "node")

	descDialSeconds = desc("dial_seconds", "How long successful dials to nodes took.")
	descHelloBytes  = desc("hello_bytes", "Sizes of the ClientHellos that were understood.")
	descPipes       = desc("pipes", "Pipes for splice: open and empty (free), or with bytes of a session (busy).", "state")
	descPipesLimit  = desc("pipes_limit", "How many pipes there may be.")
	descPipesShort  = desc("pipes_short", "Pipes that are smaller than asked for, see fs.pipe-user-pages-soft in pipe(7).")

	descReloadOK   = desc("config_last_reload_successful", "1 if the configuration file is in effect as it was last read.")
	descReloadTime = desc("config_last_reload_success_timestamp_seconds", "When a configuration was last put into effect.")
	descDraining   = desc("draining", "1 while the process waits for its sessions to end, to end itself.")
	descDropped    = desc("records_dropped_total", "Session records that were lost because whoever takes them was too slow, or failed.")
	descLeftOut    = desc("records_left_out_total", "Records of clean sessions that log.sample left out.")
	descExpiry     = desc("certificate_expiry_seconds", "When the certificate that a listener shows expires, as seconds since 1970.",
		"listener", "certificate")
	descBuild = desc("build_info", "Which Sluice this is; always 1.", "version", "commit", "goversion")
)

func desc(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("sluice_"+name, help, labels, nil)
}

// newMetrics makes the handler of /metrics.
func newMetrics(s *Server) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(
		&collector{srv: s},
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{
		MaxRequestsInFlight: 4, // a scrape costs a walk over all that is counted
		Timeout:             0, // it waits for nobody
	})
}

// collector renders what is counted elsewhere each time it is asked: metrics cost nothing in between.
type collector struct{ srv *Server }

// Describe implements [prometheus.Collector].
func (c *collector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{
		descSessionsTotal, descSessions, descPending, descCapacity, descBytes, descRelayBytes, descRejected, descHandshakes, descResumptions,
		descNodeUp, descNodeAvailable, descNodeBusy, descNodeAdmin, descNodeSessions, descNodeBytes, descEjections,
		descDials, descChecks, descCheckSeconds, descDialSeconds, descHelloBytes, descPipes, descPipesLimit, descPipesShort,
		descReloadOK, descReloadTime, descDraining, descDropped, descLeftOut, descExpiry, descBuild,
	} {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector) Collect(out chan<- prometheus.Metric) {
	m := meter{out}
	p := &c.srv.proc
	for _, ln := range p.L4.Listeners() {
		m.listener(ln)
	}
	m.gauge(descPending, float64(p.L4.Pending()))
	m.gauge(descCapacity, float64(p.L4.Capacity()))
	paths := p.L4.Paths()
	m.counter(descRelayBytes, paths.Splice, "splice")
	m.counter(descRelayBytes, paths.Copy, "copy")
	m.counter(descRelayBytes, paths.TLS, "tls")
	m.histogram(descHelloBytes, p.L4.HelloSizes())

	m.nodes(p.Pools)
	m.histogram(descDialSeconds, p.Pools.DialTimes())

	pipes := p.L4.Pipes()
	m.gauge(descPipes, float64(pipes.Free), "free")
	m.gauge(descPipes, float64(pipes.Busy), "busy")
	m.gauge(descPipesLimit, float64(pipes.Limit))
	m.gauge(descPipesShort, float64(pipes.Short))
	m.process(p)
}

// A meter sends metrics on.
type meter struct{ out chan<- prometheus.Metric }

func (m meter) gauge(d *prometheus.Desc, v float64, labels ...string) {
	m.out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
}

func (m meter) counter(d *prometheus.Desc, v uint64, labels ...string) {
	m.out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v), labels...)
}

func (m meter) histogram(d *prometheus.Desc, h pool.Histogram, labels ...string) {
	buckets, total := make(map[float64]uint64, len(h.Bounds)), uint64(0)
	for i, n := range h.Counts {
		total += n
		if i < len(h.Bounds) {
			buckets[h.Bounds[i]] = total
		}
	}
	m.out <- prometheus.MustNewConstHistogram(d, total, h.Sum, buckets, labels...)
}

// expected are the ways in which sessions usually end, and those that somebody should be woken for. They are
// there from the start, because a rate cannot tell the first of a series that was not there; the others once
// they occur.
var expected = []l4.Ending{
	{Cause: l4.CauseClient, Phase: l4.PhaseRelay}, {Cause: l4.CauseNode, Phase: l4.PhaseRelay},
	{Cause: l4.CauseClientReset, Phase: l4.PhaseRelay}, {Cause: l4.CauseNodeReset, Phase: l4.PhaseRelay},
	{Cause: l4.CauseTimeout, Phase: l4.PhaseRelay},
	{Cause: l4.CauseNoNode, Phase: l4.PhaseDial}, {Cause: l4.CauseDial, Phase: l4.PhaseDial},
	{Cause: l4.CauseInternal, Phase: l4.PhaseRelay},
}

// listener sends what a listener counts.
func (m meter) listener(ln *l4.Listener) {
	name := ln.Name()
	m.gauge(descSessions, float64(ln.Sessions()), name)
	handshakes, resumptions := ln.Handshakes()
	m.counter(descHandshakes, handshakes, name)
	m.counter(descResumptions, resumptions, name)
	for _, why := range l4.Reasons() {
		m.counter(descRejected, ln.Refused(why), name, why.String())
	}
	type total struct{ in, out uint64 }
	pools := map[string]total{}
	for _, r := range ln.Routes() {
		ended := map[l4.Ending]uint64{}
		if r.Pool != "" {
			for _, end := range expected {
				ended[end] = 0
			}
			in, out := r.Bytes()
			t := pools[r.Pool]
			pools[r.Pool] = total{t.in + in, t.out + out}
		}
		maps.Insert(ended, r.AllEnded())
		for end, n := range ended {
			m.counter(descSessionsTotal, n, name, r.Label, r.Pool, end.Cause.String(), end.Phase.String())
		}
	}
	for p, t := range pools {
		m.counter(descBytes, t.in, name, p, "in")
		m.counter(descBytes, t.out, name, p, "out")
	}
}

// nodes sends what the nodes count. A name that stands for several nodes, the one that is in the pool and
// retired ones that had it before, has the sessions of all of them and the rest of the first.
func (m meter) nodes(set *pool.Set) {
	type id struct{ pool, node string }
	sessions := map[id]int64{}
	for _, p := range set.Pools() {
		for _, n := range p.Nodes() {
			key := id{p.Name(), n.Name()}
			if _, twice := sessions[key]; !twice {
				m.node(n, key.pool, key.node)
			}
			sessions[key] += n.Sessions()
		}
	}
	for _, n := range set.Retired() {
		sessions[id{n.Pool(), n.Name()}] += n.Sessions()
	}
	for key, n := range sessions {
		m.gauge(descNodeSessions, float64(n), key.pool, key.node)
	}
}

func (m meter) node(n *pool.Node, p, name string) {
	st := n.Stats()
	m.gauge(descNodeUp, one(st.Health != pool.Down), p, name)
	m.gauge(descNodeAvailable, one(st.Available), p, name)
	m.gauge(descNodeBusy, one(st.Busy), p, name)
	for a := pool.Ready; a <= pool.Maint; a++ {
		m.gauge(descNodeAdmin, one(st.Admin == a), p, name, a.String())
	}
	m.counter(descNodeBytes, st.BytesIn, p, name, "in")
	m.counter(descNodeBytes, st.BytesOut, p, name, "out")
	m.counter(descEjections, st.Ejections, p, name)
	for r, count := range st.Dials {
		m.counter(descDials, count, p, name, pool.DialResult(r).String())
	}
	c := &st.Checks
	for v, count := range map[pool.Verdict]uint64{pool.Pass: c.Pass, pool.Busy: c.Busy, pool.Fail: c.Fail, pool.Late: c.Late} {
		m.counter(descChecks, count, p, name, v.String())
	}
	if !c.Last.Time.IsZero() {
		m.gauge(descCheckSeconds, seconds(c.Last.Took), p, name)
	}
}

// process sends what is one for the whole process.
func (m meter) process(p *Process) {
	last := p.LastReload()
	m.gauge(descReloadOK, one(last.OK))
	m.gauge(descReloadTime, float64(p.InEffect().UnixMilli())/1000)
	m.gauge(descDraining, one(p.Draining()))
	records := p.Records()
	m.counter(descDropped, records.Dropped)
	m.counter(descLeftOut, records.LeftOut)
	m.certificates(p.Certificates())
	m.gauge(descBuild, 1, p.Build.Version, p.Build.Commit, p.Build.Go)
}

// certificates sends when each file expires. A listener may name a file twice; that is one series.
func (m meter) certificates(all []l4.Certificate) {
	type id struct{ listener, file string }
	earliest := map[id]float64{}
	for i := range all {
		key, at := id{all[i].Listener, all[i].File}, float64(all[i].NotAfter.Unix())
		if known, twice := earliest[key]; !twice || at < known {
			earliest[key] = at
		}
	}
	for key, at := range earliest {
		m.gauge(descExpiry, at, key.listener, key.file)
	}
}

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}
