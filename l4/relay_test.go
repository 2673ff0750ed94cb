package l4

import (
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

func TestEcho(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		srv := serve(t, plain(relay, startNode(t, echo)))
		c := dial(t, srv.addr("s3"))
		c.Write([]byte("hello"))
		c.CloseWrite()
		got, err := io.ReadAll(c)
		if string(got) != "hello" || err != nil {
			t.Fatalf("got %q, %v, want hello", got, err)
		}
		r := srv.wait(1)[0]
		if r.Cause != CauseClient || r.Phase != PhaseRelay || r.BytesIn != 5 || r.BytesOut != 5 {
			t.Errorf("got record %v %v %d %d, want client relay 5 5", r.Cause, r.Phase, r.BytesIn, r.BytesOut)
		}
	})
}

// Sizes around every buffer and pipe there is, both ways at once, each with its end.
func TestSizesBothWays(t *testing.T) {
	sizes := []int{0, 1, 2, 100, 4095, 4096, 4097, 16383, 16384, 16385, 32768, 65535, 65536, 65537,
		131072, 1<<20 - 1, 1 << 20, 1<<20 + 1, 3<<20 + 7, 8 << 20, 64 << 20}
	for i := range 79 {
		sizes = append(sizes, (i+1)*(i+1)*1777)
	}
	engines(t, func(t *testing.T, relay configs.Relay) {
		type exchange struct{ up, down int }
		todo, got := make(chan exchange, 1), make(chan int, 1)
		node := startNode(t, func(c *net.TCPConn) {
			x := <-todo
			var writing sync.WaitGroup
			defer writing.Wait()
			writing.Go(func() {
				c.Write(pattern(x.down, 1))
				c.CloseWrite()
			})
			up, err := io.ReadAll(c)
			if d := diff(up, pattern(x.up, 2)); err != nil || d != "" {
				t.Errorf("%+v: node %s, %v", x, d, err)
			}
			got <- len(up)
		})
		srv := serve(t, plain(relay, node))
		var in, out uint64
		for i := range sizes {
			x := exchange{up: sizes[i], down: sizes[len(sizes)-1-i]}
			todo <- x
			c := dial(t, srv.addr("s3"))
			var writing sync.WaitGroup
			writing.Go(func() {
				c.Write(pattern(x.up, 2))
				c.CloseWrite()
			})
			down, err := io.ReadAll(c)
			if d := diff(down, pattern(x.down, 1)); err != nil || d != "" {
				t.Fatalf("%+v: client %s, %v", x, d, err)
			}
			writing.Wait()
			<-got
			c.Close()
			in, out = in+uint64(x.up), out+uint64(x.down)
		}
		for _, r := range srv.wait(len(sizes)) {
			in, out = in-r.BytesIn, out-r.BytesOut
		}
		if in != 0 || out != 0 {
			t.Errorf("the records miss %d bytes in and %d out", in, out)
		}
	})
}

// A reset is passed on as a reset, after everything that was sent before it.
func TestResetPassedOn(t *testing.T) {
	const size = 300_000
	engines(t, func(t *testing.T, relay configs.Relay) {
		t.Run("node", func(t *testing.T) {
			cut := make(chan struct{})
			node := startNode(t, func(c *net.TCPConn) {
				c.Write(pattern(size, 1))
				<-cut
				c.SetLinger(0)
			})
			srv := serve(t, plain(relay, node))
			c := dial(t, srv.addr("s3"))
			head := make([]byte, size)
			if _, err := io.ReadFull(c, head); err != nil || diff(head, pattern(size, 1)) != "" {
				t.Fatal(err, diff(head, pattern(size, 1)))
			}
			close(cut)
			if n, err := c.Read(head); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %d, %v after the reset, want ECONNRESET", n, err)
			}
			if r := srv.wait(1)[0]; r.Cause != CauseNodeReset || r.Phase != PhaseRelay {
				t.Errorf("got %v in %v, want node_reset in relay", r.Cause, r.Phase)
			}
		})
		t.Run("client", func(t *testing.T) {
			got := make(chan error, 1)
			node := startNode(t, func(c *net.TCPConn) {
				b, err := io.ReadAll(c)
				if d := diff(b, pattern(size, 2)); d != "" {
					t.Error("node:", d)
				}
				got <- err
			})
			srv := serve(t, plain(relay, node))
			c := dial(t, srv.addr("s3"))
			c.Write(pattern(size, 2))
			time.Sleep(200 * time.Millisecond)
			c.SetLinger(0)
			c.Close()
			if err := <-got; !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("node got %v, want ECONNRESET", err)
			}
			if r := srv.wait(1)[0]; r.Cause != CauseClientReset || r.Phase != PhaseRelay {
				t.Errorf("got %v in %v, want client_reset in relay", r.Cause, r.Phase)
			}
		})
	})
}

// What a node sent before its reset reaches even a client that reads late.
func TestResetWaitsForDelivery(t *testing.T) {
	const size = 4 << 20
	engines(t, func(t *testing.T, relay configs.Relay) {
		sent := make(chan int, 1)
		node := startNode(t, func(c *net.TCPConn) {
			n, _ := c.Write(pattern(size, 3))
			time.Sleep(300 * time.Millisecond)
			sent <- n
			c.SetLinger(0)
		})
		srv := serve(t, plain(relay, node))
		c := dial(t, srv.addr("s3"))
		c.SetReadBuffer(64 << 10)
		n := <-sent
		time.Sleep(100 * time.Millisecond)
		got, err := io.ReadAll(c)
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want ECONNRESET", err)
		}
		t.Logf("node sent %d, client got %d", n, len(got))
		if diff(got, pattern(size, 3)[:len(got)]) != "" {
			t.Error(diff(got, pattern(size, 3)[:len(got)]))
		}
		if r := srv.wait(1)[0]; r.Cause != CauseNodeReset || r.BytesOut != uint64(len(got)) {
			t.Errorf("got %v with %d bytes, want node_reset with the %d that arrived", r.Cause, r.BytesOut, len(got))
		}
	})
}

func TestDialElsewhere(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		srv := serve(t, plain(relay, deadAddr(t), startNode(t, echo)))
		for range 20 {
			c := dial(t, srv.addr("s3"))
			c.Write([]byte("x"))
			c.CloseWrite()
			if got, err := io.ReadAll(c); string(got) != "x" || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
		}
		for _, r := range srv.wait(20) {
			if r.Cause != CauseClient {
				t.Errorf("got %v in %v", r.Cause, r.Phase)
			}
		}
	})
}

func TestNoNodeTakesIt(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		srv := serve(t, plain(relay, deadAddr(t), deadAddr(t)))
		c, err := net.Dial("tcp", srv.addr("s3")) // the reset may even come before it is back
		if err == nil {
			defer c.Close()
			_, err = io.ReadAll(c)
		}
		if !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want ECONNRESET", err)
		}
		if r := srv.wait(1)[0]; r.Cause != CauseDial || r.Phase != PhaseDial || r.Retries != 2 {
			t.Errorf("got %v in %v after %d, want dial in dial after 2", r.Cause, r.Phase, r.Retries)
		}
	})
}

func TestIdleLimit(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cfg := plain(relay, startNode(t, echo))
		cfg.Timeouts.Idle = 600 * time.Millisecond
		srv := serve(t, cfg)
		c := dial(t, srv.addr("s3"))
		began := time.Now()
		// A byte either way now and then keeps it.
		for range 4 {
			time.Sleep(300 * time.Millisecond)
			if _, err := c.Write([]byte("x")); err != nil {
				t.Fatal(err)
			}
			c.Read(make([]byte, 1))
		}
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want ECONNRESET", err)
		}
		if took := time.Since(began); took < 1700*time.Millisecond || took > 3500*time.Millisecond {
			t.Errorf("ended after %v, want 1.8 s and a little", took)
		}
		if r := srv.wait(1)[0]; r.Cause != CauseTimeout || r.Phase != PhaseRelay {
			t.Errorf("got %v in %v, want timeout in relay", r.Cause, r.Phase)
		}
	})
}

func TestHalfCloseLimit(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		node := startNode(t, func(c *net.TCPConn) {
			io.ReadAll(c) // the client's end, and then nothing
			c.Read(make([]byte, 1))
			time.Sleep(5 * time.Second)
		})
		cfg := plain(relay, node)
		cfg.Timeouts.HalfClose = 500 * time.Millisecond
		srv := serve(t, cfg)
		c := dial(t, srv.addr("s3"))
		began := time.Now()
		c.CloseWrite()
		if _, err := c.Read(make([]byte, 1)); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %v, want ECONNRESET", err)
		}
		if took := time.Since(began); took < 450*time.Millisecond || took > 2*time.Second {
			t.Errorf("ended after %v, want half a second", took)
		}
		if r := srv.wait(1)[0]; r.Cause != CauseTimeout || r.Phase != PhaseLinger {
			t.Errorf("got %v in %v, want timeout in linger", r.Cause, r.Phase)
		}
	})
}
