package pool

import (
	"context"
	"net"
	"os"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// ejecting is the default: 3 failures, 10s, half of the nodes.
func ejecting(c *configs.Pool) { c.Eject = configs.DefaultPool().Eject }

var errRefused = &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}

// TestEjectRuns is what makes three failures in a row: letters are r refused, t timeout, l local,
// c canceled, o dialled, s silent, a answered.
func TestEjectRuns(t *testing.T) {
	tests := []struct {
		seen string
		want bool
	}{
		{"rr", false},
		{"rrr", true},
		{"rtr", true},
		{"rror", false},
		{"rrorr", false},
		{"rrllcc", false},
		{"rrlr", true},
		{"osos", false},
		{"ososos", true}, // a hung node takes connections: they don't end the run
		{"ososoaos", false},
		{"ososoaosos", false},
		{"rraos", false},
		{"lllllll", false},
		{"ccccccc", false},
	}
	for _, tt := range tests {
		p := newTestPool(t, poolConfig(one+" "+two, ejecting))
		n := p.Nodes()[0]
		for _, c := range tt.seen {
			switch c {
			case 'r':
				n.Dialed(errRefused, time.Millisecond)
			case 't':
				n.Dialed(context.DeadlineExceeded, time.Second)
			case 'l':
				n.Dialed(syscall.EMFILE, 0)
			case 'c':
				n.Dialed(context.Canceled, 0)
			case 'o':
				n.Dialed(nil, time.Millisecond)
			case 's':
				n.Silent()
			case 'a':
				n.Answered()
			}
		}
		if got := n.Ejected(); got != tt.want {
			t.Errorf("%s: ejected = %v, want %v", tt.seen, got, tt.want)
		}
	}
}

// eject lets a node fail as often as its pool bears.
func eject(n *Node) {
	for range 3 {
		n.Dialed(errRefused, time.Millisecond)
	}
}

func TestEjectLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newSet(t)
		p := commit(t, s, poolConfig(one+" "+two, ejecting))
		n := p.Nodes()[0]
		eject(n)
		if !n.Ejected() || n.Available() || p.Available() != 1 {
			t.Fatalf("ejected %v, available %d", n.Ejected(), p.Available())
		}
		for range 10 {
			if pick(t, p) == n {
				t.Fatal("an ejected node was picked")
			}
		}
		if d := time.Until(n.Stats().EjectedUntil); d != 10*time.Second {
			t.Errorf("out for %v, want 10s", d)
		}
		time.Sleep(10*time.Second - time.Nanosecond)
		synctest.Wait()
		if !n.Ejected() {
			t.Error("back too early")
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if n.Ejected() || pick(t, p) != n {
			t.Error("not used again when its time was up")
		}
		if st := n.Stats(); st.Ejections != 1 || !st.EjectedUntil.IsZero() || st.Dials[DialRefused] != 3 {
			t.Errorf("stats %+v", st)
		}
		want := []string{one + " no>ejected", one + " ejected>no"}
		if got := r.take(KindEject); !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
}

// TestEjectGrows: 10 s, doubled each time it fails again at once, up to ten times the base; quiet is forgiven.
func TestEjectGrows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, poolConfig(one+" "+two, ejecting))
		n := p.Nodes()[0]
		out := func() time.Duration {
			t.Helper()
			eject(n)
			d := time.Until(n.Stats().EjectedUntil)
			time.Sleep(d)
			synctest.Wait()
			return d
		}
		for i, want := range []time.Duration{10, 20, 40, 80, 100, 100, 100} {
			if got := out(); got != want*time.Second {
				t.Errorf("ejection %d: %v, want %v", i+1, got, want*time.Second)
			}
		}
		time.Sleep(100 * time.Second) // as long as the last: one doubling less
		if got := out(); got != 80*time.Second {
			t.Errorf("after a quiet 100 s: %v, want 80s", got)
		}
		time.Sleep(time.Hour)
		if got := out(); got != 10*time.Second {
			t.Errorf("after a quiet hour: %v, want 10s", got)
		}
	})
}

func TestLength(t *testing.T) {
	for steps, want := range map[int]time.Duration{0: 10, 1: 20, 2: 40, 3: 80, 4: 100, 5: 100, 1 << 30: 100} {
		if got := length(10*time.Second, steps); got != want*time.Second {
			t.Errorf("length after %d steps = %v, want %v", steps, got, want*time.Second)
		}
	}
}

func TestMayEject(t *testing.T) {
	tests := []struct {
		ready, ejected, others int
		share                  float64
		want                   bool
	}{
		{1, 0, 0, 0.5, false},
		{1, 0, 0, 1, false}, // a single node is never ejected
		{2, 0, 1, 0.5, true},
		{2, 1, 0, 0.5, false},
		{2, 1, 0, 1, false}, // nor the last available one
		{3, 0, 2, 0.5, true},
		{3, 1, 1, 0.5, false},
		{4, 1, 2, 0.5, true},
		{4, 2, 1, 0.5, false},
		{4, 2, 1, 1, true},
		{4, 0, 3, 0, false},
		{100, 28, 50, 0.29, true},
		{100, 29, 50, 0.29, false},
		{4, 0, 0, 0.5, false}, // the others are down
	}
	for _, tt := range tests {
		if got := mayEject(tt.ready, tt.ejected, tt.others, tt.share); got != tt.want {
			t.Errorf("mayEject(%d ready, %d ejected, %d others, %v) = %v", tt.ready, tt.ejected, tt.others, tt.share, got)
		}
	}
}

// TestEjectShare: when everything fails at once, half stays in.
func TestEjectShare(t *testing.T) {
	p := newTestPool(t, poolConfig(four, ejecting))
	var wg sync.WaitGroup
	for _, n := range p.Nodes() {
		for range 4 {
			wg.Go(func() {
				for range 100 {
					n.Dialed(errRefused, time.Millisecond)
				}
			})
		}
	}
	wg.Wait()
	ejected := 0
	for _, n := range p.Nodes() {
		if n.Ejected() {
			ejected++
		}
	}
	if ejected != 2 || p.Available() != 2 {
		t.Errorf("%d of 4 ejected, %d available, want 2 and 2", ejected, p.Available())
	}
}

func TestEjectOff(t *testing.T) {
	p := newTestPool(t, poolConfig(one+" "+two))
	n := p.Nodes()[0]
	for range 100 {
		eject(n)
		n.Silent()
	}
	if n.Ejected() {
		t.Error("ejected though failures = 0")
	}
	if got := n.Stats().Silences; got != 100 {
		t.Errorf("silences = %d", got)
	}
}

// TestEjectEndsEarly: the operator's ready, and a check that saw the node come back, are newer than what
// traffic met.
func TestEjectEndsEarly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r, f := faked(t)
		p := commit(t, s, poolConfig(one+" "+two, checked, ejecting))
		n := p.Nodes()[0]
		time.Sleep(time.Second)
		eject(n)
		n.SetAdmin(Ready)
		if n.Ejected() {
			t.Error("ready did not end the ejection")
		}
		time.Sleep(time.Minute) // its timer must not end a later one
		eject(n)
		start := time.Now()
		f.set(one, refuse)
		time.Sleep(4 * time.Second)
		f.set(one, nil)
		waitFor(t, n.Available)
		if d := time.Since(start); d > 8*time.Second {
			t.Errorf("available after %v", d)
		}
		want := []string{one + " no>ejected", one + " ejected>no", one + " no>ejected", one + " ejected>no"}
		if got := r.take(KindEject); !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
}

// TestStaleTimer: an ejection that ended early leaves nothing that ends the next one.
func TestStaleTimer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newSet(t)
		p := commit(t, s, poolConfig(one+" "+two, ejecting))
		n := p.Nodes()[0]
		eject(n)
		time.Sleep(9 * time.Second)
		n.SetAdmin(Ready)
		n.ejectionOver(1) // its timer fired while it was being stopped
		if got := r.take(KindEject); len(got) != 2 {
			t.Errorf("events %q", got)
		}
		eject(n) // 20 s: it failed again at once
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if !n.Ejected() {
			t.Error("the first ejection's timer ended the second")
		}
		n.ejectionOver(1)
		if !n.Ejected() {
			t.Error("a late timer of the first ejection ended the second")
		}
	})
}

func TestEjectReasons(t *testing.T) {
	p := newTestPool(t, poolConfig(one+" "+two, ejecting))
	n := p.Nodes()[0]
	for range 3 {
		n.Silent()
	}
	want := "3 failures in a row, the last: no first byte; out for 10s"
	if got := n.Stats().Reason; got != want {
		t.Errorf("reason %q, want %q", got, want)
	}
}

// TestEjectKeptOverReload: the ejection goes on in the new pool, and ends in it.
func TestEjectKeptOverReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _ := newSet(t)
		n := commit(t, s, poolConfig(one+" "+two, ejecting)).Nodes()[0]
		eject(n)
		time.Sleep(5 * time.Second)
		p := commit(t, s, poolConfig(one+" "+two, ejecting))
		if !n.Ejected() {
			t.Fatal("the reload forgot the ejection")
		}
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if n.Ejected() || p.Available() != 2 {
			t.Error("the ejection did not end")
		}
	})
}

// TestEjectionClears: after an ejection a node is judged by what it does then.
func TestEjectionClears(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, poolConfig(one+" "+two, ejecting))
		n := p.Nodes()[0]
		n.Silent()
		n.Silent()
		eject(n)
		time.Sleep(10 * time.Second)
		synctest.Wait()
		n.Silent()
		if n.Ejected() {
			t.Error("ejected for silences of before")
		}
	})
}

// TestEjectedStartsSlowly: a node that comes back from an ejection is as cold as one that was down.
func TestEjectedStartsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newTestPool(t, poolConfig(one+" "+two, ejecting, balanced(configs.RoundRobin), func(c *configs.Pool) {
			c.SlowStart = time.Minute
		}))
		time.Sleep(time.Hour)
		eject(p.Nodes()[0])
		time.Sleep(10 * time.Second)
		synctest.Wait()
		if got := strings.Count(letters(t, p, 200, false), "a"); got < 1 || got > 5 {
			t.Errorf("it got %d of 200", got)
		}
	})
}

// TestRetiredWhileEjected: the ejection of a node that left ends unseen.
func TestRetiredWhileEjected(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r := newSet(t)
		n := commit(t, s, poolConfig(one+" "+two, ejecting)).Nodes()[0]
		eject(n)
		r.take(KindEject)
		commit(t, s, poolConfig(two, ejecting))
		time.Sleep(time.Minute)
		synctest.Wait()
		if got := r.take(KindEject); len(got) > 0 || n.Ejected() || !n.Stats().EjectedUntil.IsZero() {
			t.Errorf("ejected %v, events %q", n.Ejected(), got)
		}
	})
}
