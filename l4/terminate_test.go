package l4

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// site is the name that clients of these tests ask for.
const site = "s3.example.net"

// terminating is a configuration with one listener that ends TLS in front of nodes that are not checked.
func terminating(certs []*configs.Certificate, nodes ...string) *configs.Config {
	cfg := plain(configs.RelayAuto, nodes...)
	cfg.Listeners[0].TLS = configs.Terminate
	cfg.Listeners[0].Certificates = certs
	return cfg
}

// client is the configuration of a client that trusts an authority.
func (a *authority) client() *tls.Config {
	return &tls.Config{RootCAs: a.trust(), ServerName: site}
}

// secure is dial and a handshake.
func secure(t *testing.T, addr string, cfg *tls.Config) *tls.Conn {
	t.Helper()
	c := tls.Client(dial(t, addr), cfg)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

func TestTerminateEcho(t *testing.T) {
	leakCheck(t)
	ca := newAuthority(t, "test CA")
	srv := serve(t, terminating([]*configs.Certificate{ca.issue("ecdsa", nil, site).written(t)}, startNode(t, echo)))
	c := secure(t, srv.addr("s3"), ca.client())
	c.Write([]byte("hello"))
	c.CloseWrite()
	got, err := io.ReadAll(c)
	if string(got) != "hello" || err != nil {
		t.Fatalf("got %q, %v, want hello", got, err)
	}
	c.Close()
	r := srv.wait(1)[0]
	if r.Cause != CauseClient || r.Phase != PhaseRelay || r.BytesIn != 5 || r.BytesOut != 5 || r.Path != "tls" || r.ServerName != site {
		t.Errorf("got record %+v, want client relay 5 5 tls", r)
	}
}

// Sizes around every buffer and record there is, both ways at once, each with its end; to nodes without TLS and
// with it, by both versions.
func TestTerminateSizes(t *testing.T) {
	leakCheck(t)
	sizes := []int{0, 1, 2, 100, 1000, 4096, 16383, 16384, 16385, 32768, plainSize - 1, plainSize, plainSize + 1,
		bufferSize, bufferSize + 1, 128 << 10, 1<<20 - 1, 3<<20 + 7}
	for i := range 20 {
		sizes = append(sizes, (i+1)*(i+1)*1777)
	}
	ca := newAuthority(t, "test CA")
	type exchange struct{ up, down int }
	todo, got := make(chan exchange, 1), make(chan struct{}, 1)
	handle := func(c halfCloser) {
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
		got <- struct{}{}
	}
	nodeConfig := &tls.Config{Certificates: []tls.Certificate{ca.issue("ecdsa", nil, "127.0.0.1").pair()}}
	nodes := map[string]string{
		"plain": startNode(t, func(c *net.TCPConn) { handle(c) }),
		"tls": startNode(t, func(c *net.TCPConn) {
			s := tls.Server(c, nodeConfig)
			if err := s.Handshake(); err != nil {
				t.Error("node:", err)
				return
			}
			handle(s)
		}),
	}
	cert := ca.issue("ecdsa", nil, site).written(t)
	caFile := files(t).Cert
	replaceFile(t, caFile, certPEM(ca.cert))
	for kind, node := range nodes {
		for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
			t.Run(kind+" "+tls.VersionName(version), func(t *testing.T) {
				cfg := terminating([]*configs.Certificate{cert}, node)
				cfg.Pools[0].TLS = configs.NodeTLS{Enabled: kind == "tls", CA: caFile}
				srv := serve(t, cfg)
				client := ca.client()
				client.MaxVersion = version
				var in, out uint64
				for i := range sizes {
					x := exchange{up: sizes[i], down: sizes[len(sizes)-1-i]}
					todo <- x
					c := secure(t, srv.addr("s3"), client)
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
					if !r.Cause.orderly() {
						t.Errorf("got %+v", r)
					}
				}
				if in != 0 || out != 0 {
					t.Errorf("the records miss %d bytes in and %d out", in, out)
				}
			})
		}
	}
}

// halfCloser is a connection that can say that it has sent everything.
type halfCloser interface {
	io.ReadWriter
	CloseWrite() error
}

// How sessions end: who says what, and what the other side must see of it.
func TestTerminateEnds(t *testing.T) {
	leakCheck(t)
	ca := newAuthority(t, "test CA")
	cert := ca.issue("ecdsa", nil, site).written(t)
	const size = 300_000

	t.Run("client cut", func(t *testing.T) {
		got := make(chan error, 1)
		srv := serve(t, terminating([]*configs.Certificate{cert}, startNode(t, func(c *net.TCPConn) {
			b, err := io.ReadAll(c)
			if d := diff(b, pattern(size, 2)); d != "" {
				t.Error("node:", d)
			}
			got <- err
		})))
		c := secure(t, srv.addr("s3"), ca.client())
		c.Write(pattern(size, 2))
		c.NetConn().(*net.TCPConn).CloseWrite() // a FIN without close_notify
		if err := <-got; !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("node got %v, want ECONNRESET", err)
		}
		if r := srv.wait(1)[0]; r.Cause != CauseClientReset || r.Phase != PhaseRelay {
			t.Errorf("got %v in %v, want client_reset in relay", r.Cause, r.Phase)
		}
	})
	t.Run("node reset", func(t *testing.T) {
		cut := make(chan struct{})
		srv := serve(t, terminating([]*configs.Certificate{cert}, startNode(t, func(c *net.TCPConn) {
			c.Write(pattern(size, 1))
			<-cut
			c.SetLinger(0)
		})))
		c := secure(t, srv.addr("s3"), ca.client())
		b := make([]byte, size)
		if _, err := io.ReadFull(c, b); err != nil || diff(b, pattern(size, 1)) != "" {
			t.Fatal(err, diff(b, pattern(size, 1)))
		}
		close(cut)
		if n, err := c.Read(b); !errors.Is(err, syscall.ECONNRESET) {
			t.Errorf("got %d, %v after the reset, want ECONNRESET", n, err)
		}
		if r := srv.wait(1)[0]; r.Cause != CauseNodeReset || r.Phase != PhaseRelay {
			t.Errorf("got %v in %v, want node_reset in relay", r.Cause, r.Phase)
		}
	})
	t.Run("node first", func(t *testing.T) {
		got := make(chan string, 1)
		srv := serve(t, terminating([]*configs.Certificate{cert}, startNode(t, func(c *net.TCPConn) {
			c.Write(pattern(size, 1))
			c.CloseWrite()
			b, err := io.ReadAll(c)
			got <- diff(b, pattern(size, 2))
			if err != nil {
				t.Error("node:", err)
			}
		})))
		c := secure(t, srv.addr("s3"), ca.client())
		b, err := io.ReadAll(c) // ends by close_notify
		if err != nil || diff(b, pattern(size, 1)) != "" {
			t.Fatal(err, diff(b, pattern(size, 1)))
		}
		time.Sleep(50 * time.Millisecond)
		c.Write(pattern(size, 2)) // and the other direction goes on
		c.Close()
		if d := <-got; d != "" {
			t.Error("node:", d)
		}
		if r := srv.wait(1)[0]; r.Cause != CauseNode || r.Phase != PhaseRelay {
			t.Errorf("got %v in %v, want node in relay", r.Cause, r.Phase)
		}
	})
}
