package l4

import (
	"fmt"
	"net/netip"
	"slices"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/pool"
	"github.com/sluicelb/sluice/sni"
)

// rules is what one listener does, as of one configuration. It never changes: a session keeps the
// rules it was accepted under, whatever is reloaded meanwhile.
type rules struct {
	*configs.Listener
	listener *Listener
	limits   configs.Limits
	timeouts configs.Timeouts

	routes   *sni.Table[*Route] // nil: routed by port
	fallback *Route             // for all that no route takes; nil: refuse
	lost     *RouteStats        // counts sessions that found no route

	terminator *terminator         // nil where TLS does not end here
	nodeTLS    map[string]*nodeTLS // by pool; those whose nodes are spoken to by TLS
}

// newRules makes the rules of a listener. The pools are those of the same configuration, so every
// name that configs let through is there.
func newRules(cfg *configs.Config, lc *configs.Listener, ln *Listener, pools func(string) *pool.Pool) (*rules, error) {
	r := &rules{
		Listener: lc,
		listener: ln,
		limits:   cfg.Limits,
		timeouts: cfg.Timeouts,
		lost:     ln.route("", "", nil).RouteStats,
	}
	if lc.Pool != "" {
		r.fallback = ln.route("default", lc.Pool, pools(lc.Pool))
	}
	if lc.TLS == configs.Plain {
		return r, nil
	}
	var named []sni.Route[*Route]
	for _, rc := range lc.Routes {
		route := ln.route(rc.SNI[0], rc.Pool, pools(rc.Pool))
		named = append(named, sni.Route[*Route]{Names: rc.SNI, ALPN: rc.ALPN, Value: route})
	}
	table, err := sni.NewTable(named)
	if err != nil {
		return nil, fmt.Errorf("listener %q: %w", lc.Name, err)
	}
	if r.fallback != nil {
		table = table.WithDefault(r.fallback)
	}
	r.routes = table
	return r, nil
}

// opensHellos reports whether Encrypted Client Hellos are decrypted here.
func (r *rules) opensHellos() bool { return r.terminator != nil && len(r.ECH) > 0 }

// patience is how long a session's first bytes may take.
func (r *rules) patience(p Phase) time.Duration {
	if p == PhaseHeader {
		return r.timeouts.Header
	}
	return r.timeouts.Hello
}

// wantsHeader reports whether a connection from this peer must open with a PROXY header.
func (r *rules) wantsHeader(peer netip.Addr) bool { return contains(r.ProxyFrom, peer) }

// limitsClients reports whether clients are counted one by one.
func (r *rules) limitsClients() bool {
	return r.limits.SessionsPerClient > 0 || r.limits.RatePerClient > 0
}

// allows applies allow and deny; deny wins.
func (r *rules) allows(client netip.Addr) bool {
	if contains(r.Deny, client) {
		return false
	}
	return len(r.Allow) == 0 || contains(r.Allow, client)
}

func contains(prefixes []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}
