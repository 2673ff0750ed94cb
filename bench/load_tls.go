//go:build linux

package main

import (
	"bufio"
	"crypto/tls"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// tlsClient opens sessions with crypto/tls: one suite and one curve for every peer. Its own processor time is taken off the
// machine's (loadResult.Client), since a client's share of a handshake is as dear as the server's.
type tlsClient struct {
	*load
	config *tls.Config // nil: the same sessions without TLS, for direct
	ids    atomic.Uint64

	mu      sync.Mutex // guards the fields below and load.latency
	failed  error      // the first failure
	resumed int
	opened  int
}

func (l *load) newTLSClient() *tlsClient {
	c := &tlsClient{load: l}
	if !l.TLS {
		return c
	}
	c.config = &tls.Config{
		ServerName:         siteName,
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.X25519},
		NextProtos:         []string{"http/1.1"},
		InsecureSkipVerify: true, // the chain is self-made; what is measured is the server
	}
	if l.Resume {
		c.config.ClientSessionCache = &lastTicket{}
	}
	return c
}

// lastTicket remembers one ticket, the latest: every client of the load comes back with it.
type lastTicket struct {
	mu   sync.Mutex
	last *tls.ClientSessionState
}

func (t *lastTicket) Get(string) (*tls.ClientSessionState, bool) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.last, t.last != nil
}

func (t *lastTicket) Put(_ string, s *tls.ClientSessionState) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if s != nil {
		t.last = s
	}
}

// open connects, ends the handshake, and checks that it is the one that was asked for.
func (c *tlsClient) open() (conn net.Conn, raw *countedConn, id uint64, err error) {
	id = c.ids.Add(1)
	a := c.to[id%uint64(len(c.to))]
	tcp, err := net.DialTCP("tcp4", nil, &net.TCPAddr{IP: a.Addr[:], Port: c.Port})
	if err != nil {
		return nil, nil, id, err
	}
	_ = tcp.SetDeadline(time.Now().Add(stall))
	raw = &countedConn{TCPConn: tcp}
	if c.config == nil {
		return raw, raw, id, nil
	}
	t := tls.Client(raw, c.config)
	if err := t.Handshake(); err != nil {
		tcp.Close()
		return nil, nil, id, fmt.Errorf("handshake: %w", err)
	}
	s := t.ConnectionState()
	if s.CipherSuite != tls.TLS_AES_128_GCM_SHA256 || s.CurveID != tls.X25519 {
		tcp.Close()
		return nil, nil, id, fmt.Errorf("handshake: %s and %s were chosen, not %s and %s: peers would not be alike",
			tls.CipherSuiteName(s.CipherSuite), s.CurveID, tlsSuite, tlsCurve)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.opened++
	if s.DidResume {
		c.resumed++
	}
	return t, raw, id, nil
}

// countedConn counts what comes off the wire.
type countedConn struct {
	*net.TCPConn
	read uint64
}

func (c *countedConn) Read(b []byte) (int, error) {
	n, err := c.TCPConn.Read(b)
	c.read += uint64(n)
	return n, err
}

// duplicate returns a second descriptor of the socket, which the runtime's netpoller does not watch.
func (c *countedConn) duplicate() (int, error) {
	s, err := c.SyscallConn()
	if err != nil {
		return -1, err
	}
	dup := -1
	if e := s.Control(func(fd uintptr) { dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); e != nil {
		return -1, e
	}
	return dup, err
}

// ask sends h, padded to the size of a request, and returns after the first size bytes of the response.
func (c *tlsClient) ask(conn net.Conn, id uint64, h header, size int) error {
	b := make([]byte, max(c.Request, minRequest, size))
	h.id, h.request = id, uint32(max(c.Request, minRequest))
	h.put(b)
	if _, err := conn.Write(b[:h.request]); err != nil {
		return err
	}
	if _, err := io.ReadFull(conn, b[:size]); err != nil {
		return err
	}
	return checkResponse(b, id)
}

// session is one short session, due at the time at after start.
func (c *tlsClient) session(start time.Time, at time.Duration) {
	conn, _, id, err := c.open()
	if err == nil {
		err = c.ask(conn, id, header{op: opExchange, response: uint32(c.Response)}, c.Response)
		conn.Close()
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.latency.record(time.Since(start) - at)
	if err != nil && c.failed == nil {
		c.failed = fmt.Errorf("session %d: %w", id, err)
	}
}

// run does count sessions at Rate a second.
func (c *tlsClient) run(count int) (time.Duration, error) {
	var sessions sync.WaitGroup
	random := rand.New(rand.NewPCG(c.Seed, 1))
	start, next := time.Now(), time.Duration(0)
	for range count {
		time.Sleep(next - time.Since(start))
		at := next
		sessions.Go(func() { c.session(start, at) })
		next += time.Duration(-math.Log(1-random.Float64()) / c.Rate * float64(time.Second))
	}
	sessions.Wait()
	c.planned, c.done = next, count
	return time.Since(start), c.failed
}

// tlsSessions opens short sessions with a handshake each, full or resumed.
func (l *load) tlsSessions(orders *bufio.Reader, ready func()) (loadResult, error) {
	runtime.UnlockOSThread() // here goroutines switch all the time
	c := l.newTLSClient()
	if _, err := c.run(l.Warm); err != nil {
		return loadResult{}, fmt.Errorf("warm up: %w", err)
	}
	if err := l.awaitGo(orders, ready); err != nil {
		return loadResult{}, err
	}
	c.opened, c.resumed = 0, 0
	before := processTime()
	elapsed, err := c.run(l.Count)
	return loadResult{Behind: l.behind(elapsed), Done: l.Count, Elapsed: elapsed, Latency: &l.latency, Resumed: c.resumed, Client: processTime() - before}, err
}

// processTime is the processor time of this process so far.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
