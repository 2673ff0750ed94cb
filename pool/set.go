package pool

import (
	"context"
	"log/slog"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// Set owns all pools and nodes of a process over all reloads. Make one with [NewSet].
//
// All methods are safe for concurrent use. Locks are taken in the order Set.mu or Set.ejecting, then
// Node.mu; no pick takes any, and onEvent is called under none.
type Set struct {
	// CheckHeader, if set, gives the PROXY header that a check sends first to nodes of a pool with this
	// proxy setting (other than off): LOCAL, in the version they expect. Set it before the first Prepare.
	CheckHeader func(configs.ProxyOut) []byte

	log     *slog.Logger
	onEvent func(Event)
	began   time.Time
	lookup  func(ctx context.Context, host string) ([]netip.Addr, error)
	fake    func(ctx context.Context, n *Node) (Verdict, string) // tests only

	dialTimes histogram

	wg       sync.WaitGroup // watches of nodes and resolvers
	current  atomic.Pointer[[]*Pool]
	ejecting sync.Mutex // makes counting the ejected and ejecting one more a single step

	mu      sync.Mutex // guards the fields below, and every registered entry
	entries map[entryKey]*entry
	retired map[nodeKey]*Node // gone from their pools, with sessions left
	closed  bool
}

// NewSet returns a set without pools. Every transition of a node is logged to log and then given to
// onEvent, which may be nil. onEvent is called by the goroutine that made the transition (a check, a
// timer, or whoever called SetAdmin, Dialed or Silent), one at a time for each node's health but not in order
// between nodes; it must not block.
func NewSet(log *slog.Logger, onEvent func(Event)) *Set {
	s := &Set{
		log: log, onEvent: onEvent, began: time.Now(),
		entries: make(map[entryKey]*entry), retired: make(map[nodeKey]*Node),
	}
	s.lookup = func(ctx context.Context, host string) ([]netip.Addr, error) {
		return net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	}
	s.current.Store(new([]*Pool))
	return s
}

// uptime is a monotonic clock that fits an atomic integer.
func (s *Set) uptime() time.Duration { return time.Since(s.began) }

// Pools lists the current pools in the order of the configuration. The slice must not be changed.
func (s *Set) Pools() []*Pool { return *s.current.Load() }

// Retired lists the nodes that are in no pool any more and still have sessions, in no order.
func (s *Set) Retired() []*Node {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.forgetLocked()
	var nodes []*Node
	for _, n := range s.retired {
		nodes = append(nodes, n)
	}
	return nodes
}

// retireLocked takes a node out of service. s.mu must be held.
func (s *Set) retireLocked(n *Node) []Event {
	n.retire("no longer listed")
	if !n.Addr().IsValid() {
		return nil // it only stood for a name
	}
	s.retired[n.key] = n
	return []Event{n.event(KindMember, "", "removed", "no longer listed")}
}

// forgetLocked drops retired nodes without sessions. s.mu must be held.
func (s *Set) forgetLocked() {
	for key, n := range s.retired {
		if n.Sessions() <= 0 {
			delete(s.retired, key)
		}
	}
}

// Close stops every check and resolver and waits for them. Picks still work; nothing is checked.
func (s *Set) Close() {
	s.mu.Lock()
	s.closed = true
	for _, e := range s.entries {
		e.stopResolving()
		for _, n := range e.nodes {
			n.retire("closed")
		}
	}
	s.mu.Unlock()
	s.wg.Wait()
}

// emit logs transitions and passes them on. No lock may be held.
func (s *Set) emit(events ...Event) {
	for _, e := range events {
		s.log.LogAttrs(context.Background(), e.level(), "node "+string(e.Kind),
			slog.String("pool", e.Pool), slog.String("node", e.Name),
			slog.String("old", e.Old), slog.String("new", e.New), slog.String("reason", e.Reason))
		if s.onEvent != nil {
			s.onEvent(e)
		}
	}
}

func (e *Event) level() slog.Level {
	switch {
	case e.Kind == KindMember:
		return slog.LevelDebug
	case e.New == Down.String(), e.New == "ejected", e.New == "failing":
		return slog.LevelWarn
	}
	return slog.LevelInfo
}
