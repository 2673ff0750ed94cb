package pool

import (
	"log/slog"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// Node is one address that sessions can be sent to. It outlives configurations: a reload that still
// lists it keeps its health, admin state, counters and sessions. A node that is no longer listed is
// retired: it is in no pool and not checked, its sessions go on and its counters stay readable.
//
// All methods are safe for concurrent use.
type Node struct {
	// What every pick reads, side by side.

	state    atomic.Uint32 // of type state; written under mu
	sessions atomic.Int64  // reserved by Pick, not yet released
	began    atomic.Int64  // uptime of the set, in ns, when it last began to take sessions: slow start
	hash     uint64        // of its address, for the source balance

	key  nodeKey
	host string // for Host headers and certificates: the configured name, or the address
	name atomic.Pointer[string]
	set  *Set
	pool atomic.Pointer[Pool]  // the newest that lists it
	prob atomic.Pointer[probe] // how it is checked; nil: not at all
	wake chan struct{}         // capacity 1: check soon

	picks             atomic.Uint64
	bytesIn, bytesOut atomic.Uint64
	silences          atomic.Uint64
	dials             [dialResults]atomic.Uint64
	dialTimes         histogram
	decay             decay
	runs              runs

	mu       sync.Mutex // guards the fields below
	live     bool       // between join and retire
	stop     func()     // ends the watch; nil: none runs
	since    time.Time
	reason   string
	tally    tally
	checks   CheckStats
	ejection ejection
}

// nodeKey is a node's identity over reloads.
type nodeKey struct {
	entryKey
	addr netip.AddrPort // zero: a host name without an address yet
}

func (s *Set) newNode(key nodeKey, name, host string) *Node {
	n := &Node{set: s, key: key, host: host, wake: make(chan struct{}, 1), since: time.Now()}
	n.name.Store(&name)
	n.hash = mix(hashAddr(key.addr.Addr()) ^ uint64(key.addr.Port()))
	n.state.Store(uint32(state(0).with(unresolvedBit, !key.addr.IsValid())))
	return n
}

// Pool is the name of the node's pool.
func (n *Node) Pool() string { return n.key.pool }

// Name is the node as the configuration has it, "host:port". Where a host name has several
// addresses each of them is a node, named "host:port@address".
func (n *Node) Name() string { return *n.name.Load() }

// String is [Node.Name].
func (n *Node) String() string { return n.Name() }

// LogValue is [Node.Name].
func (n *Node) LogValue() slog.Value { return slog.StringValue(n.Name()) }

// Addr is where to dial. It is the zero AddrPort while a host name is not resolved; such a node is never
// picked. A node's address does not change: a name that resolves to another address is another node.
func (n *Node) Addr() netip.AddrPort { return n.key.addr }

// Host is the configured host name, or the address as text: what a certificate would be issued for.
func (n *Node) Host() string { return n.host }

func (n *Node) load() state { return state(n.state.Load()) }

// Health is what the checks say.
func (n *Node) Health() Health { return n.load().health() }

// Busy reports whether the last check was answered with 429 or 503: alive, but others first.
func (n *Node) Busy() bool { return n.load().busy() }

// Admin is what the operator says.
func (n *Node) Admin() Admin { return n.load().admin() }

// Ejected reports whether the node is out because of what traffic met.
func (n *Node) Ejected() bool { return n.load().ejected() }

// Available reports whether the node may get new sessions: it is not down, ready, not ejected, and
// has an address.
func (n *Node) Available() bool { return n.load().available() }

// Sessions counts what is reserved by [Pool.Pick] and not released yet.
func (n *Node) Sessions() int64 { return n.sessions.Load() }

// Release gives back one reservation of [Pool.Pick]. It must be called once for each.
func (n *Node) Release() { n.sessions.Add(-1) }

// AddBytes counts what a session moved: in from client to node, out from node to client.
func (n *Node) AddBytes(in, out uint64) {
	if in > 0 {
		n.bytesIn.Add(in)
	}
	if out > 0 {
		n.bytesOut.Add(out)
	}
}

// SetAdmin is the operator's word. Ready also ends an ejection; leaving Maint starts the checks again,
// the first one soon, with the health of before.
func (n *Node) SetAdmin(a Admin) { n.set.emit(n.setAdmin(a, "operator")...) }

func (n *Node) setAdmin(a Admin, reason string) (events []Event) {
	n.mu.Lock()
	defer n.mu.Unlock()
	old := n.load()
	next := old.withAdmin(a)
	if old.admin() != a {
		events = append(events, n.event(KindAdmin, old.admin().String(), a.String(), reason))
	}
	if a == Ready && old.ejected() {
		events = append(events, n.unejectLocked(reason))
		next = next.with(ejectedBit, false)
	}
	n.storeLocked(next, reason)
	if old.admin() == Maint && a != Maint {
		n.warmLocked()
		n.checkSoon()
	}
	return events
}

// storeLocked publishes a new state and remembers since when and why it is so. n.mu must be held.
func (n *Node) storeLocked(next state, reason string) {
	if next == n.load() {
		return
	}
	n.state.Store(uint32(next))
	n.since = time.Now()
	n.reason = reason
}

// unresolved notes why the node has no address, if it has none.
func (n *Node) unresolved(why string) {
	if n.Addr().IsValid() {
		return
	}
	n.mu.Lock()
	n.reason = why
	n.mu.Unlock()
}

// warmLocked starts the node's slow start. n.mu must be held.
func (n *Node) warmLocked() { n.began.Store(int64(n.set.uptime())) }

// checkSoon wakes the node's watch.
func (n *Node) checkSoon() {
	select {
	case n.wake <- struct{}{}:
	default: // it is awake already
	}
}

func (n *Node) event(kind Kind, old, new, reason string) Event {
	return Event{
		Time: time.Now(), Kind: kind, Pool: n.key.pool, Node: n, Name: n.Name(),
		Old: old, New: new, Reason: reason,
	}
}

// join makes the node part of p, which is current now: it is checked as pr says; nil is not at all. A
// node that was in no pool begins anew, but for its admin state and its counters.
func (n *Node) join(p *Pool, pr *probe) []Event {
	n.mu.Lock()
	defer n.mu.Unlock()
	was := n.prob.Swap(pr)
	n.pool.Store(p)
	if !n.live {
		n.live = true
		n.tally = tally{}
		n.storeLocked(n.load().withHealth(Unknown).with(busyBit, false), "joined the pool")
		n.warmLocked()
	}
	switch {
	case pr == nil:
		return n.uncheckLocked()
	case n.stop == nil:
		n.startLocked()
	case !was.sameQuestion(pr):
		n.checkSoon()
	}
	return nil
}

// uncheckLocked ends the checks; what they said is forgotten. n.mu must be held.
func (n *Node) uncheckLocked() (events []Event) {
	const reason = "not checked any more"
	n.stopLocked()
	n.tally = tally{}
	old := n.load()
	if old.health() != Unknown {
		events = append(events, n.event(KindHealth, old.health().String(), Unknown.String(), reason))
	}
	if old.busy() {
		events = append(events, n.event(KindBusy, busyWord(true), busyWord(false), reason))
	}
	n.storeLocked(old.withHealth(Unknown).with(busyBit, false), reason)
	return events
}

// retire takes the node out of its pool: nothing of it runs on, what it counted stays.
func (n *Node) retire(reason string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.live = false
	n.stopLocked()
	n.ejection.cancel()
	n.runs.answered()
	n.storeLocked(n.load().with(ejectedBit, false), reason)
}

func (n *Node) stopLocked() {
	if n.stop != nil {
		n.stop()
		n.stop = nil
	}
}
