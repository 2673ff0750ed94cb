package l4

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"syscall"
	"time"
)

// A stream is one side of a session whose bytes pass through this process: plain bytes in and out, whether
// or not there is TLS on the wire.
//
// One goroutine may read and another write. Neither holds a buffer while it waits for the peer to send.
type stream struct {
	tcp  *net.TCPConn
	raw  syscall.RawConn
	wire *wire     // nil where there is no TLS
	tls  *tls.Conn // likewise

	// Of the reader alone.
	input tlsInput
	try   func(fd uintptr) bool // one of tryPlain and tryTLS: made once, a closure for each read would be an allocation
	got   *buffer
	n     int
	err   error

	wrote time.Time // of the writer alone: when it last sent something by TLS
}

// plainStream is a side without TLS.
func plainStream(tcp *net.TCPConn) (*stream, error) {
	raw, err := tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &stream{tcp: tcp, raw: raw}
	s.try = s.tryPlain
	return s, nil
}

// tlsStream is a side with TLS whose handshake is over.
func tlsStream(w *wire, c *tls.Conn) (*stream, error) {
	raw, err := w.tcp.SyscallConn()
	if err != nil {
		return nil, err
	}
	s := &stream{tcp: w.tcp, raw: raw, wire: w, tls: c, input: inputOf(c)}
	s.try = s.tryTLS
	return s, nil
}

// errCut is the end of a TLS stream that did not announce it. Whoever cut the connection may not be the
// peer, so it is a reset to the other side.
var errCut = errors.New("connection ended without close_notify")

// read waits until the peer has sent something and returns it: what is there, up to plainSize bytes, in a
// buffer that is the caller's to give back. With io.EOF there may be bytes too; other errors come alone.
func (s *stream) read() (b *buffer, n int, err error) {
	if err := s.raw.Read(s.try); err != nil {
		return nil, 0, err
	}
	b, n, err = s.got, s.n, s.err
	s.got = nil
	return b, n, err
}

// tryPlain reads what is there; false if that is nothing, and then no buffer is held.
//
// Invariant, here and in tryTLS: before false is returned, read(2) has met EAGAIN. The runtime's poller tells of
// what is new, once, so what was left in the socket would not be told of again.
func (s *stream) tryPlain(fd uintptr) bool {
	b := takeBuffer()
	s.n, s.err = readNow(int(fd), b[:plainSize])
	switch {
	case s.err == syscall.EAGAIN:
		b.giveBack()
		return false
	case s.err == nil && s.n == 0:
		s.err = io.EOF
	}
	s.n = max(s.n, 0)
	s.got = b
	return true
}

// tryTLS reads records until no whole one is left, or the buffer is full.
func (s *stream) tryTLS(fd uintptr) bool {
	s.wire.fd, s.wire.dry = int(fd), false
	defer func() { s.wire.fd = -1 }()
	s.input.lend()
	b := takeBuffer()
	s.n, s.err = 0, nil
	for s.n < plainSize && s.err == nil && (s.n == 0 || !s.input.empty()) {
		var n int
		n, s.err = s.tls.Read(b[s.n:plainSize])
		s.n += n
		if s.err == errNotNow && s.n == 0 && s.wire.dry {
			s.wire.dry, s.err = false, nil // there was the beginning of a record: is more of it there by now?
		}
	}
	switch {
	case s.err == errNotNow && s.n == 0:
		b.giveBack()
		s.input.reclaim()
		return false
	case s.err == errNotNow:
		s.err = nil
	case s.err == io.EOF && s.wire.cut():
		s.err = errCut
	}
	if s.n > 0 && s.err != io.EOF {
		s.err = nil // what came before it goes on its way first, and it is met again
	}
	s.got = b
	return true
}

// write sends the first n bytes of a buffer that the stream gives back. It returns when the kernel has them.
func (s *stream) write(b *buffer, n int) error {
	if s.tls == nil {
		defer b.giveBack()
		_, err := s.tcp.Write(b[:n])
		return err
	}
	s.wire.cork()
	err := s.seal(b[:n])
	b.giveBack() // before what may take long
	if e := s.wire.uncork(); e != nil {
		err = e
	}
	s.wrote = time.Now() // not before: what waited for a slow reader is no pause
	return err
}

// A record can be read once all of it has come, so a large one at the start of a response costs its reader a round
// trip or more: after a pause the kernel begins again with a window of ten segments (RFC 5681 section 4.1). There
// records have the size of a segment. At the start of a connection crypto/tls does the same by itself, but only
// there.
const (
	pause        = time.Second
	smallRecord  = 1180 // with what TLS adds, under the least MSS that IPv6 guarantees (1,220)
	smallRecords = 10
)

// seal writes records.
func (s *stream) seal(p []byte) error {
	if time.Since(s.wrote) >= pause {
		for i := 0; i < smallRecords && len(p) > smallRecord; i++ {
			if _, err := s.tls.Write(p[:smallRecord]); err != nil {
				return err
			}
			p = p[smallRecord:]
		}
	}
	_, err := s.tls.Write(p)
	return err
}

// finish tells the peer that nothing more will come.
func (s *stream) finish() error {
	if s.tls != nil {
		s.wire.cork()
		err := s.tls.CloseWrite()
		if e := s.wire.uncorkLast(); e != nil {
			err = e
		}
		if err != nil {
			return err
		}
	}
	return s.tcp.CloseWrite()
}
