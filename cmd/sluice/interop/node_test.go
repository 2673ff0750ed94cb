//go:build interop && linux

package interop

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/netip"
	"sync"
	"testing"
	"time"
)

// dialer is for clients. Multipath TCP is off, as it is in most clients.
var dialer = func() *net.Dialer {
	d := &net.Dialer{Timeout: 5 * time.Second}
	d.SetMultipathTCP(false)
	return d
}()

// connect opens a client's connection. It is closed at the end of the test.
func connect(t *testing.T, address string) *net.TCPConn {
	t.Helper()
	c, err := dialer.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(patience))
	return c.(*net.TCPConn)
}

// loopback is an IPv4 address of this machine that nobody else uses, with a port: a peer that cannot be
// handed a listening socket is told it. Ephemeral ports are not taken from it.
func loopback() string {
	return fmt.Sprintf("127.%d.%d.%d:9000", 1+rand.N(250), 1+rand.N(250), 1+rand.N(250))
}

// node serves each connection by a function, which need not close it. It ends with the test.
func node(t *testing.T, serve func(*net.TCPConn)) string {
	t.Helper()
	return nodeAt(t, "127.0.0.1:0", serve)
}

func nodeAt(t *testing.T, address string, serve func(*net.TCPConn)) string {
	t.Helper()
	lc := net.ListenConfig{}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	serveOn(t, ln, serve)
	return ln.Addr().String()
}

// serveOn serves the connections of a listener until the end of the test.
func serveOn(t *testing.T, ln net.Listener, serve func(*net.TCPConn)) {
	ctx, cancel := context.WithCancel(context.Background())
	var serving sync.WaitGroup
	serving.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			serving.Go(func() {
				defer context.AfterFunc(ctx, func() { c.Close() })()
				defer c.Close()
				serve(c.(*net.TCPConn))
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		ln.Close()
		serving.Wait()
	})
}

// echo is a node that sends back what it gets.
func echo(c *net.TCPConn) { io.Copy(c, c) }

// teller is a node that says its name, then sends back what it gets.
func teller(name string) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		io.WriteString(c, name+"\n")
		io.Copy(c, c)
	}
}

// A tape is what one connection has sent.
type tape struct {
	peer netip.AddrPort
	sent []byte
}

// request is what clients of a recorder send, and answer what they get.
const (
	request = "GET /who HTTP/1.0\r\nHost: s3.shop.test\r\n\r\n"
	answer  = "HTTP/1.0 200 OK\r\nContent-Length: 5\r\n\r\nhello"
)

// A recorder is a node that speaks enough HTTP for everybody and keeps, byte for byte, what it was sent.
type recorder struct {
	address string
	tapes   chan tape
}

func newRecorder(t *testing.T, address string) *recorder {
	t.Helper()
	r := &recorder{tapes: make(chan tape, 1000)}
	r.address = nodeAt(t, address, r.serve)
	return r
}

func (r *recorder) serve(c *net.TCPConn) {
	tp := tape{peer: c.RemoteAddr().(*net.TCPAddr).AddrPort()}
	buf := make([]byte, 64<<10)
	for {
		n, err := c.Read(buf)
		tp.sent = append(tp.sent, buf[:n]...)
		// A header of version 2 has an empty line within.
		if i := bytes.Index(tp.sent, []byte(" HTTP/1.")); i >= 0 && bytes.Contains(tp.sent[i:], []byte("\r\n\r\n")) {
			io.WriteString(c, answer)
			break
		}
		if err != nil {
			break
		}
	}
	r.tapes <- tp
}

// next is what the next connection has sent.
func (r *recorder) next(t *testing.T) tape {
	t.Helper()
	select {
	case tp := <-r.tapes:
		return tp
	case <-time.After(patience):
		t.Fatal("nothing has reached the node")
		return tape{}
	}
}

// tapped puts a wire between a client and an address that keeps what the client sends.
func tapped(t *testing.T, to string) *recorder {
	t.Helper()
	r := &recorder{tapes: make(chan tape, 1000)}
	r.address = node(t, func(c *net.TCPConn) {
		var kept bytes.Buffer
		defer func() {
			r.tapes <- tape{c.RemoteAddr().(*net.TCPAddr).AddrPort(), kept.Bytes()}
		}()
		conn, err := dialer.Dial("tcp", to)
		if err != nil {
			return
		}
		defer conn.Close()
		var both sync.WaitGroup
		both.Go(func() {
			io.Copy(io.MultiWriter(&kept, conn), c)
			conn.(*net.TCPConn).CloseWrite()
		})
		io.Copy(c, conn)
		c.CloseWrite()
		both.Wait()
	})
	return r
}

// ask sends the request over a connection and returns all of the answer.
func ask(t *testing.T, c net.Conn) string {
	t.Helper()
	if _, err := io.WriteString(c, request); err != nil {
		t.Fatal(err)
	}
	got, err := io.ReadAll(c)
	if err != nil {
		t.Fatalf("got %q, then: %v", got, err)
	}
	return string(got)
}
