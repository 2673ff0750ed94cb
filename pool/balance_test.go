package pool

import (
	"fmt"
	"math"
	"net/netip"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// weighted sets the weights of 10.0.0.1, .2, ... in order.
func weighted(weights ...int) func(*configs.Pool) {
	return func(c *configs.Pool) {
		c.Weights = make(map[string]int)
		for i, w := range weights {
			c.Weights[c.Nodes[i]] = w
		}
	}
}

// letters is what a pool picks one after the other, a for its first node; sessions are held if hold.
func letters(t testing.TB, p *Pool, picks int, hold bool) string {
	t.Helper()
	var b strings.Builder
	nodes := p.Nodes()
	for range picks {
		n := pick(t, p)
		for i := range nodes {
			if nodes[i] == n {
				b.WriteByte(byte('a' + i))
			}
		}
		if !hold {
			n.Release()
		}
	}
	return b.String()
}

func TestRoundRobinSequence(t *testing.T) {
	tests := []struct {
		nodes   int
		weights []int
		want    string
	}{
		{1, nil, "aaaa"},
		{4, nil, "abcdabcdabcd"},
		{3, []int{5, 1, 1}, "aaabcaaaaabcaa"},
		{3, []int{500, 100, 100}, "aaabcaaaaabcaa"},
		{2, []int{2, 1}, "abaabaabaaba"[:12]},
		{2, []int{1, 1_000_000_000}, "bbbbbbbb"}, // clamped, not overflowed
		{3, []int{100, 0, 100}, "acacac"},
		{2, []int{0, 0}, "abab"},
		{1, []int{0}, "aa"},
	}
	for _, tt := range tests {
		nodes := strings.Join(strings.Fields(four)[:tt.nodes], " ")
		p := newTestPool(t, poolConfig(nodes, balanced(configs.RoundRobin), weighted(tt.weights...)))
		if got := letters(t, p, len(tt.want), true); got != tt.want {
			t.Errorf("weights %v: %s, want %s", tt.weights, got, tt.want)
		}
	}
}

// TestRoundRobinReturn: a node that was away is not owed what it missed.
func TestRoundRobinReturn(t *testing.T) {
	p := newTestPool(t, poolConfig("10.0.0.1:9000 10.0.0.2:9000", balanced(configs.RoundRobin)))
	node(t, p, "0.2:").SetAdmin(Drain)
	if got := letters(t, p, 1000, true); strings.Contains(got, "b") {
		t.Fatal("a draining node was picked")
	}
	node(t, p, "0.2:").SetAdmin(Ready)
	got := letters(t, p, 100, true)
	if a := strings.Count(got, "a"); a < 49 || a > 51 {
		t.Errorf("after the return: %s", got)
	}
}

// TestRoundRobinWraps: turns are compared by difference.
func TestRoundRobinWraps(t *testing.T) {
	p := newTestPool(t, poolConfig(four, balanced(configs.RoundRobin)))
	near := uint64(math.MaxUint64) - 5*p.roster.Load().members[0].step
	p.turn.Store(near)
	for i := range p.roster.Load().members {
		p.roster.Load().members[i].turn.Store(near)
	}
	if got, want := letters(t, p, 40, true), strings.Repeat("abcd", 10); got != want {
		t.Errorf("around the wrap: %s", got)
	}
}

func TestLeastConnSequence(t *testing.T) {
	p := newTestPool(t, poolConfig(four))
	if got := letters(t, p, 8, true); got != "abcdabcd" {
		t.Errorf("held: %s", got)
	}
	p = newTestPool(t, poolConfig(four))
	if got := letters(t, p, 8, false); got != "abcdabcd" {
		t.Errorf("idle nodes don't take turns: %s", got)
	}
	p = newTestPool(t, poolConfig("10.0.0.1:9000 10.0.0.2:9000", weighted(300, 100)))
	if got := strings.Count(letters(t, p, 400, true), "a"); got != 300 {
		t.Errorf("weights 300:100, held: %d of 400", got)
	}
	p = newTestPool(t, poolConfig("10.0.0.1:9000 10.0.0.2:9000", weighted(300, 100)))
	if got := strings.Count(letters(t, p, 400, false), "a"); got != 300 {
		t.Errorf("weights 300:100, idle: %d of 400", got)
	}

	p = newTestPool(t, poolConfig(four))
	nodes := p.Nodes()
	for i, held := range []int64{7, 3, 9, 4} {
		nodes[i].sessions.Store(held)
	}
	if got := letters(t, p, 3, true); got != "bdb" && got != "bbd" {
		t.Errorf("with 7 3 9 4 sessions: %s", got)
	}
}

// TestRandomShares draws with a fixed source: shares follow the weights, and of two the less busy wins.
func TestRandomShares(t *testing.T) {
	p := newTestPool(t, poolConfig(four, balanced(configs.Random)))
	const picks = 20_000
	count := make(map[*Node]int)
	for range picks {
		n := pick(t, p)
		count[n]++
		n.Release()
	}
	for n, got := range count {
		// Four equal nodes: a quarter each; 5 standard deviations are about 306.
		if math.Abs(float64(got)-picks/4) > 400 {
			t.Errorf("idle, equal: %v got %d of %d", n, got, picks)
		}
	}

	p = newTestPool(t, poolConfig(four, balanced(configs.Random)))
	busy := p.Nodes()[2]
	busy.sessions.Store(1 << 40)
	for range 1000 {
		if n := pick(t, p); n == busy {
			t.Fatal("the busier of two was taken")
		}
	}

	// Held sessions even out by weight, whatever is drawn.
	p = newTestPool(t, poolConfig("10.0.0.1:9000 10.0.0.2:9000 10.0.0.3:9000", balanced(configs.Random), weighted(200, 100, 100)))
	got := letters(t, p, 4000, true)
	for i, want := range []int{2000, 1000, 1000} {
		if n := strings.Count(got, string(rune('a'+i))); n < want*9/10 || n > want*11/10 {
			t.Errorf("node %c got %d of 4000, want about %d", 'a'+i, n, want)
		}
	}
}

// TestRandomDraws pins which member a draw means.
func TestRandomDraws(t *testing.T) {
	p := newTestPool(t, poolConfig("10.0.0.1:9000 10.0.0.2:9000 10.0.0.3:9000", balanced(configs.Random), weighted(1, 2, 3)))
	q := question{terms: p.terms, pool: p}
	r := p.roster.Load()
	tr, total := q.weigh(r)
	if tr != tierFit || total != 6*weightUnit {
		t.Fatalf("weigh = %d, %d", tr, total)
	}
	for at, want := range map[uint64]int{0: 0, 999: 0, 1000: 1, 2999: 1, 3000: 2, 5999: 2, 9999: 2} {
		if got := q.drawn(r, tr, nil, at).member; got != &r.members[want] {
			t.Errorf("draw %d is not member %d", at, want)
		}
	}
	if got := q.drawn(r, tr, &r.members[0], 0).member; got != &r.members[1] {
		t.Error("a member that is left out is drawn")
	}
}

// bySource picks for many clients without holding sessions.
func bySource(t testing.TB, p *Pool, clients int) map[int]*Node {
	t.Helper()
	got := make(map[int]*Node)
	for i := range clients {
		n, err := p.Pick(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), nil)
		if err != nil {
			t.Fatal(err)
		}
		n.Release()
		got[i] = n
	}
	return got
}

func TestSource(t *testing.T) {
	const clients = 10_000
	p := newTestPool(t, poolConfig(four, balanced(configs.Source)))
	first := bySource(t, p, clients)
	share := make(map[*Node]int)
	for _, n := range first {
		share[n]++
	}
	for n, got := range share {
		if got < 2300 || got > 2700 { // 2500 +- 43 at one standard deviation
			t.Errorf("%v has %d of %d clients", n, got, clients)
		}
	}

	gone := p.Nodes()[1]
	gone.SetAdmin(Drain)
	for i, n := range bySource(t, p, clients) {
		if n == gone {
			t.Fatal("a draining node was picked")
		}
		if first[i] != gone && first[i] != n {
			t.Fatalf("client %d moved from %v to %v, though its node is there", i, first[i], n)
		}
	}
	gone.SetAdmin(Ready)
	for i, n := range bySource(t, p, clients) {
		if n != first[i] {
			t.Fatalf("client %d did not come back to %v", i, first[i])
		}
	}

	// Another process, with the nodes in another order, chooses alike: two Sluices behind one address.
	other := newTestPool(t, poolConfig("10.0.0.3:9000 10.0.0.1:9000 10.0.0.4:9000 10.0.0.2:9000", balanced(configs.Source)))
	for i, n := range bySource(t, other, clients) {
		if n.Addr() != first[i].Addr() {
			t.Fatalf("client %d: %v in one process, %v in another", i, first[i], n)
		}
	}
}

func TestSourceWeights(t *testing.T) {
	p := newTestPool(t, poolConfig("10.0.0.1:9000 10.0.0.2:9000", balanced(configs.Source), weighted(300, 100)))
	a := 0
	for _, n := range bySource(t, p, 10_000) {
		if n == p.Nodes()[0] {
			a++
		}
	}
	if a < 7300 || a > 7700 {
		t.Errorf("weights 300:100: %d of 10000", a)
	}
}

func TestHashAddr(t *testing.T) {
	if hashAddr(netip.MustParseAddr("192.0.2.1")) != hashAddr(netip.MustParseAddr("::ffff:192.0.2.1")) {
		t.Error("an IPv4 client that came over a dual-stack listener is another client")
	}
	if hashAddr(netip.MustParseAddr("2001:db8::1")) == hashAddr(netip.MustParseAddr("2001:db8::2")) {
		t.Error("only a part of an IPv6 address counts")
	}
	p := newTestPool(t, poolConfig(four, balanced(configs.Source)))
	if n, err := p.Pick(netip.Addr{}, nil); err != nil || n == nil {
		t.Errorf("a client without an address: %v, %v", n, err)
	}
}

func TestLeastBytes(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, poolConfig("10.0.0.1:9000 10.0.0.2:9000", balanced(configs.LeastBytes)))
		a, b := p.Nodes()[0], p.Nodes()[1]
		if got := letters(t, p, 6, true); got != "ababab" {
			t.Errorf("a burst before any byte is counted: %s", got)
		}
		a.AddBytes(1<<20, 9<<20)
		if got := letters(t, p, 10, true); got != "bbbbbbbbbb" {
			t.Errorf("after 10 MiB on a: %s", got)
		}
		if a.Sessions() >= b.Sessions() {
			t.Fatal("sessions count more than bytes")
		}
		for range 20 {
			time.Sleep(halfLife)
			letters(t, p, 1, false)
		}
		if got := letters(t, p, 4, true); got != "abab" && got != "baba" {
			t.Errorf("long after: %s", got)
		}
	})
}

func TestRecentDecays(t *testing.T) {
	s, _ := newSet(t)
	n := s.newNode(nodeKey{}, "n", "n")
	near := func(got uint64, want float64) bool { return math.Abs(float64(got)-want) <= want/20+1 }
	n.AddBytes(1_000_000, 0)
	if got := n.recent(0); got != 1_000_000 {
		t.Errorf("at once: %d", got)
	}
	n.recent(sampleEvery)
	for i, want := range []float64{500_000, 250_000, 125_000} {
		if got := n.recent(time.Duration(i+1) * halfLife); !near(got, want) {
			t.Errorf("after %d half-lives: %d, want about %.0f", i+1, got, want)
		}
	}
	// A steady rate settles where it loses half in a half-life: rate * halfLife / ln 2.
	for i := range 2000 {
		n.AddBytes(0, 1000)
		n.recent(3*halfLife + time.Duration(i+1)*sampleEvery)
	}
	if got, want := n.recent(3*halfLife+2000*sampleEvery), 1000*10*halfLife.Seconds()/math.Ln2; !near(got, want) {
		t.Errorf("steady: %d, want about %.0f", got, want)
	}
}

func TestRamp(t *testing.T) {
	tests := []struct {
		weight        uint64
		elapsed, slow time.Duration
		want          uint64
	}{
		{100_000, 0, 10 * time.Second, 1000},
		{100_000, -time.Second, 10 * time.Second, 1000},
		{100_000, 5 * time.Second, 10 * time.Second, 50_000},
		{100_000, 10 * time.Second, 10 * time.Second, 100_000},
		{100_000, time.Hour, 10 * time.Second, 100_000},
		{100_000, 0, 0, 100_000},
		{1, 0, 10 * time.Second, 1},
	}
	for _, tt := range tests {
		if got := ramp(tt.weight, tt.elapsed, tt.slow); got != tt.want {
			t.Errorf("ramp(%d, %v, %v) = %d, want %d", tt.weight, tt.elapsed, tt.slow, got, tt.want)
		}
	}
}

// TestSlowStart: a node that comes back gets its share bit by bit, under every balance that weighs.
func TestSlowStart(t *testing.T) {
	for _, b := range []configs.Balance{configs.RoundRobin, configs.LeastConn, configs.Source} {
		synctest.Test(t, func(t *testing.T) {
			p := newTestPool(t, poolConfig("10.0.0.1:9000 10.0.0.2:9000", balanced(b), func(c *configs.Pool) {
				c.SlowStart = 10 * time.Second
			}))
			time.Sleep(time.Minute)
			back := p.Nodes()[1]
			back.SetAdmin(Maint)
			time.Sleep(time.Minute)
			back.SetAdmin(Ready)
			var shares []int
			for range 3 {
				got := 0
				for i := range 1000 {
					n, _ := p.Pick(netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)}), nil)
					if n == back {
						got++
					}
					n.Release()
				}
				shares = append(shares, got)
				time.Sleep(5 * time.Second)
			}
			if shares[0] > 30 || shares[1] < 280 || shares[1] > 390 || shares[2] < 450 || shares[2] > 550 {
				t.Errorf("%s: shares of 1000 at 0, 5 and 10 s: %v", b, shares)
			}
		})
	}
}

func TestCurrentTurn(t *testing.T) {
	tests := []struct{ turn, pool, step, want uint64 }{
		{10, 10, 5, 10},
		{10, 15, 5, 10}, // a step behind is taking part
		{10, 16, 5, 16}, // more is having been away
		{20, 10, 5, 20},
		{math.MaxUint64, 3, 5, math.MaxUint64}, // 4 behind, around the wrap
		{math.MaxUint64, 9, 5, 9},
	}
	for _, tt := range tests {
		if got := currentTurn(tt.turn, tt.pool, tt.step); got != tt.want {
			t.Errorf("currentTurn(%d, %d, %d) = %d, want %d", tt.turn, tt.pool, tt.step, got, tt.want)
		}
	}
}

// TestByLoadOrders: byLoad is a strict order also where products pass 64 bits.
func TestByLoadOrders(t *testing.T) {
	big := uint64(math.MaxUint64)
	tests := []struct {
		a, b view
		want bool
	}{
		{view{weight: 1, load: 0}, view{weight: 1, load: 1}, true},
		{view{weight: 1, load: 1}, view{weight: 1, load: 0}, false},
		{view{weight: 2, load: 3}, view{weight: 1, load: 2}, true},
		{view{weight: 2, load: 4}, view{weight: 1, load: 2}, false},
		{view{weight: maxWeight * weightUnit, load: big}, view{weight: maxWeight * weightUnit, load: big - 1}, false},
		{view{weight: maxWeight * weightUnit, load: big - 1}, view{weight: maxWeight * weightUnit, load: big}, true},
		{view{weight: 1, load: big}, view{weight: 1000, load: big}, false},
		{view{weight: 1000, load: big}, view{weight: 1, load: big}, true},
		{view{weight: 1, middle: 1}, view{weight: 1, middle: 2}, true},
		{view{weight: 1, middle: 2}, view{weight: 1, middle: 1}, false},
	}
	for _, tt := range tests {
		if got := byLoad(&tt.a, &tt.b); got != tt.want {
			t.Errorf("byLoad(%s, %s) = %v", fmt.Sprint(tt.a), fmt.Sprint(tt.b), got)
		}
	}
}
