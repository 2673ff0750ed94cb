//go:build linux

package main

import (
	"bufio"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// nodeSpec is what a node is started with.
type nodeSpec struct {
	Port int `json:"port"`
}

// nodeResult is what a node says when it is told to stop.
type nodeResult struct {
	Accepted int    `json:"accepted"`
	Requests int    `json:"requests"`
	Resets   int    `json:"resets"`
	Bad      int    `json:"bad"`
	BadError string `json:"bad_error,omitempty"`
}

// nodeConn is a connection to the node. Its zero value awaits a request.
type nodeConn struct {
	stash [stashSize]byte // first bytes of the request at hand
	got   uint32          // bytes of it that have arrived
	want  uint32          // its size; 0 until the stash is full
	h     header

	out     int    // bytes of the response that the socket did not take
	bulk    uint64 // opUp: bytes still to take; opDown: still to send
	credit  int64  // opDown with a rate: bytes that may go now
	waiting bool   // registered for EPOLLOUT
}

// node answers requests on one thread. It plays every node of the pool at once: the addresses 127.0.1.1 to 127.0.1.n
// all lead here.
type node struct {
	poll   *poller
	listen int
	conns  []nodeConn // by descriptor
	paced  []int      // descriptors of opDown streams with a rate
	lastAt time.Time  // when paced streams last got credit
	file   int        // memfd that bulk is sent from
	in     []byte
	outBuf []byte
	res    nodeResult
}

const (
	pace     = 2 * time.Millisecond // how often a stream with a rate may send
	fileSize = 4 << 20
)

// runNode serves until its standard input ends.
func runNode(spec nodeSpec, orders *bufio.Reader, ready func()) (nodeResult, error) {
	limit := raiseFiles()
	n := &node{conns: make([]nodeConn, limit), in: make([]byte, maxMessage), outBuf: make([]byte, maxMessage)}
	var err error
	if n.poll, err = newPoller(); err != nil {
		return n.res, err
	}
	if n.listen, err = listenRaw(spec.Port); err != nil {
		return n.res, err
	}
	if n.file, err = bulkFile(n.in); err != nil {
		return n.res, err
	}
	n.poll.add(n.listen, unix.EPOLLIN)
	n.poll.add(0, unix.EPOLLIN)
	ready()
	for {
		timeout := time.Duration(-1)
		if len(n.paced) > 0 {
			timeout = max(0, pace-time.Since(n.lastAt))
		}
		for _, ev := range n.poll.wait(timeout) {
			switch fd := int(ev.Fd); fd {
			case 0:
				return n.res, nil
			case n.listen:
				n.accept()
			default:
				n.serve(fd, ev.Events)
			}
		}
		n.sendPaced()
	}
}

func (n *node) accept() {
	for {
		fd, e := rawAccept(n.listen)
		if e != noError {
			return
		}
		n.res.Accepted++
		n.conns[fd] = nodeConn{}
		n.poll.add(fd, unix.EPOLLIN)
	}
}

func (n *node) close(fd int) {
	for i, p := range n.paced {
		if p == fd {
			n.paced = append(n.paced[:i], n.paced[i+1:]...)
			break
		}
	}
	rawClose(fd)
}

func (n *node) serve(fd int, events uint32) {
	c := &n.conns[fd]
	if c.waiting {
		n.flush(fd, c)
		return
	}
	if c.h.op == opUp && c.bulk > 0 {
		n.take(fd, c)
		return
	}
	got, e := rawRead(fd, n.in)
	switch {
	case e == unix.EAGAIN || e == unix.EINTR:
		return
	case e != noError:
		n.res.Resets++
		n.close(fd)
		return
	case got == 0:
		n.close(fd)
		return
	}
	if c.got == 0 && n.in[0] == 'G' { // the health check of a balancer
		_, _ = rawWrite(fd, []byte(healthOK))
		n.close(fd)
		return
	}
	n.parse(fd, c, n.in[:got])
}

// parse takes the requests that b holds, or pieces of them, and answers each that is whole.
func (n *node) parse(fd int, c *nodeConn, b []byte) {
	for len(b) > 0 {
		if c.want == 0 {
			k := copy(c.stash[c.got:], b)
			c.got += uint32(k)
			b = b[k:]
			if c.got < stashSize {
				return
			}
			h, err := parseRequest(c.stash[:])
			if err != nil || h.request < minRequest || h.response > maxMessage && h.op == opExchange {
				n.bad(fd, fmt.Sprintf("request %+v: %v", h, err))
				return
			}
			c.h, c.want = h, h.request
		}
		k := min(uint32(len(b)), c.want-c.got)
		c.got += k
		b = b[k:]
		if c.got < c.want {
			return
		}
		c.got, c.want = 0, 0
		n.res.Requests++
		switch c.h.op {
		case opExchange:
			c.out += int(c.h.response)
		case opDown:
			c.out, c.bulk = headerSize, c.h.bulk
		case opUp:
			// Invariant: nothing follows a bulk request but its bulk, so what is left of b is part of it.
			c.bulk = c.h.bulk - uint64(len(b))
			if c.bulk > 0 {
				return
			}
			b, c.out = nil, headerSize
		}
		if !n.flush(fd, c) {
			if len(b) > 0 {
				n.bad(fd, "more requests on one connection than its socket takes answers")
			}
			return
		}
	}
}

// flush sends what is owed, as far as the socket takes it. It reports whether the connection is still open and owes nothing.
func (n *node) flush(fd int, c *nodeConn) bool {
	for c.out > 0 {
		// A remainder is sent without its header: the client reads the header of the first piece.
		b := n.outBuf[:min(c.out, len(n.outBuf))]
		clear(b[:min(headerSize, len(b))])
		if c.h.op != opExchange || c.out == int(c.h.response) {
			c.h.put(b)
		}
		sent, e := rawWrite(fd, b)
		if e != noError && e != unix.EAGAIN {
			return n.broken(fd)
		}
		if e == unix.EAGAIN {
			return n.awaitRoom(fd, c)
		}
		c.out -= sent
	}
	if c.h.op == opDown && c.bulk > 0 {
		if c.h.response > 0 {
			n.startPaced(fd)
			return false
		}
		return n.sendBulk(fd, c)
	}
	return n.done(fd, c)
}

// done ends a response: the connection is closed, or awaits its next request.
func (n *node) done(fd int, c *nodeConn) bool {
	if c.h.nodeFirst {
		n.close(fd)
		return false
	}
	if c.waiting {
		c.waiting = false
		n.poll.mod(fd, unix.EPOLLIN)
	}
	return true
}

// bad ends a connection that broke the rules of wire.go. One is enough to fail the measurement.
func (n *node) bad(fd int, why string) {
	n.res.Bad++
	n.res.BadError = why
	n.close(fd)
}

// broken ends a connection that the other side reset.
func (n *node) broken(fd int) bool {
	n.res.Resets++
	n.close(fd)
	return false
}

func (n *node) awaitRoom(fd int, c *nodeConn) bool {
	if !c.waiting {
		c.waiting = true
		n.poll.mod(fd, unix.EPOLLOUT)
	}
	return false
}
