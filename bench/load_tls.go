//go:build linux

package main

import (
	"bufio"
	"crypto/tls"
	"errors"
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

// tlsBulk downloads like bulk does, through TLS. What comes is not decrypted: after the header of the response the records are
// discarded in the kernel as if they were plain, until the node has closed. So the client costs no more than with plain bulk,
// and what TLS adds is the balancer's.
func (l *load) tlsBulk(orders *bufio.Reader, ready func()) (loadResult, error) {
	c := l.newTLSClient()
	conns := make([]*countedConn, raiseFiles())
	h := header{op: opDown, nodeFirst: true}
	start := func() error {
		for range l.Conns {
			conn, raw, id, err := c.open()
			if err == nil {
				err = c.ask(conn, id, h, headerSize)
			}
			if err != nil {
				return fmt.Errorf("stream %d: %w", id, err)
			}
			fd, err := raw.duplicate()
			if err != nil {
				return err
			}
			conns[fd] = raw
			l.poll.add(fd, unix.EPOLLIN)
		}
		return nil
	}
	event := func(fd int, _ uint32, _ func() time.Duration) error {
		n, e := rawDiscard(fd, bulkChunk)
		if retry(e) {
			return nil
		}
		raw := conns[fd]
		raw.read += uint64(n)
		if e == noError && n > 0 {
			return nil
		}
		// Records add 22 bytes to at most 16 KiB each, and small ones more; the close_notify at the end is one too.
		if e != noError || raw.read < h.bulk || raw.read > h.bulk+h.bulk/20+maxMessage {
			return fmt.Errorf("a stream of %d bytes ended after %d bytes of records, %w", h.bulk, raw.read, e)
		}
		rawClose(fd)
		raw.Close()
		l.done++
		return nil
	}
	run := func(bytes uint64) (time.Duration, error) {
		h.bulk = bytes
		if err := start(); err != nil {
			return 0, err
		}
		return l.drive(l.Conns, 0, l.Conns, func(time.Duration) error { return nil }, event)
	}
	if _, err := run(min(l.Bytes, 64<<20)); err != nil {
		return loadResult{}, fmt.Errorf("warm up: %w", err)
	}
	if err := l.awaitGo(orders, ready); err != nil {
		return loadResult{}, err
	}
	elapsed, err := run(l.Bytes)
	return loadResult{Done: l.done, Elapsed: elapsed, Bytes: uint64(l.Conns) * l.Bytes}, err
}

// tlsUpload sends Bytes over each of Conns streams through crypto/tls. Here the client has to encrypt, so its own time is taken off.
func (l *load) tlsUpload(orders *bufio.Reader, ready func()) (loadResult, error) {
	runtime.UnlockOSThread()
	c := l.newTLSClient()
	upload := func(bytes uint64) error {
		conn, raw, id, err := c.open()
		if err != nil {
			return err
		}
		defer conn.Close()
		_ = raw.SetDeadline(time.Now().Add(patience))
		b := make([]byte, maxMessage)
		h := header{op: opUp, bulk: bytes, id: id, request: minRequest}
		h.put(b)
		if _, err := conn.Write(b[:minRequest]); err != nil {
			return err
		}
		for left := bytes; left > 0; {
			n, err := conn.Write(b[:min(left, maxMessage)])
			if err != nil {
				return fmt.Errorf("%w with %d bytes left", err, left)
			}
			left -= uint64(n)
		}
		if _, err := io.ReadFull(conn, b[:headerSize]); err != nil {
			return err
		}
		return checkResponse(b, id)
	}
	all := func(bytes uint64) (time.Duration, error) {
		start := time.Now()
		errs := make([]error, l.Conns)
		var streams sync.WaitGroup
		for i := range l.Conns {
			streams.Go(func() { errs[i] = upload(bytes) })
		}
		streams.Wait()
		return time.Since(start), errors.Join(errs...)
	}
	if _, err := all(min(l.Bytes, 16<<20)); err != nil {
		return loadResult{}, fmt.Errorf("warm up: %w", err)
	}
	if err := l.awaitGo(orders, ready); err != nil {
		return loadResult{}, err
	}
	before := processTime()
	elapsed, err := all(l.Bytes)
	return loadResult{Done: l.Conns, Elapsed: elapsed, Bytes: uint64(l.Conns) * l.Bytes, Client: processTime() - before}, err
}

// tlsHold opens Conns sessions and holds them, as hold does.
func (l *load) tlsHold(orders *bufio.Reader, ready func()) (loadResult, error) {
	runtime.UnlockOSThread()
	c := l.newTLSClient()
	conns := make([]net.Conn, l.Conns)
	exchange := func(i int) error {
		id := c.ids.Add(1)
		return c.ask(conns[i], id, header{op: opExchange, response: uint32(l.Response)}, l.Response)
	}
	for i := range conns {
		conn, raw, _, err := c.open()
		if err == nil {
			_ = raw.SetDeadline(time.Time{})
			conns[i] = conn
			err = exchange(i)
		}
		if err != nil {
			return loadResult{}, fmt.Errorf("session %d of %d: %w", i+1, l.Conns, err)
		}
	}
	ready()
	_, _ = orders.ReadString('\n') // the end of input is the word to stop
	for i := range conns {
		if err := exchange(i); err != nil {
			return loadResult{}, fmt.Errorf("session %d of %d, after the hold: %w", i+1, l.Conns, err)
		}
	}
	return loadResult{Done: l.Conns}, nil
}

// processTime is the processor time of this process so far.
func processTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
