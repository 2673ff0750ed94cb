package pool

import (
	"errors"
	"fmt"
	"net/netip"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

const four = "10.0.0.1:9000 10.0.0.2:9000 10.0.0.3:9000 10.0.0.4:9000"

// TestPickWho is which nodes may be picked at all: facts by node, and who gets sessions.
func TestPickWho(t *testing.T) {
	facts := map[string]func(*Node){
		"up":    func(n *Node) { n.forceHealth(Up) },
		"down":  func(n *Node) { n.forceHealth(Down) },
		"busy":  func(n *Node) { n.force(func(s state) state { return s.withHealth(Up).with(busyBit, true) }) },
		"eject": func(n *Node) { n.force(func(s state) state { return s.with(ejectedBit, true) }) },
		"drain": func(n *Node) { n.SetAdmin(Drain) },
		"maint": func(n *Node) { n.SetAdmin(Maint) },
		"full":  func(n *Node) { n.sessions.Store(1000) },
		"tried": func(n *Node) {},
	}
	backup := func(c *configs.Pool) { c.Backup = []string{"10.0.0.4:9000"} }
	limited := func(c *configs.Pool) { c.SessionsPerNode = 1000 }
	half := func(c *configs.Pool) { c.FailOpen = 0.5 }
	weightless := func(c *configs.Pool) { c.Weights = map[string]int{"10.0.0.4:9000": 0} }
	edits := func(e ...func(*configs.Pool)) []func(*configs.Pool) { return e }

	tests := []struct {
		facts string // of 10.0.0.1 to 10.0.0.4
		edits []func(*configs.Pool)
		want  string // last digits of the nodes that get sessions, or the error
	}{
		{"up", nil, "1"},
		{"up up up up", nil, "1234"},
		{"up down eject up", nil, "14"},
		{"up busy busy up", nil, "14"},
		{"busy busy busy busy", nil, "1234"},
		{"busy busy down drain", nil, "12"},
		{"up drain maint tried", nil, "1"},
		{"down down drain maint", nil, "12"},
		{"down eject drain maint", nil, "12"},
		{"drain drain drain drain", nil, "1234"},
		{"drain drain maint maint", nil, "12"},
		{"down", nil, "1"},
		{"drain", nil, "1"},
		{"maint maint", nil, ErrMaint.Error()},
		{"tried tried", nil, ErrTried.Error()},
		{"tried down maint", nil, ErrTried.Error()}, // one is available: the down one stays out
		{"full full full full", edits(limited), ErrFull.Error()},
		{"full up tried full", edits(limited), "2"},
		{"full tried maint", edits(limited), ErrFull.Error()},

		{"up up up up", edits(backup), "123"},
		{"busy busy busy up", edits(backup), "123"},
		{"down eject drain up", edits(backup), "4"},
		{"down eject maint down", edits(backup), "12"},
		{"drain drain maint down", edits(backup), "4"},
		{"full full full up", edits(backup, limited), "4"},
		{"tried tried tried up", edits(backup), "4"},

		{"up up up up", edits(weightless), "123"},
		{"busy busy busy up", edits(weightless), "123"},
		{"down down down up", edits(weightless), "4"},

		{"up down down down", nil, "1"},
		{"up down down down", edits(half), "1234"},
		{"up up down eject", edits(half), "12"},
		{"up down down drain", edits(half), "123"},
		{"up down down maint", edits(half), "123"},
		{"up down drain drain", edits(half), "1"},
		{"busy down down down", edits(half), "234"},
	}
	for _, tt := range tests {
		for _, b := range []configs.Balance{configs.LeastConn, configs.RoundRobin, configs.Random, configs.Source, configs.LeastBytes} {
			t.Run(fmt.Sprintf("%s/%s", b, tt.facts), func(t *testing.T) {
				words := strings.Fields(tt.facts)
				c := poolConfig(strings.Join(strings.Fields(four)[:len(words)], " "), append(tt.edits, balanced(b))...)
				p := newTestPool(t, c)
				var tried []*Node
				for i, n := range p.Nodes() {
					facts[words[i]](n)
					if words[i] == "tried" {
						tried = append(tried, n)
					}
				}
				if got := whoGets(p, tried); got != tt.want {
					t.Errorf("sessions go to %q, want %q", got, tt.want)
				}
			})
		}
	}
}

// whoGets picks for many clients and returns the last digits of the nodes picked, or the error.
func whoGets(p *Pool, tried []*Node) string {
	seen := make(map[byte]bool)
	for i := range 200 {
		n, err := p.Pick(netip.AddrFrom4([4]byte{192, 0, 2, byte(i)}), tried)
		if err != nil {
			return err.Error()
		}
		n.AddBytes(100_000, 1_000_000)
		addr := n.Addr().Addr().String()
		seen[addr[len(addr)-1]] = true
		n.Release()
	}
	var digits []byte
	for d := range seen {
		digits = append(digits, d)
	}
	slices.Sort(digits)
	return string(digits)
}

func TestPickErrors(t *testing.T) {
	p := newTestPool(t, poolConfig(""))
	_, err := p.Pick(client, nil)
	if !errors.Is(err, ErrEmpty) || !errors.Is(err, ErrNoNode) {
		t.Errorf("empty pool: %v", err)
	}
	for _, e := range []error{ErrEmpty, ErrUnresolved, ErrMaint, ErrFull, ErrTried} {
		if !errors.Is(e, ErrNoNode) {
			t.Errorf("%v is not ErrNoNode", e)
		}
	}
}

func TestPickReserves(t *testing.T) {
	p := newTestPool(t, poolConfig("10.0.0.1:9000", func(c *configs.Pool) { c.SessionsPerNode = 2 }))
	a, b := pick(t, p), pick(t, p)
	if a != b || a.Sessions() != 2 {
		t.Fatalf("sessions = %d, want 2", a.Sessions())
	}
	if _, err := p.Pick(client, nil); !errors.Is(err, ErrFull) {
		t.Errorf("third session: %v, want ErrFull", err)
	}
	a.Release()
	if pick(t, p) != a {
		t.Error("the released place is not used")
	}
	if got := a.Stats().Picks; got != 3 {
		t.Errorf("picks = %d, want 3", got)
	}
}

// TestPickRace has many loops pick at once: no place is given twice, none is lost.
func TestPickRace(t *testing.T) {
	const loops, rounds, limit = 8, 2000, 2
	for _, b := range []configs.Balance{configs.LeastConn, configs.RoundRobin, configs.Random, configs.Source, configs.LeastBytes} {
		t.Run(string(b), func(t *testing.T) {
			p := newTestPool(t, poolConfig(one+" "+two, balanced(b), func(c *configs.Pool) {
				c.SessionsPerNode = limit
				c.SlowStart = time.Second
			}))
			held := map[*Node]*atomic.Int64{p.Nodes()[0]: {}, p.Nodes()[1]: {}}
			var wg sync.WaitGroup
			for range loops {
				wg.Go(func() {
					for range rounds {
						n, err := p.Pick(client, nil)
						if errors.Is(err, ErrFull) {
							continue
						}
						if err != nil {
							t.Error(err)
							return
						}
						if now := held[n].Add(1); now > limit {
							t.Errorf("%v: %d sessions", n, now)
						}
						n.AddBytes(1, 1000)
						runtime.Gosched()
						held[n].Add(-1)
						n.Release()
					}
				})
			}
			wg.Wait()
			for _, n := range p.Nodes() {
				if n.Sessions() != 0 {
					t.Errorf("%v: %d sessions left", n, n.Sessions())
				}
			}
		})
	}
}

// TestTakeLostRace: what is taken between a choice and its reservation counts.
func TestTakeLostRace(t *testing.T) {
	p := newTestPool(t, poolConfig(one, func(c *configs.Pool) { c.SessionsPerNode = 2 }))
	q := question{terms: p.terms, pool: p}
	c := q.answer(p.roster.Load())
	n := c.member.node
	pick(t, p).Release()
	if q.take(&c, false) || n.Sessions() != 0 {
		t.Error("a choice that is out of date was taken")
	}
	if !q.take(&c, true) || n.Sessions() != 1 {
		t.Error("the last attempt is not taken")
	}
	pick(t, p)
	if q.take(&c, true) || n.Sessions() != 2 {
		t.Error("a place was given twice")
	}
}

func TestPickAllocatesNothing(t *testing.T) {
	for _, b := range []configs.Balance{configs.LeastConn, configs.RoundRobin, configs.Random, configs.Source, configs.LeastBytes} {
		p := newTestPool(t, poolConfig(four, balanced(b), func(c *configs.Pool) { c.SlowStart = time.Minute }))
		tried := p.Nodes()[:1]
		got := testing.AllocsPerRun(100, func() {
			n, err := p.Pick(client, tried)
			if err != nil {
				t.Fatal(err)
			}
			n.Dialed(nil, time.Millisecond)
			n.Answered()
			n.AddBytes(1, 1)
			n.Release()
		})
		if got != 0 {
			t.Errorf("%s: %v allocations a pick, want 0", b, got)
		}
	}
}

func BenchmarkPick(b *testing.B) {
	for _, bal := range []configs.Balance{configs.LeastConn, configs.RoundRobin, configs.Random, configs.Source, configs.LeastBytes} {
		for _, size := range []int{4, 64, 1000} {
			b.Run(fmt.Sprintf("%s/%d", bal, size), func(b *testing.B) {
				p := newTestPool(b, poolConfig(manyNodes(size), balanced(bal)))
				b.ReportAllocs()
				for b.Loop() {
					n, err := p.Pick(client, nil)
					if err != nil {
						b.Fatal(err)
					}
					n.Release()
				}
			})
		}
	}
}

func manyNodes(size int) string {
	var nodes []string
	for i := range size {
		nodes = append(nodes, fmt.Sprintf("10.0.%d.%d:9000", i/250, i%250+1))
	}
	return strings.Join(nodes, " ")
}
