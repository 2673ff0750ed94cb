package pool

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// fakeDNS answers with addresses by name; a name without any is an error.
type fakeDNS struct {
	mu    sync.Mutex
	names map[string]string
	times []time.Time
	hangs bool
	takes time.Duration // deaf to the context
}

func (d *fakeDNS) lookup(ctx context.Context, host string) ([]netip.Addr, error) {
	d.mu.Lock()
	d.times = append(d.times, time.Now())
	hangs, found, takes := d.hangs, d.names[host], d.takes
	d.mu.Unlock()
	time.Sleep(takes)
	if hangs {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if found == "" {
		return nil, errors.New("lookup " + host + ": no such host")
	}
	var addrs []netip.Addr
	for a := range strings.FieldsSeq(found) {
		addrs = append(addrs, netip.MustParseAddr(a))
	}
	return addrs, nil
}

func (d *fakeDNS) set(host, addrs string) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.names[host] = addrs
}

func (d *fakeDNS) slow(takes time.Duration) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.takes = takes
}

func (d *fakeDNS) lookups() int {
	d.mu.Lock()
	defer d.mu.Unlock()
	n := len(d.times)
	d.times = nil
	return n
}

func withDNS(t *testing.T) (*Set, *recorder, *fakeNodes, *fakeDNS) {
	t.Helper()
	s, r, f := faked(t)
	d := &fakeDNS{names: make(map[string]string)}
	s.lookup = d.lookup
	return s, r, f, d
}

// list shows a pool's nodes as "name=addr".
func list(p *Pool) string {
	var b []string
	for _, n := range p.Nodes() {
		b = append(b, fmt.Sprintf("%s=%v", n.Name(), n.Addr().Addr()))
	}
	return strings.Join(b, " ")
}

func TestFamily(t *testing.T) {
	tests := []struct{ in, want string }{
		{"10.0.0.2 10.0.0.1", "[10.0.0.1 10.0.0.2]"},
		{"2001:db8::1 10.0.0.1", "[10.0.0.1]"},
		{"2001:db8::2 2001:db8::1", "[2001:db8::1 2001:db8::2]"},
		{"::ffff:10.0.0.1 10.0.0.1", "[10.0.0.1]"},
		{"10.0.0.1 10.0.0.1", "[10.0.0.1]"},
		{"", "[]"},
	}
	for _, tt := range tests {
		var in []netip.Addr
		for a := range strings.FieldsSeq(tt.in) {
			in = append(in, netip.MustParseAddr(a))
		}
		if got := fmt.Sprint(family(in)); got != tt.want {
			t.Errorf("family(%s) = %s, want %s", tt.in, got, tt.want)
		}
	}
}

func TestLookupPause(t *testing.T) {
	tests := []struct {
		failures int
		chance   float64
		want     time.Duration
	}{
		{0, 0.5, 30 * time.Second},
		{0, 0, 24 * time.Second},
		{0, 1, 36 * time.Second},
		{1, 0.5, time.Second},
		{2, 0.5, 2 * time.Second},
		{4, 0.5, 8 * time.Second},
		{5, 0.5, 10 * time.Second},
		{1 << 30, 0.5, 10 * time.Second},
	}
	for _, tt := range tests {
		if got := lookupPause(tt.failures, tt.chance); got != tt.want {
			t.Errorf("lookupPause(%d, %v) = %v, want %v", tt.failures, tt.chance, got, tt.want)
		}
	}
}

func TestNameLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r, f, d := withDNS(t)
		d.set("minio1", "10.0.0.1")
		p := commit(t, s, poolConfig("minio1:9000 10.0.0.9:9000", checked))
		if got, want := list(p), "minio1:9000=10.0.0.1 10.0.0.9:9000=10.0.0.9"; got != want {
			t.Fatalf("nodes %s, want %s: a name must resolve before the first session", got, want)
		}
		first := p.Nodes()[0]
		if first.Host() != "minio1" || first.Addr().Port() != 9000 {
			t.Errorf("host %q, addr %v", first.Host(), first.Addr())
		}
		time.Sleep(time.Second)
		held := pick(t, p, p.Nodes()[1])
		first.SetAdmin(Drain)
		r.take(KindMember)
		d.lookups()

		// It moves: another node, with what the operator said of the name; the old one's session goes on.
		d.set("minio1", "10.0.0.2")
		time.Sleep(40 * time.Second)
		if got, want := list(p), "minio1:9000=10.0.0.2 10.0.0.9:9000=10.0.0.9"; got != want {
			t.Fatalf("nodes %s, want %s", got, want)
		}
		second := p.Nodes()[0]
		if second.Admin() != Drain || second.Sessions() != 0 || held != first || held.Sessions() != 1 {
			t.Errorf("admin %v, sessions %d", second.Admin(), second.Sessions())
		}
		if got := s.Retired(); len(got) != 1 || got[0] != first {
			t.Errorf("retired %v", got)
		}
		want := []string{"minio1:9000 >added", "minio1:9000 >removed"}
		if got := r.take(KindMember); !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}

		// And back: the node with the session.
		second.SetAdmin(Maint)
		d.set("minio1", "10.0.0.1")
		time.Sleep(40 * time.Second)
		if p.Nodes()[0] != first || first.Admin() != Maint {
			t.Errorf("the first node is another one now, or %v", first.Admin())
		}
		held.Release()
		second.SetAdmin(Ready)
		first.SetAdmin(Ready)

		// Two addresses are two nodes.
		d.set("minio1", "10.0.0.3 10.0.0.1")
		time.Sleep(40 * time.Second)
		if got, want := list(p), "minio1:9000@10.0.0.1=10.0.0.1 minio1:9000@10.0.0.3=10.0.0.3 10.0.0.9:9000=10.0.0.9"; got != want {
			t.Fatalf("nodes %s, want %s", got, want)
		}
		if p.Nodes()[0] != first || first.Health() != Up {
			t.Error("the node that stayed lost its state")
		}
		time.Sleep(time.Second)
		if len(f.took("minio1:9000@10.0.0.3")) == 0 {
			t.Error("the new address is not checked")
		}

		// DNS goes: the last good answer stays.
		r.take(KindResolve)
		d.set("minio1", "")
		d.lookups()
		time.Sleep(10 * time.Minute)
		if got := len(p.Nodes()); got != 3 || p.Available() != 3 {
			t.Errorf("%d nodes, %d available", got, p.Available())
		}
		if got := d.lookups(); got < 50 || got > 80 {
			t.Errorf("%d lookups in ten minutes without DNS, want about 60", got)
		}
		d.set("minio1", "10.0.0.1")
		time.Sleep(10 * time.Minute)
		if got := d.lookups(); got < 16 || got > 26 {
			t.Errorf("%d lookups in ten minutes, want about 20", got)
		}
		if got, want := list(p), "minio1:9000=10.0.0.1 10.0.0.9:9000=10.0.0.9"; got != want {
			t.Errorf("nodes %s, want %s", got, want)
		}
		wantR := []string{"minio1:9000 resolved>failing", "minio1:9000 failing>resolved"}
		if got := r.take(KindResolve); !slices.Equal(got, wantR) {
			t.Errorf("events %q, want %q", got, wantR)
		}
	})
}

// TestStartWithoutDNS: Sluice starts, says why the node is not available, and finds it later.
func TestStartWithoutDNS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r, _, d := withDNS(t)
		d.hangs = true
		start := time.Now()
		p := commit(t, s, poolConfig("minio1:9000 minio2:9000", checked))
		if d := time.Since(start); d > firstLookup {
			t.Errorf("the start took %v", d)
		}
		n := p.Nodes()[0]
		if n.Available() || n.Addr().IsValid() || n.Name() != "minio1:9000" {
			t.Errorf("available %v, addr %v, name %s", n.Available(), n.Addr(), n.Name())
		}
		if got := n.Stats().Reason; !strings.Contains(got, "deadline") {
			t.Errorf("reason %q", got)
		}
		if _, err := p.Pick(client, nil); !errors.Is(err, ErrUnresolved) {
			t.Errorf("Pick: %v, want ErrUnresolved", err)
		}
		n.SetAdmin(Maint)
		d.mu.Lock()
		d.hangs = false
		d.mu.Unlock()
		d.set("minio1", "10.0.0.1")
		d.set("minio2", "2001:db8::1")
		time.Sleep(30 * time.Second)
		if got, want := list(p), "minio1:9000=10.0.0.1 minio2:9000=2001:db8::1"; got != want {
			t.Fatalf("nodes %s, want %s", got, want)
		}
		if p.Nodes()[0].Admin() != Maint || p.Nodes()[1].Health() != Up {
			t.Error("maint of the name is lost, or the node is not checked")
		}
		if got := len(s.Retired()); got != 0 {
			t.Errorf("%d retired: what stood for a name is no node", got)
		}
		want := []string{
			"minio1:9000 resolved>failing", "minio2:9000 resolved>failing",
			"minio1:9000 failing>resolved", "minio2:9000 failing>resolved",
		}
		got := r.take(KindResolve)
		slices.Sort(got)
		slices.Sort(want)
		if !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
}

// TestReloadAsksNotAgain: names that are known are not looked up by a reload, nor lost if DNS is gone.
func TestReloadAsksNotAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _, d := withDNS(t)
		d.set("minio1", "10.0.0.1")
		n := commit(t, s, poolConfig("minio1:9000")).Nodes()[0]
		d.lookups()
		d.hangs = true
		start := time.Now()
		p := commit(t, s, poolConfig("minio1:9000", balanced(configs.RoundRobin)))
		if time.Since(start) != 0 || d.lookups() != 0 {
			t.Error("the reload waited for DNS")
		}
		if p.Nodes()[0] != n {
			t.Error("the node is another one")
		}
		time.Sleep(time.Minute)
		if p.Nodes()[0] != n {
			t.Error("the node is lost")
		}
		commit(t, s, poolConfig(one))
		time.Sleep(lookupTimeout)
		d.lookups()
		time.Sleep(time.Hour)
		if got := d.lookups(); got != 0 {
			t.Errorf("%d lookups of a name that is not listed any more", got)
		}
	})
}

// TestLateAnswer: an answer for a name that has left the configuration meanwhile changes nothing.
func TestLateAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r, _, d := withDNS(t)
		d.set("minio1", "10.0.0.1")
		commit(t, s, poolConfig("minio1:9000 "+one))
		d.set("minio1", "10.0.0.2")
		d.slow(time.Minute)
		time.Sleep(40 * time.Second) // it is under way: asked after 24 to 36 s
		p := commit(t, s, poolConfig(one))
		r.take(KindMember)
		time.Sleep(2 * time.Minute)
		if got := r.take(KindMember); len(got) > 0 || list(p) != one+"=10.0.0.1" || len(s.Retired()) > 0 {
			t.Errorf("nodes %s, retired %v, events %q", list(p), s.Retired(), got)
		}
	})
}

// TestNameThatWanders: nodes of old answers are forgotten without a reload.
func TestNameThatWanders(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _, d := withDNS(t)
		d.set("minio1", "10.0.1.0")
		commit(t, s, poolConfig("minio1:9000", checked))
		for i := range 20 {
			d.set("minio1", fmt.Sprintf("10.0.1.%d", i))
			time.Sleep(40 * time.Second)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		if got := len(s.retired); got > 1 {
			t.Errorf("%d nodes without sessions are remembered", got)
		}
	})
}

// TestManyAddresses: what one answer can bring is bounded.
func TestManyAddresses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _, d := withDNS(t)
		var all []string
		for i := range 200 {
			all = append(all, fmt.Sprintf("10.0.1.%d", i))
		}
		d.set("minio", strings.Join(all, " "))
		p := commit(t, s, poolConfig("minio:9000"))
		if got := len(p.Nodes()); got != maxAddrs {
			t.Errorf("%d nodes, want %d", got, maxAddrs)
		}
		if got := letters(t, p, 3, true); got != "abc" {
			t.Errorf("picks %s", got)
		}
	})
}

// TestNamesInTwoPools: the same name is another node in another pool, and weights go by what is written.
func TestNamesInTwoPools(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, _, d := withDNS(t)
		d.set("minio", "10.0.0.1 10.0.0.2")
		a := poolConfig("minio:9000 10.0.0.9:9000", func(c *configs.Pool) {
			c.Weights = map[string]int{"minio:9000": 300}
			c.Backup = []string{"10.0.0.9:9000"}
		})
		b := poolConfig("minio:9000")
		b.Name = "console"
		commit(t, s, a, b)
		pa, pb := s.Pools()[0], s.Pools()[1]
		if pa.Nodes()[0] == pb.Nodes()[0] || pb.Nodes()[0].Pool() != "console" {
			t.Error("two pools share a node")
		}
		pa.Nodes()[0].SetAdmin(Drain)
		if pb.Nodes()[0].Admin() != Ready {
			t.Error("an admin state reached another pool")
		}
		members := pa.roster.Load().members
		if members[0].weight != 300*weightUnit || members[1].weight != 300*weightUnit || members[2].weight != 100*weightUnit || !members[2].backup {
			t.Errorf("members: %v %v %v", members[0].weight, members[1].weight, members[2].weight)
		}
	})
}
