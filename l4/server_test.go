package l4

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// Ten thousand short sessions: none fails, and nothing is left of them (leakCheck).
func TestManyShortSessions(t *testing.T) {
	n := 10_000
	if testing.Short() {
		n = 500
	}
	engines(t, func(t *testing.T, relay configs.Relay) {
		srv := serve(t, plain(relay, startNode(t, echo), startNode(t, echo)))
		addr := srv.addr("s3")
		var wg sync.WaitGroup
		var todo atomic.Int64
		for range 32 {
			wg.Go(func() {
				for todo.Add(1) <= int64(n) {
					c, err := net.Dial("tcp", addr)
					if err != nil {
						t.Error(err)
						return
					}
					c.SetDeadline(time.Now().Add(20 * time.Second))
					c.Write([]byte("ping"))
					c.(*net.TCPConn).CloseWrite()
					if got, err := io.ReadAll(c); string(got) != "ping" || err != nil {
						t.Errorf("got %q, %v", got, err)
					}
					c.Close()
				}
			})
		}
		wg.Wait()
		for i, r := range srv.wait(n) {
			if r.Cause != CauseClient || r.BytesIn != 4 || r.BytesOut != 4 {
				t.Fatalf("session %d: %+v", i, r)
			}
		}
		if n := srv.Sessions(); n != 0 {
			t.Errorf("%d sessions are open", n)
		}
		for _, node := range srv.pools.Pools()[0].Nodes() {
			if node.Sessions() != 0 {
				t.Errorf("node %v has %d sessions", node, node.Sessions())
			}
		}
	})
}

// Clients that leave in every phase and in every way leave nothing behind.
func TestAbortsInEveryPhase(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		hello := samples(t)[6].bytes
		silent := startNode(t, func(c *net.TCPConn) { io.ReadAll(c) })
		flood := startNode(t, func(c *net.TCPConn) { c.Write(pattern(8<<20, 1)) })
		cfg := routed(relay, []string{"*.shop.test"}, silent, flood)
		cfg.Pools[0].Nodes = []string{silent, deadAddr(t)}
		cfg.Timeouts.FirstByte = 30 * time.Millisecond
		srv := serve(t, cfg)
		aborts := []func(*net.TCPConn){
			func(c *net.TCPConn) { c.Close() },
			func(c *net.TCPConn) { c.SetLinger(0); c.Close() },
			func(c *net.TCPConn) { c.CloseWrite(); time.Sleep(10 * time.Millisecond); c.SetLinger(0); c.Close() },
		}
		sends := [][]byte{nil, hello[:1], hello[:700], hello, append(bytes.Clone(hello), "more"...),
			[]byte("GET / HTTP/1.1\r\n\r\n"), samples(t)[2].bytes}
		n := 0
		var wg sync.WaitGroup
		for range 5 {
			for _, abort := range aborts {
				for _, send := range sends {
					for _, wait := range []time.Duration{0, time.Millisecond, 50 * time.Millisecond} {
						n++
						wg.Go(func() {
							c, err := net.Dial("tcp", srv.addr("tls"))
							if err != nil {
								t.Error(err)
								return
							}
							c.Write(send)
							time.Sleep(wait)
							abort(c.(*net.TCPConn))
						})
					}
				}
			}
		}
		wg.Wait()
		srv.wait(n)
		if left := srv.Sessions(); left != 0 {
			t.Errorf("%d sessions are open", left)
		}
		if left := srv.pending.Load(); left != 0 {
			t.Errorf("%d sessions are pending", left)
		}
	})
}

// Without descriptors the listener waits and comes back; it neither ends nor spins.
func TestAcceptOutOfDescriptors(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		srv := serve(t, plain(relay, teller(t, "node")))
		addr := srv.addr("s3")
		if !attempt1(addr) {
			t.Fatal("no session to begin with")
		}
		clients := make([]*net.TCPConn, 3)
		var lim syscall.Rlimit
		if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &lim); err != nil {
			t.Fatal(err)
		}
		low := lim
		low.Cur = uint64(countFDs() + 4) // the clients', and nothing for the server's side of them
		if err := syscall.Setrlimit(syscall.RLIMIT_NOFILE, &low); err != nil {
			t.Fatal(err)
		}
		func() {
			defer syscall.Setrlimit(syscall.RLIMIT_NOFILE, &lim)
			for i := range clients {
				c, err := net.Dial("tcp", addr)
				if err != nil {
					break
				}
				clients[i] = c.(*net.TCPConn)
			}
			var before, after syscall.Rusage
			syscall.Getrusage(syscall.RUSAGE_SELF, &before)
			time.Sleep(500 * time.Millisecond)
			syscall.Getrusage(syscall.RUSAGE_SELF, &after)
			if used := time.Duration(after.Utime.Nano() + after.Stime.Nano() - before.Utime.Nano() - before.Stime.Nano()); used > 200*time.Millisecond {
				t.Errorf("used %v of processor time in half a second without descriptors", used)
			}
		}()
		for _, c := range clients {
			if c != nil {
				c.Close()
			}
		}
		began := time.Now()
		for !attempt1(addr) {
			if time.Since(began) > 10*time.Second {
				t.Fatal("the listener did not come back")
			}
		}
	})
}

func TestReload(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cfg := plain(relay, teller(t, "old"))
		// A second listener keeps its socket through everything.
		stays := configs.DefaultListener()
		stays.Name, stays.Address, stays.Pool, stays.Relay = "stays", []string{"127.0.0.1:0"}, "s3", relay
		cfg.Listeners = append(cfg.Listeners, stays)
		srv := serve(t, cfg)
		addr := srv.addr("s3")
		held := dial(t, addr)
		greeting := make([]byte, 4)
		io.ReadFull(held, greeting)

		// A load that must not notice anything.
		ctx, cancel := context.WithCancel(t.Context())
		var wg sync.WaitGroup
		var served atomic.Int64
		for range 4 {
			wg.Go(func() {
				for ctx.Err() == nil {
					if !attempt1(addr) {
						t.Error("a session failed during reloads")
						return
					}
					served.Add(1)
				}
			})
		}
		next := *cfg
		next.Pools = []*configs.Pool{testPool("s3", teller(t, "new"))}
		for i := range 20 {
			c := cfg
			if i%2 == 0 {
				c = &next
			}
			if err := srv.Apply(c); err != nil {
				t.Fatal(err)
			}
			// A configuration with an address that is taken: nothing of it happens.
			bad := *c
			taken := *c.Listeners[0]
			taken.Name, taken.Address = "bad", []string{srv.addr("stays")}
			bad.Listeners = append([]*configs.Listener{&taken}, c.Listeners...)
			bad.Pools = []*configs.Pool{testPool("s3", deadAddr(t))}
			if err := srv.Apply(&bad); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "in use") {
				t.Fatalf("got %v, want address in use", err)
			}
		}
		if err := srv.Apply(&next); err != nil {
			t.Fatal(err)
		}
		cancel()
		wg.Wait()
		if got := srv.addr("s3"); got != addr {
			t.Errorf("the listener moved to %s", got)
		}
		got, _ := ask(t, addr, 0)
		if string(got) != "new\n" {
			t.Errorf("got %q after the reload, want new", got)
		}
		// The session from before is where it was.
		held.Write([]byte("still here"))
		held.CloseWrite()
		if rest, err := io.ReadAll(held); string(rest) != "still here" || err != nil {
			t.Errorf("got %q, %v from the session that was held", rest, err)
		}
		t.Logf("%d sessions during 40 reloads", served.Load())
		// A listener that is no longer listed stops listening.
		gone := next
		gone.Listeners = next.Listeners[1:]
		if err := srv.Apply(&gone); err != nil {
			t.Fatal(err)
		}
		if c, err := net.Dial("tcp", addr); err == nil {
			c.Close()
			t.Error("the listener that is gone still takes connections")
		}
	})
}

// A reload may change who moves a listener's bytes; the socket stays, and what waits in it.
func TestReloadChangesEngine(t *testing.T) {
	leakCheck(t)
	cfg := plain(configs.RelayAuto, teller(t, "node"))
	srv := serve(t, cfg)
	addr := srv.addr("s3")
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(t.Context())
	for range 4 {
		wg.Go(func() {
			for ctx.Err() == nil {
				if !attempt1(addr) {
					t.Error("a session failed while the engine changed")
					return
				}
			}
		})
	}
	for i := range 20 {
		next := *cfg
		ln := *cfg.Listeners[0]
		if i%2 == 0 {
			ln.Relay = configs.RelayCopy
		}
		next.Listeners = []*configs.Listener{&ln}
		if err := srv.Apply(&next); err != nil {
			t.Fatal(err)
		}
		// Under the race detector sync.Pool drops some of the pipes that io.Copy keeps there. Their descriptors are
		// closed by a collection, and thousands of sessions would not live to see it.
		runtime.GC()
		time.Sleep(10 * time.Millisecond)
	}
	cancel()
	wg.Wait()
}

func TestShutdownWaitsThenCuts(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		srv := serve(t, plain(relay, teller(t, "node")))
		addr := srv.addr("s3")
		quick, slow := dial(t, addr), dial(t, addr)
		for _, c := range []*net.TCPConn{quick, slow} {
			io.ReadFull(c, make([]byte, 5))
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		done := make(chan error)
		go func() { done <- srv.Shutdown(ctx) }()
		time.Sleep(100 * time.Millisecond)
		if c, err := net.DialTimeout("tcp", addr, 500*time.Millisecond); err == nil {
			c.Close()
			t.Error("a draining server takes connections")
		}
		quick.Write([]byte("x"))
		quick.CloseWrite()
		if got, err := io.ReadAll(quick); string(got) != "x" || err != nil {
			t.Errorf("a session was not let finish: %q, %v", got, err)
		}
		if err := <-done; err == nil || !strings.Contains(err.Error(), "1 sessions left") {
			t.Errorf("got %v, want one session left", err)
		}
		srv.Close()
		if _, err := slow.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want ECONNRESET", err)
		}
		causes := map[Cause]int{}
		for _, r := range srv.wait(2) {
			causes[r.Cause]++
		}
		if causes[CauseClient] != 1 || causes[CauseDrained] != 1 {
			t.Errorf("got causes %v", causes)
		}
	})
}

// What waits in the kernel's queue when a server is told to drain is served: those clients believe
// themselves connected.
func TestShutdownServesTheQueue(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		srv := serve(t, plain(relay, teller(t, "node")))
		addr := srv.addr("s3")
		var wg sync.WaitGroup
		var failed atomic.Int64
		start := make(chan struct{})
		for range 200 {
			wg.Go(func() {
				<-start
				c, err := net.Dial("tcp", addr)
				if err != nil {
					return // refused: it came later
				}
				defer c.Close()
				c.SetDeadline(time.Now().Add(10 * time.Second))
				if n, err := c.Read(make([]byte, 16)); n == 0 {
					failed.Add(1)
					t.Logf("connected and cut: %v", err)
				}
			})
		}
		close(start)
		time.Sleep(2 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		if err := srv.Shutdown(ctx); err != nil {
			t.Error(err)
		}
		wg.Wait()
		if n := failed.Load(); n > 0 {
			t.Errorf("%d clients were connected and cut", n)
		}
	})
}

func TestIPv6AndDualStack(t *testing.T) {
	if c, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skip("no IPv6 here: ", err)
	} else {
		c.Close()
	}
	engines(t, func(t *testing.T, relay configs.Relay) {
		six, err := net.Listen("tcp6", "[::1]:0")
		if err != nil {
			t.Fatal(err)
		}
		defer six.Close()
		go func() {
			for {
				c, err := six.Accept()
				if err != nil {
					return
				}
				io.WriteString(c, "six\n")
				c.Close()
			}
		}()
		cfg := plain(relay, six.Addr().String())
		cfg.Listeners[0].Address = []string{":0"}
		srv := serve(t, cfg)
		_, port, _ := net.SplitHostPort(srv.addr("s3"))
		for _, host := range []string{"127.0.0.1", "::1"} {
			if got, err := ask(t, net.JoinHostPort(host, port), 0); string(got) != "six\n" || err != nil {
				t.Errorf("over %s: got %q, %v", host, got, err)
			}
		}
		clients := map[string]bool{}
		for _, r := range srv.wait(2) {
			clients[r.Client.Addr().String()] = true
		}
		if !clients["127.0.0.1"] || !clients["::1"] {
			t.Errorf("got clients %v", clients)
		}
	})
}
