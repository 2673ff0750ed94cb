package pool

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strconv"
)

// entryKey is the identity of one configured node over reloads.
type entryKey struct{ pool, text string }

// entry is one node of the configuration and what it stands for now: an address is one Node for ever,
// a host name is one Node for each address it has, and while it has none one Node without an address,
// so that it can be seen and given an admin state. The last good answer stays while DNS fails.
//
// Set.mu guards it once it is in the set.
type entry struct {
	key     entryKey
	host    string // "" for an address
	port    uint16
	nodes   []*Node
	failure string // why the last lookup failed; "": it did not
	stop    context.CancelFunc
}

// newEntry parses one configured node.
func (s *Set) newEntry(key entryKey) (*entry, error) {
	e := &entry{key: key}
	if ap, err := netip.ParseAddrPort(key.text); err == nil {
		ap = netip.AddrPortFrom(ap.Addr().Unmap(), ap.Port())
		e.nodes = []*Node{s.newNode(nodeKey{key, ap}, key.text, ap.Addr().String())}
		return e, nil
	}
	host, portText, err := net.SplitHostPort(key.text)
	if err != nil || host == "" {
		return nil, fmt.Errorf("node %q: must be host:port", key.text)
	}
	port, err := strconv.ParseUint(portText, 10, 16)
	if err != nil || port == 0 {
		return nil, fmt.Errorf("node %q: the port must be 1 to 65535", key.text)
	}
	e.host, e.port = host, uint16(port)
	e.nodes = []*Node{s.newNode(nodeKey{entryKey: key}, key.text, host)}
	e.failure = "not asked yet"
	return e, nil
}

// answer gives e the nodes that a lookup found; those that were there already stay. A failed lookup
// changes no node. It reports which nodes left. Set.mu must be held if e is in the set.
func (s *Set) answer(e *entry, addrs []netip.Addr, err error) (gone []*Node) {
	e.failure = ""
	if err != nil {
		e.failure = err.Error()
		for _, n := range e.nodes {
			n.unresolved(e.failure)
		}
		return nil
	}
	addrs = addrs[:min(len(addrs), maxAddrs)]
	admin, uniform := commonAdmin(e.nodes)
	old := e.nodes
	e.nodes = nil
	for _, a := range addrs {
		addr := netip.AddrPortFrom(a, e.port)
		i := slices.IndexFunc(old, func(n *Node) bool { return n.key.addr == addr })
		var n *Node
		if i >= 0 {
			n = old[i]
		} else if n = s.newNode(nodeKey{e.key, addr}, e.key.text, e.host); uniform {
			n.state.Store(uint32(n.load().withAdmin(admin))) // what the operator said of the name
		}
		name := e.key.text
		if len(addrs) > 1 {
			name += "@" + a.String()
		}
		n.name.Store(&name)
		e.nodes = append(e.nodes, n)
	}
	for _, n := range old {
		if !slices.Contains(e.nodes, n) {
			gone = append(gone, n)
		}
	}
	return gone
}

// commonAdmin is the admin state that all nodes share, if they do.
func commonAdmin(nodes []*Node) (Admin, bool) {
	if len(nodes) == 0 {
		return Ready, false
	}
	a := nodes[0].Admin()
	return a, !slices.ContainsFunc(nodes, func(n *Node) bool { return n.Admin() != a })
}

// addLocked puts an entry into the set; a host name is asked for from now on. s.mu must be held.
func (s *Set) addLocked(e *entry) []Event {
	s.entries[e.key] = e
	events := s.reviveLocked(e)
	for _, n := range e.nodes {
		events = append(events, n.event(KindMember, "", "added", ""))
	}
	if e.host == "" {
		return events
	}
	if e.failure != "" {
		events = append(events, e.event("resolved", "failing"))
	}
	s.startResolvingLocked(e)
	return events
}

// dropLocked takes an entry out of the set and retires its nodes. s.mu must be held.
func (s *Set) dropLocked(e *entry) []Event {
	delete(s.entries, e.key)
	e.stopResolving()
	var events []Event
	for _, n := range e.nodes {
		events = append(events, s.retireLocked(n)...)
	}
	return events
}

// reviveLocked puts retired nodes with sessions back in the place of new ones with the same identity. What
// the operator said of the name meanwhile is newer than what was said of the node. s.mu must be held.
func (s *Set) reviveLocked(e *entry) (events []Event) {
	for i, n := range e.nodes {
		if r := s.retired[n.key]; r != nil {
			r.name.Store(n.name.Load())
			if a := n.Admin(); a != Ready {
				events = append(events, r.setAdmin(a, "as its name")...)
			}
			e.nodes[i] = r
			delete(s.retired, n.key)
		}
	}
	return events
}
