package l4

import (
	"iter"
	"sync"
	"sync/atomic"

	"github.com/sluicelb/sluice/pool"
)

// Listener is what is counted at one [[listener]] of the configuration. It is found again by its name
// on reload, so its counters go on.
//
// It is safe for concurrent use.
type Listener struct {
	name     string
	sessions atomic.Int64 // that are open
	refused  [reasons]atomic.Uint64
	hellos   *sizes // of all listeners together

	handshakes, resumptions atomic.Uint64

	mu     sync.Mutex // guards routes
	routes map[routeKey]*Route
}

type routeKey struct{ label, pool string }

func newListener(name string, hellos *sizes) *Listener {
	return &Listener{name: name, hellos: hellos, routes: map[routeKey]*Route{}}
}

// Name is the listener's name in the configuration.
func (ln *Listener) Name() string { return ln.name }

// Sessions is how many sessions are open.
func (ln *Listener) Sessions() int64 { return ln.sessions.Load() }

// Refused is how many connections and sessions were turned away for the given reason.
func (ln *Listener) Refused(r Reason) uint64 { return ln.refused[r].Load() }

// Handshakes is how many handshakes with clients were completed, where TLS ends here, and how many of these
// resumed an earlier session. Those that failed are refused for [RefusedHello].
func (ln *Listener) Handshakes() (all, resumed uint64) {
	return ln.handshakes.Load(), ln.resumptions.Load()
}

func (ln *Listener) handshook(resumed bool) {
	ln.handshakes.Add(1)
	if resumed {
		ln.resumptions.Add(1)
	}
}

// Routes returns what is counted per route, of this configuration and of those before it.
func (ln *Listener) Routes() []*RouteStats {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	all := make([]*RouteStats, 0, len(ln.routes))
	for _, r := range ln.routes {
		all = append(all, r.RouteStats)
	}
	return all
}

// route returns the route with a label and a pool: with the counters it had, if it was there before.
func (ln *Listener) route(label, poolName string, p *pool.Pool) *Route {
	ln.mu.Lock()
	defer ln.mu.Unlock()
	key := routeKey{label, poolName}
	known, ok := ln.routes[key]
	if !ok {
		known = &Route{RouteStats: &RouteStats{Label: label, Pool: poolName}}
		ln.routes[key] = known
	}
	route := &Route{RouteStats: known.RouteStats, pool: p}
	if p != nil {
		route.source = newSource(p.Config())
	}
	return route
}

// Route leads sessions to a pool. It belongs to one configuration; its counters outlive it.
type Route struct {
	*RouteStats
	pool   *pool.Pool
	source source
}

// RouteStats is what is counted per route.
//
// It is safe for concurrent use.
type RouteStats struct {
	Label string // the first name that the route takes; "default" for the listener's pool; "" for what found none
	Pool  string // "" for what found none

	ended   [causes][phases]atomic.Uint64
	in, out atomic.Uint64
}

// Ended is how many sessions ended by this cause in this phase.
func (r *RouteStats) Ended(c Cause, p Phase) uint64 { return r.ended[c][p].Load() }

// AllEnded yields the causes and phases by which sessions have ended, and how many.
func (r *RouteStats) AllEnded() iter.Seq2[Ending, uint64] {
	return func(yield func(Ending, uint64) bool) {
		for c := range causes {
			for p := range phases {
				if n := r.ended[c][p].Load(); n > 0 && !yield(Ending{c, p}, n) {
					return
				}
			}
		}
	}
}

// Ending is how a session ended.
type Ending struct {
	Cause Cause
	Phase Phase
}

// Bytes is what was moved from clients to nodes and back, of living sessions too.
func (r *RouteStats) Bytes() (in, out uint64) { return r.in.Load(), r.out.Load() }

// Reason is why a connection was turned away, or a session before it had a pool.
type Reason uint8

const (
	RefusedDenied        Reason = iota // allow and deny
	RefusedSessions                    // limits.sessions
	RefusedListener                    // the listener's own sessions
	RefusedPending                     // limits.pending
	RefusedClient                      // limits.sessions_per_client
	RefusedRate                        // limits.rate_per_client
	RefusedHeader                      // PROXY header missing or malformed
	RefusedHeaderTimeout               // PROXY header not whole in time
	RefusedNotTLS                      // not TLS on a listener that routes by name
	RefusedHello                       // malformed hello, or failed handshake
	RefusedHelloTimeout                // hello not whole in time
	RefusedNoRoute                     // nobody serves the name
	reasons
)

var reasonNames = [reasons]string{
	"denied", "sessions", "listener_sessions", "pending", "sessions_per_client", "rate_per_client",
	"bad_header", "header_timeout", "not_tls", "bad_hello", "hello_timeout", "no_route",
}

// String is the reason as metrics show it.
func (r Reason) String() string { return reasonNames[r] }

// Reasons returns all there are.
func Reasons() []Reason {
	all := make([]Reason, reasons)
	for i := range all {
		all[i] = Reason(i)
	}
	return all
}
