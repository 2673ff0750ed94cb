package configs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
)

func (f *file) validatePool(t *entry, p *Pool) {
	f.validateName(t, p.Name)
	f.validateNodes(t, p)
	f.validateBackup(t, p)
	f.validateWeights(t, p)
	f.validateSource(t, p)
	f.share(t.at("fail_open"), p.FailOpen, 1)
	f.share(t.at("hedge"), p.Hedge, 1)
	f.within(t.at("sessions_per_node"), p.SessionsPerNode, 0, many)
	f.validateCheck(t.at("check"), &p.Check)
	f.validateEject(t.at("eject"), &p.Eject)
	f.validateNodeTLS(t.at("tls"), p)

	if p.Check.Type == CheckNone && p.Eject.Failures == 0 {
		f.warn(t.at("check").at("type"), "there are neither checks nor ejections, so a dead node is tried again and again", "set check.type, or eject.failures")
	}
	if isMinIO(p) && p.Proxy != ProxyOff {
		f.warn(t.at("proxy"), "MinIO does not understand PROXY headers: it answers 400, or closes the connection", `set proxy = "off", or the check.type of what really listens there`)
	}
}

// isMinIO says whether a pool's nodes are MinIO, by how they are asked for their health.
func isMinIO(p *Pool) bool {
	return p.Check.Type == CheckMinIO || p.Check.Type == CheckHTTP && strings.HasPrefix(p.Check.Path, "/minio/")
}

// validateNodes expands the ellipses of a pool's nodes and writes each address in its one form.
func (f *file) validateNodes(t *entry, p *Pool) {
	list := t.at("nodes")
	if len(p.Nodes) == 0 {
		f.err(list, "it has no nodes", `set nodes, such as ["10.0.0.{1...4}:9000"]`)
		return
	}
	var nodes []string
	first := make(map[string]*entry)
	for i, pattern := range p.Nodes {
		e := list.item(i)
		for _, node := range f.expanded(e, pattern) {
			if before := first[node]; before != nil {
				f.err(e, fmt.Sprintf("node %q is there already, on line %d", node, f.position(before.value).Line), "name each node once; weights say how much it gets")
				break
			}
			first[node] = e
			nodes = append(nodes, node)
		}
		if len(nodes) > maxNodes {
			f.err(e, fmt.Sprintf("these are more than %d nodes", maxNodes), "make it several pools")
			break
		}
	}
	p.Nodes = nodes
}

// maxAddresses bounds what the ellipses of all pools, weights and backups of a file may cost together.
const maxAddresses = 1 << 17

// expanded returns the addresses that a pattern stands for, or reports why it stands for none.
func (f *file) expanded(e *entry, pattern string) []string {
	if e.bad || f.addresses > maxAddresses { // which was reported
		return nil
	}
	report := f.err
	if e.index < 0 && e.parent.name == "weights" {
		report = f.keyErr // there the key is the address
	}
	addresses, err := expand(pattern, maxNodes)
	if err != nil {
		report(e, err.Error(), `write ranges as in "10.0.0.{1...4}:9000"`)
		return nil
	}
	if f.addresses += len(addresses); f.addresses > maxAddresses {
		report(e, fmt.Sprintf("the addresses of this file are more than %d, each time counted that one is written", maxAddresses), "write each node once")
		return nil
	}
	for i, s := range addresses {
		node, bad := parseNode(s)
		if bad != nil {
			report(e, bad.what, bad.right)
			return nil
		}
		addresses[i] = node
	}
	return addresses
}

// validateWeights expands the keys of [pool.weights], which are written as nodes are.
func (f *file) validateWeights(t *entry, p *Pool) {
	weights := make(map[string]int, len(p.Weights))
	known := slices.Sorted(slices.Values(p.Nodes))
	for _, e := range t.at("weights").sorted() {
		n := p.Weights[e.name]
		f.within(e, n, 0, 1000)
		for _, node := range f.expandedKey(e, e.name, t, known) {
			if _, twice := weights[node]; twice {
				f.keyErr(e, fmt.Sprintf("node %q has a weight already", node), "give it one")
				break
			}
			weights[node] = n
		}
	}
	p.Weights = weights
	weightless := func(node string) bool { n, said := weights[node]; return said && n == 0 }
	if len(p.Nodes) > 0 && !slices.ContainsFunc(p.Nodes, func(node string) bool { return !weightless(node) }) {
		f.err(t.at("weights"), "every node has the weight 0, so none would get a session", "give one of them more")
	}
}

// validateBackup expands the backup nodes. One that is not among the nodes joins them: people write both, a list of
// all nodes with some of them named again, and two lists.
func (f *file) validateBackup(t *entry, p *Pool) {
	if len(p.Nodes) == 0 {
		return // which was reported
	}
	var backup []string
	for i, pattern := range p.Backup {
		backup = append(backup, f.expanded(t.at("backup").item(i), pattern)...)
	}
	slices.Sort(backup)
	p.Backup = slices.Compact(backup)
	if !slices.ContainsFunc(p.Nodes, func(node string) bool { _, is := slices.BinarySearch(p.Backup, node); return !is }) {
		f.warn(t.at("backup"), "every node is a backup, so there is none to stand in for", "leave some out")
	}
	if len(p.Nodes) > maxNodes {
		return // which was reported too
	}
	known := slices.Sorted(slices.Values(p.Nodes))
	for _, node := range p.Backup {
		if _, found := slices.BinarySearch(known, node); !found {
			p.Nodes = append(p.Nodes, node)
		}
	}
	if len(p.Nodes) > maxNodes {
		f.err(t.at("backup"), fmt.Sprintf("with these there are more than %d nodes", maxNodes), "make it several pools")
	}
}

// expandedKey is expanded for a pattern that must name nodes of the pool t, which are known, in order.
func (f *file) expandedKey(e *entry, pattern string, t *entry, known []string) []string {
	nodes := f.expanded(e, pattern)
	for _, node := range nodes {
		if _, found := slices.BinarySearch(known, node); found {
			continue
		}
		if !t.isBad("nodes") {
			f.keyErr(e, fmt.Sprintf("%q is not a node of this pool", node), suggest(node, known))
		}
		return nil
	}
	return nodes
}

// validateSource checks the local address that nodes are dialled from.
func (f *file) validateSource(t *entry, p *Pool) {
	switch p.Source {
	case "":
		return
	case SourceClient:
		if p.Proxy != ProxyOff && !t.isBad("proxy") {
			f.warn(t.at("proxy"), `nodes see the client's address already, by source = "client"`, "leave one of the two out")
		}
		return
	}
	a, err := netip.ParseAddr(p.Source)
	if err != nil || a.IsUnspecified() || a.IsMulticast() {
		right := `write "client", or an IP address of this host`
		if best, ok := closest(p.Source, []string{SourceClient}); ok {
			right = fmt.Sprintf("did you mean %q?", best)
		}
		f.err(t.at("source"), clipped(p.Source)+" is not an address to dial from", right)
		return
	}
	for _, node := range p.Nodes {
		if to, err := netip.ParseAddrPort(node); err == nil && to.Addr().Is4() != a.Unmap().Is4() {
			f.err(t.at("source"), fmt.Sprintf("node %s cannot be reached from %s, since one is IPv4 and the other IPv6", node, a), "write an address of the same family")
			return
		}
	}
}

func (f *file) validateEject(t *entry, e *Eject) {
	f.within(t.at("failures"), e.Failures, 0, many)
	f.between(t.at("time"), e.Time, time.Millisecond, forever, "")
	f.share(t.at("max_share"), e.MaxShare, 1)
}
