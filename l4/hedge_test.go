//go:build linux

package l4

import (
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// deafAddr is an address that lets connections wait: its queue is full, so the kernel drops every SYN (listen(2)).
func deafAddr(t *testing.T) string {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Listen(fd, 0); err != nil {
		t.Fatal(err)
	}
	sa, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	addr := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), uint16(sa.(*syscall.SockaddrInet4).Port)).String()
	for range 10 {
		c, err := net.DialTimeout("tcp", addr, 100*time.Millisecond)
		if err != nil {
			return addr
		}
		t.Cleanup(func() { c.Close() })
	}
	t.Fatal("a queue of length 0 does not fill")
	return ""
}

// A node that lets a connection wait gets a rival after a share of the time it has, and is not to blame for it.
func TestHedge(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cfg := plain(relay, deafAddr(t), startNode(t, echo))
		cfg.Pools[0].Balance = configs.RoundRobin
		cfg.Timeouts.Dial, cfg.Timeouts.DialTotal = 4*time.Second, 8*time.Second
		cfg.Pools[0].Hedge = 0.05
		srv := serve(t, cfg)
		const sessions = 4
		waited := 0
		for range sessions {
			began := time.Now()
			c := dial(t, srv.addr("s3"))
			c.Write([]byte("x"))
			c.CloseWrite()
			if got, err := io.ReadAll(c); string(got) != "x" || err != nil {
				t.Fatalf("got %q, %v", got, err)
			}
			switch took := time.Since(began); {
			case took >= cfg.Timeouts.Dial:
				t.Errorf("took %v, as if nobody hedged", took)
			case took >= 200*time.Millisecond:
				waited++
			}
		}
		if waited == 0 {
			t.Error("no session began at the node that lets it wait")
		}
		for _, r := range srv.wait(sessions) {
			if r.Cause != CauseClient || r.Node != cfg.Pools[0].Nodes[1] || r.Retries != 0 || r.BytesIn != 1 {
				t.Errorf("got %v at %s after %d retries with %d bytes in", r.Cause, r.Node, r.Retries, r.BytesIn)
			}
		}
		if ok, blamed, canceled := srv.dials(cfg.Pools[0].Nodes[0]); ok != 0 || blamed != 0 || canceled != uint64(waited) {
			t.Errorf("the slow node: %d dials succeeded, %d were blamed on it, %d given up; want %d given up", ok, blamed, canceled, waited)
		}
		if ok, blamed, canceled := srv.dials(cfg.Pools[0].Nodes[1]); ok != sessions || blamed != 0 || canceled != 0 {
			t.Errorf("the other: %d dials succeeded, %d were blamed on it, %d given up; want %d successes", ok, blamed, canceled, sessions)
		}
	})
}

// Rivals that refuse are gone through while the first is waited for, and each is to blame.
func TestHedgeGoesOn(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cfg := plain(relay, deafAddr(t), deadAddr(t), startNode(t, echo))
		cfg.Pools[0].Balance = configs.RoundRobin
		cfg.Timeouts.Dial, cfg.Timeouts.DialTotal = 4*time.Second, 8*time.Second
		cfg.Pools[0].Hedge = 0.05
		srv := serve(t, cfg)
		for range 6 {
			began := time.Now()
			c := dial(t, srv.addr("s3"))
			c.Write([]byte("x"))
			c.CloseWrite()
			if got, err := io.ReadAll(c); string(got) != "x" || err != nil || time.Since(began) >= cfg.Timeouts.Dial {
				t.Fatalf("got %q, %v after %v", got, err, time.Since(began))
			}
		}
	})
}

// Where all let the session wait it ends with the time for all attempts, or when it is ended from outside, and
// nothing of its dials is left.
func TestHedgeInVain(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cfg := plain(relay, deafAddr(t), deafAddr(t))
		cfg.Timeouts.Dial, cfg.Timeouts.DialTotal = time.Second, 600*time.Millisecond
		cfg.Pools[0].Hedge = 0.1
		srv := serve(t, cfg)
		c := dial(t, srv.addr("s3"))
		began := time.Now()
		if _, err := io.ReadAll(c); err == nil || time.Since(began) > 3*time.Second {
			t.Errorf("got %v after %v", err, time.Since(began))
		}
		if r := srv.wait(1)[0]; r.Cause != CauseDial || r.Phase != PhaseDial {
			t.Errorf("got %v in %v, want dial in dial", r.Cause, r.Phase)
		}
		dial(t, srv.addr("s3")) // is cut when the server closes
		time.Sleep(200 * time.Millisecond)
	})
}

// Under TLS to the nodes, a node that takes the connection and says nothing lets the session wait as well.
func TestHedgeOverTLS(t *testing.T) {
	leakCheck(t)
	ca := newAuthority(t, "test CA")
	node := ca.issue("ecdsa", nil, "127.0.0.1").pair()
	mute := startNode(t, func(c *net.TCPConn) { io.Copy(io.Discard, c) })
	good := startNode(t, func(c *net.TCPConn) {
		s := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{node}})
		io.Copy(s, s)
		s.CloseWrite()
	})
	cfg := terminating([]*configs.Certificate{ca.issue("ecdsa", nil, site).written(t)}, mute, good)
	caFile := files(t).Cert
	replaceFile(t, caFile, certPEM(ca.cert))
	cfg.Pools[0].TLS = configs.NodeTLS{Enabled: true, CA: caFile}
	cfg.Pools[0].Balance = configs.RoundRobin
	cfg.Timeouts.Dial = 4 * time.Second
	cfg.Pools[0].Hedge = 0.05
	srv := serve(t, cfg)
	for range 4 {
		began := time.Now()
		c := secure(t, srv.addr("s3"), ca.client())
		c.Write([]byte("x"))
		c.CloseWrite()
		if got, err := io.ReadAll(c); string(got) != "x" || err != nil || time.Since(began) >= cfg.Timeouts.Dial {
			t.Fatalf("got %q, %v after %v", got, err, time.Since(began))
		}
		c.Close()
	}
	if ok, blamed, canceled := srv.dials(mute); ok != 0 || blamed != 0 || canceled == 0 {
		t.Errorf("the mute node: %d dials succeeded, %d were blamed on it, %d given up", ok, blamed, canceled)
	}
}
