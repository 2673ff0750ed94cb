//go:build linux

package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"runtime"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

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
