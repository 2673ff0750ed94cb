//go:build linux

package main

import (
	"bufio"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// sessionConn is one short session: connect, request, response, close.
type sessionConn struct {
	at   time.Duration // when it was due
	id   uint64
	got  int
	sent bool
}

// sessions opens Count short sessions. With Rate they come by the clock, as many as Rate a second at random times: the
// same work in the same time for every peer, so that what the machine does by itself is the same share of every figure
// and goes when direct is subtracted. Without Rate there are Conns at a time, each followed by the next: the machine is busy
// all the time, and what is measured is how many sessions it can do.
func (l *load) sessions(orders *bufio.Reader, ready func()) (loadResult, error) {
	conns := make([]sessionConn, raiseFiles())
	h := header{op: opExchange, response: uint32(l.Response), nodeFirst: l.NodeFirst}

	begin := func(at time.Duration) error {
		id := l.stamp(l.request, h)
		fd, err := l.dial()
		if err != nil {
			return err
		}
		sent, err := send(fd, l.request) // loopback: the handshake is over when connect returns
		if err != nil {
			return err
		}
		conns[fd] = sessionConn{at: at, id: id, sent: sent}
		if sent {
			l.poll.add(fd, unix.EPOLLIN)
		} else {
			l.poll.add(fd, unix.EPOLLOUT)
		}
		return nil
	}
	event := func(fd int, _ uint32, now func() time.Duration) error {
		c := &conns[fd]
		if !c.sent {
			h.id, h.request = c.id, uint32(len(l.request))
			return l.sendLate(fd, c, h)
		}
		n, e := rawRead(fd, l.in)
		switch {
		case retry(e):
			return nil
		case e != noError:
			return fmt.Errorf("session %d: %w after %d of %d bytes", c.id, e, c.got, l.Response)
		case n > 0 && c.got == 0:
			if err := checkResponse(l.in[:n], c.id); err != nil {
				return fmt.Errorf("session %d: %w", c.id, err)
			}
		}
		c.got += n
		if c.got > l.Response || n == 0 && (c.got < l.Response || !l.NodeFirst) {
			return fmt.Errorf("session %d: %d bytes came, want %d", c.id, c.got, l.Response)
		}
		if n == 0 || c.got == l.Response && !l.NodeFirst {
			rawClose(fd)
			l.latency.record(now() - c.at)
			l.done++
		}
		return nil
	}

	if _, err := l.drive(l.Warm, l.Rate, l.Conns, begin, event); err != nil {
		return loadResult{}, fmt.Errorf("warm up: %w", err)
	}
	if err := l.awaitGo(orders, ready); err != nil {
		return loadResult{}, err
	}
	elapsed, err := l.drive(l.Count, l.Rate, l.Conns, begin, event)
	return loadResult{Done: l.done, Elapsed: elapsed, Latency: &l.latency, Late: &l.late, Behind: l.behind(elapsed)}, err
}

// sendLate sends the request of a connection that was not established when connect returned.
func (l *load) sendLate(fd int, c *sessionConn, h header) error {
	if l.request[0] == recordTLS {
		h.put(l.request[helloAt:])
	} else {
		h.put(l.request)
	}
	var err error
	if c.sent, err = send(fd, l.request); err != nil {
		return fmt.Errorf("session %d: %w", c.id, err)
	}
	if c.sent {
		l.poll.mod(fd, unix.EPOLLIN)
	}
	return nil
}
