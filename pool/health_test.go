package pool

import (
	"context"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// TestTally is rise 2, fall 3: verdicts as letters (p pass, b busy, f fail, l late), healths after each.
func TestTally(t *testing.T) {
	tests := []struct{ verdicts, want string }{
		{"p", "U"},
		{"b", "U"},
		{"f", "?"},
		{"ff", "??"},
		{"fff", "??D"},
		{"ffp", "??U"},
		{"lllll", "?????"},
		{"pffpff", "UUUUUU"},
		{"pfff", "UUUD"},
		{"pflff", "UUUUD"},
		{"fffpp", "??DDU"},
		{"fffpfpp", "??DDDDU"},
		{"fffbb", "??DDU"},
		{"ffflplp", "??DDDDU"},
		{"fffppff", "??DDUUU"},
		{"fffppfff", "??DDUUUD"},
	}
	verdict := map[rune]Verdict{'p': Pass, 'b': Busy, 'f': Fail, 'l': Late}
	for _, tt := range tests {
		var ta tally
		var got strings.Builder
		for _, v := range tt.verdicts {
			ta = ta.add(verdict[v], 2, 3)
			got.WriteByte("?UD"[ta.health])
		}
		if got.String() != tt.want {
			t.Errorf("%s: %s, want %s", tt.verdicts, got.String(), tt.want)
		}
	}
}

func TestTallyChanging(t *testing.T) {
	tests := []struct {
		t    tally
		want bool
	}{
		{tally{}, true},
		{tally{health: Up}, false},
		{tally{health: Up, against: 1}, true},
		{tally{health: Down}, false},
		{tally{health: Down, against: 1}, true},
	}
	for _, tt := range tests {
		if got := tt.t.changing(); got != tt.want {
			t.Errorf("%+v: changing = %v", tt.t, got)
		}
	}
}

func TestPause(t *testing.T) {
	const s = time.Second
	tests := []struct {
		name     string
		check    configs.Check
		changing bool
		took     time.Duration
		chance   float64
		want     time.Duration
	}{
		{"begins are an interval apart", configs.Check{Interval: 2 * s}, false, s / 2, 0.5, 3 * s / 2},
		{"fast is a quarter", configs.Check{Interval: 2 * s}, true, 0, 0.5, s / 2},
		{"fast as configured", configs.Check{Interval: 2 * s, Fast: s}, true, 0, 0.5, s},
		{"fast is never slower", configs.Check{Interval: 2 * s, Fast: 5 * s}, true, 0, 0.5, 2 * s},
		{"a quarter of little has a floor", configs.Check{Interval: 200 * time.Millisecond}, true, 0, 0.5, minFast},
		{"but not above the interval", configs.Check{Interval: 50 * time.Millisecond}, true, 0, 0.5, 50 * time.Millisecond},
		{"a slow check is followed soon", configs.Check{Interval: 2 * s}, true, 5 * s, 0.5, minPause},
		{"least jitter", configs.Check{Interval: 2 * s, Jitter: 0.2}, false, 0, 0, 1600 * time.Millisecond},
		{"most jitter", configs.Check{Interval: 2 * s, Jitter: 0.2}, false, 0, 1, 2400 * time.Millisecond},
	}
	for _, tt := range tests {
		if got := pause(&tt.check, tt.changing, tt.took, tt.chance); got != tt.want {
			t.Errorf("%s: %v, want %v", tt.name, got, tt.want)
		}
	}
}

// fakeNodes answers checks by node name; the default is a pass that takes a millisecond.
type fakeNodes struct {
	mu     sync.Mutex
	answer map[string]func(context.Context) (Verdict, string)
	times  map[string][]time.Time
}

func (f *fakeNodes) check(ctx context.Context, n *Node) (Verdict, string) {
	f.mu.Lock()
	f.times[n.Name()] = append(f.times[n.Name()], time.Now())
	answer := f.answer[n.Name()]
	f.mu.Unlock()
	if answer != nil {
		return answer(ctx)
	}
	time.Sleep(time.Millisecond)
	return Pass, "fine"
}

func (f *fakeNodes) set(name string, answer func(context.Context) (Verdict, string)) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.answer[name] = answer
}

// took returns when a node was checked since the last call.
func (f *fakeNodes) took(name string) []time.Time {
	f.mu.Lock()
	defer f.mu.Unlock()
	got := f.times[name]
	delete(f.times, name)
	return got
}

func refuse(context.Context) (Verdict, string) { return Fail, "connection refused" }
func busy(context.Context) (Verdict, string)   { return Busy, "status 503" }
func hang(ctx context.Context) (Verdict, string) {
	<-ctx.Done()
	return Fail, "no answer"
}

// faked is newSet with checks that reach no network.
func faked(t *testing.T) (*Set, *recorder, *fakeNodes) {
	t.Helper()
	s, r := newSet(t)
	f := &fakeNodes{answer: make(map[string]func(context.Context) (Verdict, string)), times: make(map[string][]time.Time)}
	s.fake = f.check
	return s, r, f
}

const (
	one = "10.0.0.1:9000"
	two = "10.0.0.2:9000"
)

// TestHealthLife is a node from its start through death and return, with the default times: interval
// 2s, fast 0.5s, rise 2, fall 3.
func TestHealthLife(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r, f := faked(t)
		p := commit(t, s, poolConfig(one, checked))
		n := p.Nodes()[0]
		if n.Health() != Unknown || !n.Available() {
			t.Fatal("before the first check a node must count as fit")
		}
		time.Sleep(600 * time.Millisecond)
		if n.Health() != Up {
			t.Fatal("not up after the first pass")
		}
		f.took(one)
		time.Sleep(time.Minute)
		if got := len(f.took(one)); got < 29 || got > 31 {
			t.Errorf("%d checks in a minute, want 30", got)
		}

		f.set(one, refuse)
		killed := time.Now()
		waitFor(t, func() bool { return n.Health() == Down })
		if d := time.Since(killed); d > 3*time.Second {
			t.Errorf("down after %v, want within an interval and two fast ones", d)
		}
		if n.Available() || p.Available() != 0 {
			t.Error("a node that is down is available")
		}
		st := n.Stats()
		if st.Reason != "connection refused" || st.Checks.Last.Verdict != Fail || !st.Since.After(killed) {
			t.Errorf("stats say %+v", st)
		}
		f.took(one)
		time.Sleep(time.Minute)
		if got := len(f.took(one)); got < 29 || got > 31 {
			t.Errorf("%d checks in a minute of a node that stays down, want 30", got)
		}

		f.set(one, nil)
		back := time.Now()
		waitFor(t, func() bool { return n.Health() == Up })
		if d := time.Since(back); d > 2600*time.Millisecond {
			t.Errorf("up after %v, want within an interval and one fast one", d)
		}
		want := []string{one + " unknown>up", one + " up>down", one + " down>up"}
		if got := r.take(KindHealth); !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
}

// waitFor waits in steps of 10 ms of the bubble's time.
func waitFor(t testing.TB, done func() bool) {
	t.Helper()
	for range 6000 {
		if done() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatal("it did not happen within a minute")
}

func TestDeadAtStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, f := faked(t)
		f.set(one, refuse)
		f.set(two, hang)
		p := commit(t, s, poolConfig(one+" "+two, checked))
		dead, hung := p.Nodes()[0], p.Nodes()[1]
		start := time.Now()
		waitFor(t, func() bool { return dead.Health() == Down })
		if d := time.Since(start); d > 1600*time.Millisecond { // stagger and two fast intervals
			t.Errorf("a dead node is down after %v", d)
		}
		waitFor(t, func() bool { return hung.Health() == Down })
		if d := time.Since(start); d > 3700*time.Millisecond { // stagger and three timeouts
			t.Errorf("a hung node is down after %v", d)
		}
	})
}

func TestBusy(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r, f := faked(t)
		p := commit(t, s, poolConfig(one+" "+two, checked))
		time.Sleep(time.Second)
		f.set(one, busy)
		time.Sleep(time.Minute)
		n := p.Nodes()[0]
		if n.Health() != Up || !n.Busy() || !n.Available() {
			t.Errorf("busy: health %v, busy %v, available %v", n.Health(), n.Busy(), n.Available())
		}
		for range 10 {
			if pick(t, p) == n {
				t.Fatal("a busy node got a session that another could take")
			}
		}
		f.set(two, busy)
		time.Sleep(3 * time.Second)
		if got := pick(t, p); got != n { // the other has ten sessions
			t.Error("when all are busy they are equals")
		}
		f.set(one, nil)
		time.Sleep(3 * time.Second)
		if n.Busy() {
			t.Error("still busy")
		}
		// A busy node that dies is down, not busy.
		f.set(two, refuse)
		time.Sleep(10 * time.Second)
		if m := p.Nodes()[1]; m.Health() != Down || m.Busy() {
			t.Errorf("health %v, busy %v", m.Health(), m.Busy())
		}
		// An answer of 503 proves that a node lives.
		f.set(two, busy)
		time.Sleep(10 * time.Second)
		if m := p.Nodes()[1]; m.Health() != Up || !m.Busy() {
			t.Errorf("health %v, busy %v", m.Health(), m.Busy())
		}
		want := []string{one + " no>busy", two + " no>busy", one + " busy>no", two + " busy>no", two + " no>busy"}
		if got := r.take(KindBusy); !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
}

// TestLateIsNoFailure: when this machine stalls, its timeouts say nothing about the nodes.
func TestLateIsNoFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, f := faked(t)
		p := commit(t, s, poolConfig(one, checked))
		n := p.Nodes()[0]
		time.Sleep(time.Second)
		f.set(one, func(ctx context.Context) (Verdict, string) {
			time.Sleep(5 * time.Second) // the timeout is one second, and nobody ran to notice
			return Fail, "no answer"
		})
		time.Sleep(5 * time.Minute)
		if n.Health() != Up {
			t.Error("late results took the node down")
		}
		if st := n.Stats().Checks; st.Late < 50 || st.Last.Verdict != Late || !strings.Contains(st.Last.Text, "this machine was late") {
			t.Errorf("stats say %+v", st)
		}
		f.set(one, func(ctx context.Context) (Verdict, string) {
			time.Sleep(5 * time.Second)
			return Pass, "fine, but long after" // a late pass is a pass
		})
		time.Sleep(time.Minute)
		if n.Health() != Up || n.Stats().Checks.Last.Verdict != Pass {
			t.Errorf("after late passes: %v, %+v", n.Health(), n.Stats().Checks.Last)
		}
	})
}

// TestChecksAreSpread: the nodes of a big pool are not asked at once, neither first nor later.
func TestChecksAreSpread(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, f := faked(t)
		s.log = slog.New(slog.DiscardHandler)
		p := commit(t, s, poolConfig(manyNodes(200), checked, func(c *configs.Pool) { c.Check.Jitter = 0.2 }))
		spread := func(name string, window time.Duration) {
			t.Helper()
			time.Sleep(window)
			slots := make(map[int64]int) // of 20 ms
			for _, n := range p.Nodes() {
				for _, at := range f.took(n.Name()) {
					slots[at.UnixMilli()/20]++
				}
			}
			most, sum := 0, 0
			for _, c := range slots {
				most, sum = max(most, c), sum+c
			}
			even := float64(sum) / (window.Seconds() / 0.020)
			if sum < 200 || float64(most) > 3*even+6 {
				t.Errorf("%s: %d checks, %d in one slot of 20 ms; evenly it were %.1f", name, sum, most, even)
			}
		}
		spread("the first", 500*time.Millisecond)
		time.Sleep(time.Minute)
		spread("after a minute", 20*time.Second)
	})
}

func TestMaintStopsChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r, f := faked(t)
		p := commit(t, s, poolConfig(one, checked))
		n := p.Nodes()[0]
		time.Sleep(time.Second)
		n.SetAdmin(Maint)
		f.set(one, refuse)
		time.Sleep(time.Second)
		f.took(one)
		time.Sleep(time.Hour)
		if got := f.took(one); len(got) > 0 {
			t.Errorf("%d checks in maint", len(got))
		}
		n.SetAdmin(Drain)
		time.Sleep(2 * time.Second)
		if n.Health() != Down {
			t.Error("a draining node is not checked")
		}
		n.SetAdmin(Ready)
		n.SetAdmin(Ready)
		f.set(one, nil)
		time.Sleep(3 * time.Second)
		if !n.Available() {
			t.Error("not available after ready")
		}
		want := []string{one + " ready>maint", one + " maint>drain", one + " drain>ready"}
		if got := r.take(KindAdmin); !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
}

// TestMaintDuringCheck: what a check that was under way brings home counts no more.
func TestMaintDuringCheck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, f := faked(t)
		f.set(one, func(context.Context) (Verdict, string) {
			time.Sleep(900 * time.Millisecond)
			return Fail, "refused"
		})
		p := commit(t, s, poolConfig(one, checked, func(c *configs.Pool) { c.Check.Fall = 1 }))
		n := p.Nodes()[0]
		waitFor(t, func() bool { return len(f.took(one)) > 0 })
		n.SetAdmin(Maint)
		time.Sleep(time.Minute)
		if n.Health() != Unknown {
			t.Errorf("health %v", n.Health())
		}
	})
}

// TestUpStartsSlowly: a node that comes back gets sessions bit by bit.
func TestUpStartsSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, f := faked(t)
		p := commit(t, s, poolConfig(one+" "+two, checked, balanced(configs.RoundRobin), func(c *configs.Pool) {
			c.SlowStart = time.Minute
		}))
		f.set(one, refuse)
		time.Sleep(time.Hour)
		f.set(one, nil)
		waitFor(t, p.Nodes()[0].Available)
		if got := strings.Count(letters(t, p, 200, false), "a"); got < 1 || got > 5 {
			t.Errorf("it got %d of 200", got)
		}
	})
}
