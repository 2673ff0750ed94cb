package pool

import (
	"context"
	"log/slog"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// poolConfig is a pool of nodes that are not checked and not ejected, changed by edit.
func poolConfig(nodes string, edit ...func(*configs.Pool)) *configs.Pool {
	c := configs.DefaultPool()
	c.Name = "s3"
	c.Nodes = strings.Fields(nodes)
	c.Check.Type = configs.CheckNone
	c.Check.Jitter = 0
	c.Eject.Failures = 0
	for _, e := range edit {
		e(c)
	}
	return c
}

func checked(c *configs.Pool) { c.Check.Type = configs.CheckTCP }

func balanced(b configs.Balance) func(*configs.Pool) {
	return func(c *configs.Pool) { c.Balance = b }
}

// recorder keeps the events of a set.
type recorder struct {
	mu     sync.Mutex
	events []Event
}

func (r *recorder) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// take returns "node kind old new" of the events of one kind since the last take of it.
func (r *recorder) take(kind Kind) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var got []string
	var rest []Event
	for _, e := range r.events {
		if e.Kind != kind {
			rest = append(rest, e)
			continue
		}
		got = append(got, e.Name+" "+e.Old+">"+e.New)
	}
	r.events = rest
	return got
}

// newSet returns a set that fails the test if it leaves goroutines behind.
func newSet(t testing.TB) (*Set, *recorder) {
	t.Helper()
	before := runtime.NumGoroutine()
	r := &recorder{}
	s := NewSet(slog.New(slog.NewTextHandler(t.Output(), nil)), r.add)
	s.lookup = func(context.Context, string) ([]netip.Addr, error) {
		t.Error("looked up a name")
		return nil, nil
	}
	t.Cleanup(func() {
		s.Close()
		var after int
		for range 100 { // an AfterFunc or a closed conn may need a moment
			if after = runtime.NumGoroutine(); after <= before {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("goroutines: %d before, %d after Close", before, after)
	})
	return s, r
}

// commit makes cfgs current and returns the first pool.
func commit(t testing.TB, s *Set, cfgs ...*configs.Pool) *Pool {
	t.Helper()
	next, err := s.Prepare(cfgs)
	if err != nil {
		t.Fatal(err)
	}
	next.Commit()
	return s.Pools()[0]
}

// nodes makes a pool of its own set.
func newTestPool(t testing.TB, c *configs.Pool) *Pool {
	t.Helper()
	s, _ := newSet(t)
	return commit(t, s, c)
}

// force sets the facts of a node without their causes.
func (n *Node) force(change func(state) state) { n.state.Store(uint32(change(n.load()))) }

func (n *Node) forceHealth(h Health) { n.force(func(s state) state { return s.withHealth(h) }) }

// node finds a node by a part of its name.
func node(t testing.TB, p *Pool, name string) *Node {
	t.Helper()
	for _, n := range p.Nodes() {
		if strings.Contains(n.Name(), name) {
			return n
		}
	}
	t.Fatalf("no node %q", name)
	return nil
}

var client = netip.MustParseAddr("192.0.2.7")

// pick wants a node.
func pick(t testing.TB, p *Pool, tried ...*Node) *Node {
	t.Helper()
	n, err := p.Pick(client, tried)
	if err != nil {
		t.Fatalf("Pick: %v", err)
	}
	return n
}
