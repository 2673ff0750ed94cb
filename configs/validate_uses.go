package configs

import (
	"fmt"
	"slices"
	"time"
)

// use is one listener or route that sends sessions to a pool.
type use struct {
	listener *Listener
	at       *entry // the key that names the pool
}

// uses resolves the names of pools, and reports those that nothing has.
func (f *file) uses(cfg *Config) map[*Pool][]use {
	pools := make(map[string]*Pool)
	var names []string
	for _, p := range cfg.Pools {
		if pools[p.Name] == nil && p.Name != "" {
			pools[p.Name] = p
			names = append(names, p.Name)
		}
	}
	uses := make(map[*Pool][]use)
	add := func(l *Listener, e *entry, name string) {
		if name == "" || e.bad || f.full() {
			return
		}
		p := pools[name]
		if p == nil && len(names) == 0 {
			return // that there are no pools was said
		}
		if p == nil {
			f.err(e, fmt.Sprintf("no pool is named %q", name), suggest(name, names))
			best, _ := closest(name, names)
			if p = pools[best]; p == nil {
				return
			}
		}
		uses[p] = append(uses[p], use{l, e})
	}
	for _, l := range cfg.Listeners {
		add(l, f.entries[l].at("pool"), l.Pool)
		for _, r := range l.Routes {
			add(l, f.entries[r].at("pool"), r.Pool)
		}
	}
	return uses
}

// validateUnused warns of pools that get no session.
func (f *file) validateUnused(cfg *Config, uses map[*Pool][]use) {
	for _, p := range cfg.Pools {
		if len(uses[p]) == 0 && p.Name != "" {
			f.warn(f.entries[p].at("name"), "no listener and no route uses this pool", "name it in one, or remove it")
		}
	}
}

// validateUses checks what a pool and the listeners that use it must agree on.
func (f *file) validateUses(cfg *Config, uses map[*Pool][]use) {
	for _, p := range cfg.Pools {
		for _, u := range uses[p] {
			f.validateUse(f.entries[p], p, u)
		}
	}
}

func (f *file) validateUse(t *entry, p *Pool, u use) {
	if f.entries[u.listener].isBad("tls") {
		return
	}
	who := fmt.Sprintf("listener %q", u.listener.Name)
	if p.TLS.Enabled && u.listener.TLS != Terminate {
		what := who + " does not end TLS: what clients send it would be wrapped into a second TLS"
		if u.listener.TLS == Plain {
			what = who + " takes sessions as they come and does not end TLS: TLS cannot begin here"
		}
		f.err(t.at("tls").at("enabled"), what, "leave it out, and let the clients' own TLS reach the nodes; or set tls = \"terminate\" there")
	}
	if p.Proxy == ProxyPassthrough && len(u.listener.ProxyFrom) == 0 && !f.entries[u.listener].isBad("proxy_from") {
		f.err(t.at("proxy"), who+" takes no PROXY header that could be passed on", `set proxy_from there, or proxy = "v2"`)
	}
	// The nodes behind a passthrough listener speak TLS, and an HTTP request is an error to them.
	asks := p.Check.Type == CheckMinIO || p.Check.Type == CheckHTTP
	if asks && !p.Check.TLS && p.Check.Port == 0 && u.listener.TLS == Passthrough && !t.at("check").has("tls") {
		f.warn(t.at("check").at("tls"), who+" passes TLS through to the nodes, and a node that speaks TLS fails a check that does not",
			"set check.tls = true, and the CA of the nodes as tls.ca")
	}
	if h2 := slices.Index(u.listener.ALPN, "h2"); h2 >= 0 && u.listener.TLS == Terminate && !p.TLS.Enabled {
		f.warn(f.entries[u.listener].at("alpn").item(h2), fmt.Sprintf("clients would speak HTTP/2 to the nodes of pool %q, and MinIO does not without TLS", p.Name),
			`offer "http/1.1" only, or set tls.enabled in the pool`)
	}
}

// validateIdle wants an idle limit that leaves MinIO the first word: it closes an idle connection after
// 30 seconds itself, and clients keep theirs to use them again.
func (f *file) validateIdle(e *entry, cfg *Config) {
	if i := slices.IndexFunc(cfg.Pools, isMinIO); i >= 0 && cfg.Timeouts.Idle < time.Minute {
		f.warn(e, fmt.Sprintf("%s ends the sessions of pool %q while the Console waits on a WebSocket, or a client between two requests", short(cfg.Timeouts.Idle), cfg.Pools[i].Name),
			`set it to "1m" or more`)
	}
}
