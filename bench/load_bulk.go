//go:build linux

package main

import (
	"bufio"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// bulkConn is one stream.
type bulkConn struct {
	id    uint64
	begun bool   // down: its header has arrived
	left  uint64 // bytes still to receive or to send
}

// bulk moves Bytes over each of Conns streams at once, as fast as they go. Downloads are discarded in the kernel and uploads
// sent from a file: neither copies, so the cost of both ends is small and the same for all peers.
func (l *load) bulk(orders *bufio.Reader, ready func()) (loadResult, error) {
	conns := make([]bulkConn, raiseFiles())
	file, err := bulkFile(l.in)
	if err != nil {
		return loadResult{}, err
	}
	h := header{op: opDown, bulk: l.Bytes}
	if l.Up {
		h.op = opUp
	}
	begin := func(time.Duration) error {
		id := l.stamp(l.request, h)
		fd, err := l.dial()
		if err != nil {
			return err
		}
		if sent, err := send(fd, l.request); err != nil || !sent {
			return fmt.Errorf("stream %d: not established at once: %w", id, err)
		}
		conns[fd] = bulkConn{id: id, left: h.bulk}
		if l.Up {
			l.poll.add(fd, unix.EPOLLOUT)
		} else {
			l.poll.add(fd, unix.EPOLLIN)
		}
		return nil
	}
	event := func(fd int, _ uint32, _ func() time.Duration) error {
		c := &conns[fd]
		if l.Up && c.left > 0 {
			return l.upload(fd, c, file, h.bulk)
		}
		if !c.begun {
			return l.readHeader(fd, c)
		}
		n, e := rawDiscard(fd, bulkChunk)
		if retry(e) {
			return nil
		}
		if e != noError || n == 0 || uint64(n) > c.left {
			return fmt.Errorf("stream %d: %d bytes came, %d were left, %w", c.id, n, c.left, e)
		}
		if c.left -= uint64(n); c.left == 0 {
			rawClose(fd)
			l.done++
		}
		return nil
	}

	h.bulk = min(l.Bytes, 64<<20) // warm up: buffers have grown, pipes are open
	if _, err := l.drive(l.Conns, 0, l.Conns, begin, event); err != nil {
		return loadResult{}, fmt.Errorf("warm up: %w", err)
	}
	if err := l.awaitGo(orders, ready); err != nil {
		return loadResult{}, err
	}
	h.bulk = l.Bytes
	elapsed, err := l.drive(l.Conns, 0, l.Conns, begin, event)
	return loadResult{Done: l.done, Elapsed: elapsed, Bytes: uint64(l.Conns) * l.Bytes}, err
}

// readHeader takes the header of a response: of a download its first bytes, of an upload all there is.
func (l *load) readHeader(fd int, c *bulkConn) error {
	n, e := rawRead(fd, l.in[:headerSize])
	if retry(e) {
		return nil
	}
	if e != noError {
		return fmt.Errorf("stream %d: %w", c.id, e)
	}
	if err := checkResponse(l.in[:n], c.id); err != nil {
		return fmt.Errorf("stream %d: %w", c.id, err)
	}
	c.begun = true
	if l.Up {
		rawClose(fd)
		l.done++
	}
	return nil
}

// upload sends one chunk, and turns to the response after the last.
func (l *load) upload(fd int, c *bulkConn, file int, total uint64) error {
	off := int64(total-c.left) % fileSize
	n, e := rawSendfile(fd, file, off, int(min(c.left, bulkChunk, uint64(fileSize-off))))
	if retry(e) {
		return nil
	}
	if e != noError {
		return fmt.Errorf("stream %d: %w with %d bytes left", c.id, e, c.left)
	}
	if c.left -= uint64(n); c.left == 0 {
		l.poll.mod(fd, unix.EPOLLIN)
	}
	return nil
}

// stream keeps Conns downloads going until its input ends. The node sends each at KiBps, or as fast as it goes. A slow
// reader takes 64 KiB ten times a second, whatever is sent.
func (l *load) stream(ready func()) (loadResult, error) {
	conns := make([]bulkConn, raiseFiles())
	for range l.Conns {
		id := l.stamp(l.request, header{op: opDown, response: uint32(l.KiBps), bulk: 1 << 50})
		fd, err := l.dial()
		if err != nil {
			return loadResult{}, err
		}
		if sent, err := send(fd, l.request); err != nil || !sent {
			return loadResult{}, fmt.Errorf("stream %d: not established at once: %w", id, err)
		}
		conns[fd] = bulkConn{id: id}
		l.poll.add(fd, unix.EPOLLIN)
	}
	l.poll.add(0, unix.EPOLLIN)
	chunk := bulkChunk
	if l.Slow {
		chunk = 64 << 10
	}
	var res loadResult
	start := time.Now()
	told := false
	for {
		if l.Slow {
			time.Sleep(100 * time.Millisecond)
		}
		for _, ev := range l.poll.wait(stall) {
			fd := int(ev.Fd)
			if fd == 0 {
				res.Elapsed, res.Done = time.Since(start), l.Conns
				return res, nil
			}
			c := &conns[fd]
			if !c.begun {
				if err := l.readHeader(fd, c); err != nil {
					return res, err
				}
				continue
			}
			n, e := rawDiscard(fd, chunk)
			if n == 0 || e != noError && !retry(e) {
				return res, fmt.Errorf("stream %d: ended after %d bytes of all: %w", c.id, res.Bytes, e)
			}
			if e == noError {
				res.Bytes += uint64(n)
			}
		}
		if !told && time.Since(start) > time.Second {
			told = true
			res.Bytes, start = 0, time.Now()
			ready()
		}
	}
}

// bulkFile makes the file in memory that bulk is sent from.
func bulkFile(fill []byte) (int, error) {
	file, err := unix.MemfdCreate("bulk", unix.MFD_CLOEXEC)
	if err != nil {
		return -1, fmt.Errorf("memfd_create: %w", err)
	}
	for range fileSize / len(fill) {
		if _, err := unix.Write(file, fill); err != nil {
			return -1, fmt.Errorf("fill the file that bulk is sent from: %w", err)
		}
	}
	return file, nil
}
