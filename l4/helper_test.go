package l4

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/pool"
)

// engines runs a test over both engines: they have one behaviour.
func engines(t *testing.T, test func(t *testing.T, relay configs.Relay)) {
	t.Helper()
	for _, relay := range []configs.Relay{configs.RelayAuto, configs.RelayCopy} {
		t.Run(string(relay), func(t *testing.T) {
			leakCheck(t)
			test(t, relay)
		})
	}
}

// leakCheck fails the test if goroutines or descriptors are left when it and its clean-ups are over.
func leakCheck(t *testing.T) {
	t.Helper()
	warm := sync.OnceFunc(func() { // the runtime's own poller is opened once and stays
		ln, _ := net.Listen("tcp", "127.0.0.1:0")
		ln.Close()
	})
	warm()
	goroutines, fds := runtime.NumGoroutine(), countFDs()
	t.Cleanup(func() {
		var g, f int
		for range 300 {
			runtime.GC() // net keeps the pipes of its splice in a sync.Pool until then
			g, f = runtime.NumGoroutine(), countFDs()
			if g <= goroutines && f <= fds {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		buf := make([]byte, 1<<20)
		t.Errorf("left behind: %d goroutines, %d descriptors\n%s\n%s", g-goroutines, f-fds, listFDs(), buf[:runtime.Stack(buf, true)])
	})
}

func countFDs() int {
	entries, _ := os.ReadDir("/proc/self/fd")
	return len(entries)
}

func listFDs() string {
	entries, _ := os.ReadDir("/proc/self/fd")
	var all []string
	for _, e := range entries {
		to, _ := os.Readlink("/proc/self/fd/" + e.Name())
		all = append(all, e.Name()+" "+to)
	}
	return strings.Join(all, "\n")
}

// A testServer is a server under test, with its records.
type testServer struct {
	*Server
	t     *testing.T
	pools *pool.Set
	cfg   *configs.Config

	mu      sync.Mutex
	records []Record
}

// serve starts a server on a configuration and ends it with the test.
func serve(t *testing.T, cfg *configs.Config, change ...func(*Options)) *testServer {
	t.Helper()
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	ts := &testServer{t: t, cfg: cfg, pools: pool.NewSet(log, nil)}
	o := Options{Log: log, Pools: ts.pools, Ended: func(batch []Record) {
		ts.mu.Lock()
		defer ts.mu.Unlock()
		ts.records = append(ts.records, batch...)
	}}
	for _, f := range change {
		f(&o)
	}
	srv, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	ts.Server = srv
	t.Cleanup(func() {
		srv.Close()
		ts.pools.Close()
	})
	if err := srv.Apply(cfg); err != nil {
		t.Fatal(err)
	}
	return ts
}

// addr is where a listener is bound.
func (ts *testServer) addr(listener string) string {
	ts.t.Helper()
	for _, b := range ts.Addresses() {
		if b.Listener == listener {
			return b.Address.String()
		}
	}
	ts.t.Fatalf("no listener %q", listener)
	return ""
}

// wait waits for n records and returns them.
func (ts *testServer) wait(n int) []Record {
	ts.t.Helper()
	for range 500 {
		ts.mu.Lock()
		got := append([]Record(nil), ts.records...)
		ts.mu.Unlock()
		if len(got) >= n {
			return got
		}
		time.Sleep(10 * time.Millisecond)
	}
	ts.Views(ts.t.Context(), func(v View) bool {
		ts.t.Logf("open: session %d in %v, %d bytes in, %d out", v.ID, v.Phase, v.BytesIn, v.BytesOut)
		return true
	})
	ts.t.Fatalf("waited in vain for %d records, have %d", n, len(ts.records))
	return nil
}

// plain is a configuration with one plain listener in front of nodes that are not checked.
func plain(relay configs.Relay, nodes ...string) *configs.Config {
	cfg := configs.Default()
	ln := configs.DefaultListener()
	ln.Name, ln.Address, ln.Pool, ln.Relay = "s3", []string{"127.0.0.1:0"}, "s3", relay
	cfg.Listeners = []*configs.Listener{ln}
	cfg.Pools = []*configs.Pool{testPool("s3", nodes...)}
	return cfg
}

func testPool(name string, nodes ...string) *configs.Pool {
	p := configs.DefaultPool()
	p.Name, p.Nodes, p.Check.Type = name, nodes, configs.CheckNone
	return p
}

// startNode serves connections with handle until the test ends, and returns its address.
func startNode(t *testing.T, handle func(*net.TCPConn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if errors.Is(err, net.ErrClosed) {
				return
			}
			if err != nil {
				time.Sleep(time.Millisecond)
				continue
			}
			wg.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.Close() })()
				handle(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

// echo returns everything, then its end.
func echo(c *net.TCPConn) { io.Copy(c, c) }

// deadAddr is an address that refuses connections.
func deadAddr(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// dial connects to a server under test.
func dial(t *testing.T, addr string) *net.TCPConn {
	t.Helper()
	c, err := net.Dial("tcp", addr)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(20 * time.Second))
	return c.(*net.TCPConn)
}

// pattern is n bytes that tell where they belong. It is a view of memory that all tests share.
func pattern(n int, seed byte) []byte {
	patternMu.Lock()
	defer patternMu.Unlock()
	if len(patterns[seed]) < n {
		b := make([]byte, n)
		x := uint64(seed) + 1
		for i := 0; i < n; i += 8 {
			x = x*6364136223846793005 + 1442695040888963407
			for j := range min(8, n-i) {
				b[i+j] = byte(x >> (8 * j))
			}
		}
		patterns[seed] = b
	}
	return patterns[seed][:n]
}

var (
	patternMu sync.Mutex
	patterns  [256][]byte
)

func diff(got, want []byte) string {
	if len(got) != len(want) {
		return fmt.Sprintf("got %d bytes, want %d", len(got), len(want))
	}
	if bytes.Equal(got, want) {
		return ""
	}
	for i := range got {
		if got[i] != want[i] {
			return fmt.Sprintf("byte %d differs", i)
		}
	}
	return ""
}

// dials is how the dials of a node ended, by its address.
func (ts *testServer) dials(addr string) (ok, blamed, canceled uint64) {
	ts.t.Helper()
	for _, p := range ts.pools.Pools() {
		for _, n := range p.Nodes() {
			if n.Addr().String() == addr {
				d := n.Stats().Dials
				return d[pool.DialOK], d[pool.DialRefused] + d[pool.DialTimeout] + d[pool.DialError] + d[pool.DialUnreachable], d[pool.DialCanceled]
			}
		}
	}
	ts.t.Fatalf("no node %s", addr)
	return 0, 0, 0
}
