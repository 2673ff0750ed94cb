package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// binding is one address of the file that is listened on.
type binding struct {
	bind
	text string
	at   *entry
}

// validateBinds reports addresses that overlap, and nodes that are Sluice itself.
func (f *file) validateBinds(root *entry, cfg *Config) {
	const most = 1024
	var bindings []binding
	add := func(e *entry, text string) {
		if b, bad := parseBind(text); bad == nil && !e.bad {
			bindings = append(bindings, binding{b, text, e})
		}
	}
	if !strings.HasPrefix(cfg.Admin.Listen, "unix:") {
		add(root.at("admin").at("listen"), cfg.Admin.Listen)
	}
	for _, l := range cfg.Listeners {
		for i, address := range l.Address {
			if len(bindings) > most {
				f.err(f.entries[l].at("address"), fmt.Sprintf("these are more than %d addresses", most), `leave the host out to listen on all, as in ":9000"`)
				return
			}
			add(f.entries[l].at("address").item(i), address)
		}
	}
	// In the order of the file, so that the second is the one at fault.
	slices.SortFunc(bindings, func(a, b binding) int { return cmp.Compare(a.at.value, b.at.value) })
	for i, b := range bindings {
		for _, first := range bindings[:i] {
			if !first.overlaps(b.bind) {
				continue
			}
			where := fmt.Sprintf("which is bound on line %d", f.position(first.at.value).Line)
			if first.at.data == nil {
				where = "which is the default of " + first.at.path()
			}
			f.err(b.at, fmt.Sprintf("%q overlaps %q, %s", b.text, first.text, where), "bind each address once")
			break
		}
	}
	for _, p := range cfg.Pools {
		f.validateLoop(f.entries[p].at("nodes"), p, bindings)
	}
}

// validateLoop reports a node that is an address of ours: each session would become another one, until
// nothing is left to open them with.
func (f *file) validateLoop(e *entry, p *Pool, bindings []binding) {
	for _, node := range p.Nodes {
		to, bad := parseBind(node)
		if bad != nil {
			continue // a name
		}
		for _, b := range bindings {
			if b.port != to.port || !to.addr.IsValid() {
				continue
			}
			if b.addr == to.addr {
				f.err(e, fmt.Sprintf("node %q is an address that Sluice itself listens on (line %d): sessions would go round in circles", node, f.position(b.at.value).Line),
					"name the node's own address, or listen on another")
			} else if b.covers(to.addr) && to.addr.IsLoopback() {
				f.warn(e, fmt.Sprintf("node %q is on this host, and Sluice listens on %q (line %d): it may get its own sessions", node, b.text, f.position(b.at.value).Line),
					"listen on one address of this host, not on all")
			} else {
				continue
			}
			return
		}
	}
}
