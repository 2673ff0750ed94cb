//go:build linux

package main

import (
	"time"

	"golang.org/x/sys/unix"
)

// sendBulk sends one chunk and waits for room for the next, so that streams take turns.
func (n *node) sendBulk(fd int, c *nodeConn) bool {
	off := int64(c.h.bulk-c.bulk) % fileSize
	sent, e := rawSendfile(fd, n.file, off, int(min(c.bulk, bulkChunk, uint64(fileSize-off))))
	if e != noError && e != unix.EAGAIN {
		return n.broken(fd)
	}
	if e == noError {
		c.bulk -= uint64(sent)
	}
	if c.bulk > 0 {
		return n.awaitRoom(fd, c)
	}
	return n.done(fd, c)
}

// take discards one chunk of an upload, and answers when it was the last.
func (n *node) take(fd int, c *nodeConn) {
	got, e := rawDiscard(fd, int(min(c.bulk, bulkChunk)))
	if e == unix.EAGAIN || e == unix.EINTR {
		return
	}
	if e != noError || got == 0 {
		n.broken(fd)
		return
	}
	if c.bulk -= uint64(got); c.bulk == 0 {
		c.out = headerSize
		n.flush(fd, c)
	}
}

func (n *node) startPaced(fd int) {
	if len(n.paced) == 0 {
		n.lastAt = time.Now()
	}
	n.paced = append(n.paced, fd)
}

// sendPaced gives every stream with a rate the credit of the time gone by, and sends it. Credit that the socket does not
// take is kept up to one chunk: a balancer that was late may catch up, but not flood.
func (n *node) sendPaced() {
	since := time.Since(n.lastAt)
	if len(n.paced) == 0 || since < pace {
		return
	}
	n.lastAt = n.lastAt.Add(since)
	for i := len(n.paced) - 1; i >= 0; i-- {
		fd := n.paced[i]
		c := &n.conns[fd]
		c.credit = min(c.credit+int64(c.h.response)<<10*int64(since)/int64(time.Second), bulkChunk)
		off := int64(c.h.bulk-c.bulk) % fileSize
		want := int(min(c.bulk, uint64(c.credit), uint64(fileSize-off)))
		if want == 0 {
			continue
		}
		sent, e := rawSendfile(fd, n.file, off, want)
		if e != noError && e != unix.EAGAIN {
			n.broken(fd)
			continue
		}
		if e == noError {
			c.credit -= int64(sent)
			c.bulk -= uint64(sent)
		}
		if c.bulk == 0 {
			n.paced = append(n.paced[:i], n.paced[i+1:]...)
			n.done(fd, c)
		}
	}
}
