package l4

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/pool"
)

// say sends a text through a session and waits for its echo.
func say(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	if _, err := io.ReadFull(c, make([]byte, len(text))); err != nil {
		t.Fatal(err)
	}
}

// views returns all of them.
func (ts *testServer) views() (all []View) {
	ts.t.Helper()
	if err := ts.Views(ts.t.Context(), func(v View) bool { all = append(all, v); return true }); err != nil {
		ts.t.Fatal(err)
	}
	return all
}

func TestViews(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		node := startNode(t, echo)
		srv := serve(t, plain(relay, node))
		var conns []*net.TCPConn
		for range 3 * maxGlimpses / 2 { // more than one look at a loop
			c := dial(t, srv.addr("s3"))
			say(t, c, "hello")
			conns = append(conns, c)
		}
		seen := map[uint64]View{}
		for _, v := range srv.views() {
			seen[v.ID] = v
		}
		if len(seen) != len(conns) {
			t.Fatalf("got %d sessions, want %d", len(seen), len(conns))
		}
		for id, v := range seen {
			if v.Cause != CauseNone || v.Phase != PhaseRelay || v.Node != node || v.Pool != "s3" || v.Route != "default" ||
				v.BytesIn != 5 || v.BytesOut != 5 || v.Duration <= 0 || v.Idle < 0 || v.Idle > v.Duration {
				t.Errorf("session %d: got %+v", id, v)
			}
		}
		n := 0
		srv.Views(t.Context(), func(View) bool { n++; return n < 7 })
		if n != 7 {
			t.Errorf("got %d views, want the 7 that were wanted", n)
		}
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		if err := srv.Views(ctx, func(View) bool { t.Error("a view for nobody"); return true }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want that it was cancelled", err)
		}
	})
}

// TestViewsOfAClosedServer: it has no sessions, and nobody waits for loops that have ended.
func TestViewsOfAClosedServer(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		srv := serve(t, plain(relay, startNode(t, echo)))
		say(t, dial(t, srv.addr("s3")), "hello")
		srv.Close()
		if got := srv.views(); len(got) != 0 || srv.Kill(1) {
			t.Errorf("got %+v, and one more could be killed", got)
		}
		srv.NodeDown(nil)
		srv.Paths()
	})
}

// TestViewsWhileSessionsComeAndGo looks and kills while sessions begin and end, for the race detector.
func TestViewsWhileSessionsComeAndGo(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		srv := serve(t, plain(relay, startNode(t, echo)))
		var over atomic.Bool
		done := make(chan struct{})
		go func() {
			defer close(done)
			for !over.Load() {
				for _, v := range srv.views() {
					if v.ID%5 == 0 {
						srv.Kill(v.ID)
					}
				}
			}
		}()
		killed := 0
		for range 300 {
			c, err := net.Dial("tcp", srv.addr("s3"))
			if err != nil { // killed at once
				killed++
				continue
			}
			c.SetDeadline(time.Now().Add(20 * time.Second))
			io.WriteString(c, "hello")
			if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
				killed++
			}
			c.Close()
		}
		over.Store(true)
		<-done
		causes := map[Cause]int{}
		for _, r := range srv.wait(300) {
			causes[r.Cause]++
		}
		if causes[CauseClient]+causes[CauseKilled] != 300 || causes[CauseKilled] < killed {
			t.Errorf("got %v, %d clients saw a cut", causes, killed)
		}
	})
}

func TestKillIsAReset(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cut := make(chan error, 2)
		node := startNode(t, func(c *net.TCPConn) {
			_, err := io.Copy(c, c)
			cut <- err
		})
		srv := serve(t, plain(relay, node))
		a, b := dial(t, srv.addr("s3")), dial(t, srv.addr("s3"))
		say(t, a, "hello")
		say(t, b, "hello")
		if srv.Kill(99) || !srv.Kill(1) {
			t.Error("Kill(99) or not Kill(1)")
		}
		if _, err := a.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the client sees %v, want ECONNRESET", err)
		}
		if err := <-cut; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("the node sees %v, want ECONNRESET", err)
		}
		say(t, b, "the other goes on")
		if r := srv.wait(1)[0]; r.Cause != CauseKilled || r.Phase != PhaseRelay || r.ID != 1 {
			t.Errorf("got %v in %v of session %d, want killed in relay of 1", r.Cause, r.Phase, r.ID)
		}
	})
}

// TestNodeDownCloses: the sessions of a node that is down are ended, those of others are not.
func TestNodeDownCloses(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cfg := plain(relay, startNode(t, echo), startNode(t, echo))
		cfg.Pools[0].Balance = configs.RoundRobin
		srv := serve(t, cfg)
		conns := map[string]*net.TCPConn{}
		for range 4 {
			c := dial(t, srv.addr("s3"))
			say(t, c, "hello")
			conns[c.LocalAddr().String()] = c
		}
		down := srv.pools.Pools()[0].Nodes()[0]
		srv.NodeDown(down)
		for _, r := range srv.wait(2) {
			if r.Cause != CauseNodeDown || r.Node != down.Name() {
				t.Errorf("got %v of node %s, want node_down of %s", r.Cause, r.Node, down)
			}
			if _, err := conns[r.Client.String()].Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("the client sees %v, want ECONNRESET", err)
			}
			delete(conns, r.Client.String())
		}
		for _, c := range conns {
			say(t, c, "still here")
		}
		if n := srv.Sessions(); n != 2 || down.Sessions() != 0 {
			t.Errorf("got %d sessions, %d on the node that is down; want 2 and 0", n, down.Sessions())
		}
	})
}

// TestNodeDownInThePool has a check find a node dead, and the pool's on_down decide.
func TestNodeDownInThePool(t *testing.T) {
	node := startNode(t, echo)
	health := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }))
	defer health.Close()
	cfg := plain(configs.RelayAuto, node)
	cfg.Pools[0].OnDown = configs.Close
	cfg.Pools[0].Check = configs.DefaultPool().Check
	cfg.Pools[0].Check.Type, cfg.Pools[0].Check.Interval = configs.CheckHTTP, 20*time.Millisecond
	cfg.Pools[0].Check.Port = health.Listener.Addr().(*net.TCPAddr).Port
	var srv *Server
	pools := pool.NewSet(testLog(t), func(e pool.Event) {
		if e.Kind == pool.KindHealth && e.New == pool.Down.String() {
			srv.NodeDown(e.Node)
		}
	})
	srv, err := New(Options{Pools: pools})
	if err != nil {
		t.Fatal(err)
	}
	defer pools.Close()
	defer srv.Close()
	if err := srv.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	c := dial(t, srv.Addresses()[0].Address.String())
	say(t, c, "hello")
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
		t.Errorf("the client sees %v, want ECONNRESET once the node is down", err)
	}
}

// TestBytesAreCounted compares what a session moved with what its route, its node and its path say, while it
// lives (in the reactor) and afterwards.
func TestBytesAreCounted(t *testing.T) {
	const bulk = 8 << 20
	engines(t, func(t *testing.T, relay configs.Relay) {
		srv := serve(t, plain(relay, startNode(t, echo)))
		c := dial(t, srv.addr("s3"))
		say(t, c, "hello")
		node := srv.pools.Pools()[0].Nodes()[0]
		counted := func() (in, out, nodeIn, nodeOut uint64, p Paths) {
			for _, r := range srv.Listeners()[0].Routes() {
				i, o := r.Bytes()
				in, out = in+i, out+o
			}
			st := node.Stats()
			return in, out, st.BytesIn, st.BytesOut, srv.Paths()
		}
		if relay == configs.RelayAuto {
			deadline := time.Now().Add(5 * time.Second)
			for {
				in, out, nodeIn, nodeOut, p := counted()
				if in == 5 && out == 5 && nodeIn == 5 && nodeOut == 5 && p == (Paths{Copy: 10}) {
					break
				}
				if time.Now().After(deadline) {
					t.Fatalf("of a session that lives: got %d, %d, node %d, %d, paths %+v; want 5 each, 10 by copy", in, out, nodeIn, nodeOut, p)
				}
				time.Sleep(time.Millisecond)
			}
		}
		go c.Write(pattern(bulk, 1))
		if _, err := io.CopyN(io.Discard, c, bulk); err != nil {
			t.Fatal(err)
		}
		if v := srv.views(); len(v) != 1 || v[0].BytesIn != bulk+5 || v[0].BytesOut != bulk+5 || v[0].Path != "splice" {
			t.Errorf("of a session that lives: got %+v, want %d bytes each way, by splice", v, bulk+5)
		}
		c.CloseWrite()
		io.Copy(io.Discard, c)
		c.Close()
		r := srv.wait(1)[0]
		in, out, nodeIn, nodeOut, p := counted()
		const want = bulk + 5
		if in != want || out != want || nodeIn != want || nodeOut != want || r.BytesIn != want || r.BytesOut != want {
			t.Errorf("got route %d, %d, node %d, %d, record %d, %d; want %d each", in, out, nodeIn, nodeOut, r.BytesIn, r.BytesOut, want)
		}
		if p.Splice+p.Copy != 2*want || p.Splice < want || p.TLS != 0 {
			t.Errorf("got paths %+v, want %d in all, most of it by splice", p, 2*want)
		}
	})
}

func TestHelloSizes(t *testing.T) {
	var z sizes
	for _, size := range []int{1, 256, 257, 65536, 65537} {
		z.add(size)
	}
	h, last := z.snapshot(), len(sizeBounds)
	if h.Counts[0] != 2 || h.Counts[1] != 1 || h.Counts[last-1] != 1 || h.Counts[last] != 1 || h.Sum != 1+256+257+65536+65537 {
		t.Errorf("got %+v", h)
	}
}

func testLog(t *testing.T) *slog.Logger { return slog.New(slog.NewTextHandler(t.Output(), nil)) }
