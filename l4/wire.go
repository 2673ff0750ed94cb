package l4

import (
	"crypto/tls"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

// A wire is the connection beneath a TLS session, as crypto/tls sees it. It differs from the bare connection
// in four ways:
//
//   - what was read before crypto/tls was asked is read again first;
//   - once the session relays, reads do not wait, so that nobody holds a buffer while nothing comes;
//   - what is written between cork and uncork leaves in one piece: crypto/tls writes record by record;
//   - it remembers how the connection ended, which tells an end from a cut, see [wire.cut].
//
// Reads are for one goroutine, writes for any. Closing it and setting deadlines are its owner's business:
// crypto/tls does neither through it.
type wire struct {
	tcp    *net.TCPConn
	replay []byte // is read before anything else

	// hidden, if it is set, is given the hello that counts where one may come inside another (RFC 9849), and
	// says whether it is to be answered.
	hidden func(*tls.ClientHelloInfo) bool
	refuse bool // it is not

	// Of the reader alone.
	fd    int   // while relaying, and only inside RawConn.Read: what to read from; else -1
	dry   bool  // the last read got less than it asked for: nothing is left for now
	broke error // what the connection ended with, beneath TLS; nil: it has not

	mu     sync.Mutex // guards the fields below, and the order of writes
	corked bool
	out    *buffer // what waits for uncork; nil: nothing
	held   int     // bytes in out
}

func newWire(tcp *net.TCPConn, replay []byte) *wire {
	return &wire{tcp: tcp, replay: replay, fd: -1}
}

// notNow is what a read returns that would have to wait. To crypto/tls it is a temporary error: what has come
// of a record is kept, and the next read goes on with it.
type notNow struct{}

func (notNow) Error() string   { return "nothing to read for now" }
func (notNow) Timeout() bool   { return true }
func (notNow) Temporary() bool { return true }

var errNotNow net.Error = notNow{}

func (w *wire) Read(p []byte) (int, error) {
	if len(w.replay) > 0 {
		n := copy(p, w.replay)
		if w.replay = w.replay[n:]; len(w.replay) == 0 {
			w.replay = nil // the hello's buffer is not needed any more
		}
		return n, nil
	}
	if w.broke != nil {
		return 0, w.broke
	}
	if w.fd < 0 {
		n, err := w.tcp.Read(p)
		if err != nil {
			w.broke = err
		}
		return n, err
	}
	if w.dry {
		return 0, errNotNow
	}
	n, err := readNow(w.fd, p)
	switch {
	case err == syscall.EAGAIN:
		return 0, errNotNow
	case err != nil:
		w.broke = err
		return 0, err
	case n == 0:
		w.broke = io.EOF
		return 0, io.EOF
	}
	w.dry = n < len(p)
	return n, nil
}

// readNow is read(2) on a socket that does not block.
func readNow(fd int, p []byte) (int, error) {
	for {
		n, err := syscall.Read(fd, p)
		if err != syscall.EINTR {
			return n, err
		}
	}
}

// cut reports whether the connection ended without TLS having said so: what has come may be less than the
// peer sent (RFC 8446 section 6.1). crypto/tls takes an end between two records for one in order.
func (w *wire) cut() bool { return w.broke != nil }

func (w *wire) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if !w.corked {
		return w.tcp.Write(p)
	}
	if w.held+len(p) > bufferSize {
		if err := w.flushLocked(writeAll); err != nil {
			return 0, err
		}
	}
	if len(p) > bufferSize {
		return w.tcp.Write(p)
	}
	if w.out == nil {
		w.out = takeBuffer()
	}
	w.held += copy(w.out[w.held:], p)
	return len(p), nil
}

// cork holds back what is written, up to a buffer.
func (w *wire) cork() {
	w.mu.Lock()
	w.corked = true
	w.mu.Unlock()
}

// uncork sends what was held back.
func (w *wire) uncork() error { return w.release(writeAll) }

// uncorkLast is uncork where the end of the connection follows at once, and may go out with it.
func (w *wire) uncorkLast() error { return w.release(writeMore) }

func (w *wire) release(write func(*net.TCPConn, []byte) error) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.corked = false
	return w.flushLocked(write)
}

func (w *wire) flushLocked(write func(*net.TCPConn, []byte) error) error {
	if w.out == nil {
		return nil
	}
	err := write(w.tcp, w.out[:w.held])
	w.out.giveBack()
	w.out, w.held = nil, 0
	return err
}

func writeAll(c *net.TCPConn, b []byte) error {
	_, err := c.Write(b)
	return err
}

// LocalAddr and what follows make a wire a [net.Conn].
func (w *wire) LocalAddr() net.Addr { return w.tcp.LocalAddr() }

func (w *wire) RemoteAddr() net.Addr { return w.tcp.RemoteAddr() }

func (w *wire) Close() error { return nil }

func (w *wire) SetDeadline(time.Time) error { return nil }

func (w *wire) SetReadDeadline(time.Time) error { return nil }

func (w *wire) SetWriteDeadline(time.Time) error { return nil }
