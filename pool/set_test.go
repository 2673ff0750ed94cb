package pool

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/sluicelb/sluice/configs"
)

func TestReloadKeepsState(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r, f := faked(t)
		f.set(two, refuse)
		p := commit(t, s, poolConfig(one+" "+two+" 10.0.0.3:9000", checked))
		time.Sleep(10 * time.Second)
		p.Nodes()[0].SetAdmin(Drain)
		held := pick(t, p)
		held.AddBytes(1, 2)
		held.Dialed(nil, time.Millisecond)
		r.take(KindHealth)
		for _, n := range p.Nodes() {
			f.took(n.Name())
		}

		// Another balance and order, one node more, weights: what is known of the others stays.
		for i := range 20 {
			q := commit(t, s, poolConfig("10.0.0.4:9000 10.0.0.3:9000 "+two+" "+one, checked,
				balanced(configs.RoundRobin), func(c *configs.Pool) { c.Weights = map[string]int{one: i} }))
			if q == p || q.Nodes()[3] != p.Nodes()[0] || q.Nodes()[2] != p.Nodes()[1] || q.Nodes()[1] != p.Nodes()[2] {
				t.Fatal("nodes are not the same")
			}
			if q.Nodes()[3].Admin() != Drain || q.Nodes()[2].Health() != Down {
				t.Fatal("admin or health is lost")
			}
			time.Sleep(100 * time.Millisecond)
		}
		time.Sleep(2 * time.Second)
		st := held.Stats()
		if st.Sessions != 1 || st.BytesIn != 1 || st.BytesOut != 2 || st.Dials[DialOK] != 1 {
			t.Errorf("counters: %+v", st)
		}
		// Twenty reloads in two seconds neither starve the checks nor double them.
		if got := len(f.took(one)); got < 1 || got > 3 {
			t.Errorf("%d checks in 4 s around reloads, want 2", got)
		}
		if got := r.take(KindHealth); !slices.Equal(got, []string{"10.0.0.4:9000 unknown>up"}) {
			t.Errorf("events %q", got)
		}
	})
}

func TestReloadChangesChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r, f := faked(t)
		f.set(one, refuse)
		f.set(two, busy)
		p := commit(t, s, poolConfig(one+" "+two, checked))
		n := p.Nodes()[0]
		time.Sleep(10 * time.Second)
		r.take(KindHealth)
		r.take(KindBusy)

		commit(t, s, poolConfig(one+" "+two)) // type none
		if n.Health() != Unknown || !n.Available() || p.Nodes()[1].Busy() {
			t.Error("a node that is not checked any more must be unknown")
		}
		got := append(r.take(KindHealth), r.take(KindBusy)...)
		if want := []string{one + " down>unknown", two + " up>unknown", two + " busy>no"}; !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
		f.took(one)
		time.Sleep(time.Minute)
		if got := f.took(one); len(got) > 0 {
			t.Errorf("%d checks", len(got))
		}

		f.set(one, nil)
		commit(t, s, poolConfig(one, checked, func(c *configs.Pool) { c.Check.Interval = time.Hour }))
		time.Sleep(time.Hour / 4)
		if n.Health() != Up {
			t.Error("not checked again")
		}
		commit(t, s, poolConfig(one, checked)) // back to 2 s: it must not sleep out the hour
		f.took(one)
		time.Sleep(20 * time.Second)
		if got := len(f.took(one)); got < 10 {
			t.Errorf("%d checks in 20 s after the interval became 2 s", got)
		}
	})
}

func TestRetire(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r, f := faked(t)
		p := commit(t, s, poolConfig(one+" "+two, checked))
		time.Sleep(time.Second)
		var gone *Node
		for gone == nil || gone.Name() != two {
			gone = pick(t, p)
		}
		gone.SetAdmin(Drain)
		r.take(KindMember)

		commit(t, s, poolConfig(one, checked))
		f.took(two)
		time.Sleep(time.Minute)
		if got := f.took(two); len(got) > 0 {
			t.Errorf("a retired node was checked %d times", len(got))
		}
		if got := s.Retired(); len(got) != 1 || got[0] != gone {
			t.Fatalf("retired: %v", got)
		}
		gone.AddBytes(5, 7)
		if st := gone.Stats(); st.Sessions != 1 || st.BytesOut != 7 {
			t.Errorf("a retired node's counters: %+v", st)
		}
		for range 10 {
			gone.Dialed(context.DeadlineExceeded, time.Second)
		}
		if gone.Ejected() {
			t.Error("a retired node was ejected")
		}

		// It comes back while its session lives: the same node, its health asked for anew.
		p = commit(t, s, poolConfig(one+" "+two, checked))
		if p.Nodes()[1] != gone || gone.Health() != Unknown || gone.Admin() != Drain || gone.Sessions() != 1 {
			t.Errorf("after the return: %v %v %v", gone.Health(), gone.Admin(), gone.Sessions())
		}
		time.Sleep(time.Second)
		if gone.Health() != Up || len(s.Retired()) != 0 {
			t.Errorf("health %v, retired %v", gone.Health(), s.Retired())
		}

		commit(t, s, poolConfig(one, checked))
		gone.Release()
		if got := s.Retired(); len(got) != 0 {
			t.Errorf("retired without sessions: %v", got)
		}
		p = commit(t, s, poolConfig(one+" "+two, checked))
		if p.Nodes()[1] == gone {
			t.Error("a forgotten node came back")
		}
		want := []string{two + " >removed", two + " >added", two + " >removed", two + " >added"}
		if got := r.take(KindMember); !slices.Equal(got, want) {
			t.Errorf("events %q, want %q", got, want)
		}
	})
}

// TestReturnForgetsChecks: what was counted before a node left says nothing about the one that returns.
func TestReturnForgetsChecks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, f := faked(t)
		n := pick(t, commit(t, s, poolConfig(one, checked)))
		f.set(one, refuse)
		time.Sleep(10 * time.Second)
		commit(t, s, poolConfig(two, checked))
		f.set(one, nil)
		f.took(one)
		if back := commit(t, s, poolConfig(one, checked)).Nodes()[0]; back != n || n.Health() != Unknown {
			t.Fatalf("health %v", n.Health())
		}
		waitFor(t, func() bool { return n.Health() != Unknown })
		if got := len(f.took(one)); n.Health() != Up || got != 1 {
			t.Errorf("%v after %d checks", n.Health(), got)
		}
	})
}

// TestOldPoolStillPicks: a session that holds the pool of before a reload is served.
func TestOldPoolStillPicks(t *testing.T) {
	s, _ := newSet(t)
	old := commit(t, s, poolConfig(one))
	other := poolConfig(two)
	other.Name = "other"
	commit(t, s, other)
	if n := pick(t, old); n.Name() != one {
		t.Errorf("picked %v", n)
	}
}

func TestPrepareChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, r, f := faked(t)
		p := commit(t, s, poolConfig(one, checked))
		time.Sleep(time.Second)
		r.take(KindMember)
		r.take(KindHealth)
		next, err := s.Prepare([]*configs.Pool{poolConfig(two, checked)})
		if err != nil {
			t.Fatal(err)
		}
		time.Sleep(time.Minute)
		if got := f.took(two); len(got) > 0 {
			t.Error("a prepared node is checked")
		}
		if got := pick(t, next.Pool("s3")); got.Name() != two {
			t.Errorf("a prepared pool picks %v", got)
		}
		if next.Pool("none") != nil {
			t.Error("a pool from nowhere")
		}
		if s.Pools()[0] != p || p.Nodes()[0].Health() != Up || len(r.events) != 0 {
			t.Errorf("the pools in use changed: %v", r.events)
		}
		next.Discard()
		if p.Nodes()[0].Health() != Up {
			t.Error("discard changed something")
		}
	})
}

// TestOvertaken: of two prepared configurations the one committed last holds, and no node is made twice.
func TestOvertaken(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, f := faked(t)
		a, _ := s.Prepare([]*configs.Pool{poolConfig(one+" "+two, checked)})
		b, _ := s.Prepare([]*configs.Pool{poolConfig(one, checked)})
		a.Commit()
		kept := s.Pools()[0].Nodes()[0]
		b.Commit()
		if got := s.Pools()[0].Nodes(); len(got) != 1 || got[0] != kept {
			t.Errorf("nodes %v", got)
		}
		a.Commit() // the node in between was dropped: it is made anew
		time.Sleep(10 * time.Second)
		for _, n := range s.Pools()[0].Nodes() {
			if n.Health() != Up {
				t.Errorf("%v is %v", n, n.Health())
			}
			if got := len(f.took(n.Name())); got > 6 {
				t.Errorf("%v was checked %d times in 10 s", n, got)
			}
		}
	})
}

func TestCloseStops(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, _, f := faked(t)
		f.set(one, hang)
		next, _ := s.Prepare([]*configs.Pool{poolConfig(two, checked)})
		p := commit(t, s, poolConfig(one, checked, func(c *configs.Pool) { c.Check.Timeout = time.Hour }))
		time.Sleep(time.Second)
		if len(ours()) == 0 {
			t.Error("the helper that counts goroutines doesn't see a watch")
		}
		start := time.Now()
		s.Close()
		if d := time.Since(start); d > 0 {
			t.Errorf("Close waited %v for a check", d)
		}
		p.Nodes()[0].SetAdmin(Maint)
		p.Nodes()[0].SetAdmin(Ready)
		next.Commit()
		time.Sleep(time.Hour)
		if got := f.took(two); len(got) > 0 {
			t.Error("a commit after Close started checks")
		}
		s.Close()
	})
}

func TestPrepareErrors(t *testing.T) {
	tests := []struct {
		edit func(*configs.Pool)
		want string
	}{
		{func(c *configs.Pool) { c.Nodes = []string{"10.0.0.1"} }, `pool "s3": node "10.0.0.1": must be host:port`},
		{func(c *configs.Pool) { c.Nodes = []string{":9000"} }, `pool "s3": node ":9000": must be host:port`},
		{func(c *configs.Pool) { c.Nodes = []string{"minio:http"} }, `pool "s3": node "minio:http": the port must be 1 to 65535`},
		{func(c *configs.Pool) { c.Nodes = []string{"minio:0"} }, `pool "s3": node "minio:0": the port must be 1 to 65535`},
		{func(c *configs.Pool) { c.Check.Type = "ping" }, `pool "s3": check.type "ping": not known (minio, http, tcp, tls or none)`},
		{func(c *configs.Pool) { c.Check.Type, c.Check.Path = configs.CheckHTTP, "health" }, `pool "s3": check.path "health": must be a path that begins with /`},
		{func(c *configs.Pool) { c.Check.Type, c.TLS.CA = configs.CheckTLS, "testdata/none.pem" }, `pool "s3": tls.ca: open testdata/none.pem: no such file or directory`},
		{func(c *configs.Pool) { c.Check.Type, c.TLS.CA = configs.CheckTLS, "health_test.go" }, `pool "s3": tls.ca: "health_test.go" holds no PEM certificate`},
		{func(c *configs.Pool) { c.Check.Type, c.TLS.Cert = configs.CheckTLS, "c.pem" }, `pool "s3": tls.cert and tls.key: one is given without the other`},
		{func(c *configs.Pool) { c.Check.Type, c.TLS.Cert, c.TLS.Key = configs.CheckTLS, "c.pem", "k.pem" }, `pool "s3": tls.cert "c.pem", tls.key "k.pem": open c.pem: no such file or directory`},
	}
	s, _ := newSet(t)
	for _, tt := range tests {
		next, err := s.Prepare([]*configs.Pool{poolConfig(one, tt.edit)})
		if err == nil || err.Error() != tt.want || next != nil {
			t.Errorf("got  %v\nwant %s", err, tt.want)
		}
	}
	_, err := s.Prepare([]*configs.Pool{poolConfig("x"), poolConfig(one), poolConfig(one)})
	want := "pool \"s3\": node \"x\": must be host:port\npool \"s3\": there are two of that name"
	if fmt.Sprint(err) != want {
		t.Errorf("all at once: %v", err)
	}
	if len(s.Pools()) != 0 {
		t.Error("errors left pools behind")
	}
}
