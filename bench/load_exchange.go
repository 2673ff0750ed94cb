//go:build linux

package main

import (
	"bufio"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// keptConn is a connection that carries one exchange after the other.
type keptConn struct {
	at   time.Duration // when the exchange under way was due
	id   uint64
	got  int
	busy bool
}

// keeper holds connections and exchanges messages on them, one at a time on each.
type keeper struct {
	*load
	conns   []keptConn // by descriptor
	idle    []int      // descriptors without an exchange under way, the longest idle first
	backlog []time.Duration
	message []byte
}

// newKeeper opens n connections, with one exchange on each, so that all of them are known to reach a node.
func newKeeper(l *load, n int) (*keeper, error) {
	k := &keeper{load: l, conns: make([]keptConn, raiseFiles()), message: make([]byte, max(l.Request, minRequest))}
	open := func(at time.Duration) error {
		id := l.stamp(l.request, header{op: opExchange, response: uint32(l.Response)})
		fd, err := l.dial()
		if err != nil {
			return err
		}
		_ = unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
		k.conns[fd] = keptConn{at: at, id: id, busy: true}
		l.poll.add(fd, unix.EPOLLIN)
		if sent, err := send(fd, l.request); err != nil || !sent {
			return fmt.Errorf("connection %d: not established at once: %w", id, err)
		}
		return nil
	}
	if _, err := l.drive(n, 0, 32, open, k.event); err != nil {
		return nil, fmt.Errorf("open %d connections: %w", n, err)
	}
	return k, nil
}

// begin starts an exchange that was due at the time at, or notes it when no connection is free.
func (k *keeper) begin(at time.Duration) error {
	if len(k.idle) == 0 {
		k.backlog = append(k.backlog, at)
		return nil
	}
	fd := k.idle[0]
	k.idle = append(k.idle[:0], k.idle[1:]...)
	return k.exchange(fd, at)
}

func (k *keeper) exchange(fd int, at time.Duration) error {
	id := k.stamp(k.message, header{op: opExchange, response: uint32(k.Response)})
	k.conns[fd] = keptConn{at: at, id: id, busy: true}
	if sent, err := send(fd, k.message); err != nil || !sent {
		return fmt.Errorf("exchange %d: the socket of an idle connection is full: %w", id, err)
	}
	return nil
}

func (k *keeper) event(fd int, _ uint32, now func() time.Duration) error {
	c := &k.conns[fd]
	n, e := rawRead(fd, k.in)
	switch {
	case retry(e):
		return nil
	case e != noError:
		return fmt.Errorf("exchange %d: %w after %d of %d bytes", c.id, e, c.got, k.Response)
	case n == 0 || !c.busy:
		return fmt.Errorf("exchange %d: %d bytes came after %d of %d", c.id, n, c.got, k.Response)
	case c.got == 0:
		if err := checkResponse(k.in[:n], c.id); err != nil {
			return fmt.Errorf("exchange %d: %w", c.id, err)
		}
	}
	if c.got += n; c.got < k.Response {
		return nil
	}
	if c.got > k.Response {
		return fmt.Errorf("exchange %d: %d bytes came, want %d", c.id, c.got, k.Response)
	}
	c.busy = false
	k.latency.record(now() - c.at)
	k.done++
	if len(k.backlog) > 0 {
		at := k.backlog[0]
		k.backlog = append(k.backlog[:0], k.backlog[1:]...)
		return k.exchange(fd, at)
	}
	k.idle = append(k.idle, fd)
	return nil
}

// exchange sends Count requests over Conns kept connections, by the clock or each after the one before.
func (l *load) exchange(orders *bufio.Reader, ready func()) (loadResult, error) {
	k, err := newKeeper(l, l.Conns)
	if err != nil {
		return loadResult{}, err
	}
	k.backlog = make([]time.Duration, 0, l.Count)
	if _, err := l.drive(l.Warm, l.Rate, l.Conns, k.begin, k.event); err != nil {
		return loadResult{}, fmt.Errorf("warm up: %w", err)
	}
	if err := l.awaitGo(orders, ready); err != nil {
		return loadResult{}, err
	}
	elapsed, err := l.drive(l.Count, l.Rate, l.Conns, k.begin, k.event)
	return loadResult{Done: l.done, Elapsed: elapsed, Latency: &l.latency, Late: &l.late, Behind: l.behind(elapsed)}, err
}

// hold opens Conns connections and does nothing until its input ends. Then every one of them has to carry another
// exchange, or the measurement has failed.
func (l *load) hold(ready func()) (loadResult, error) {
	k, err := newKeeper(l, l.Conns)
	if err != nil {
		return loadResult{}, err
	}
	l.poll.add(0, unix.EPOLLIN)
	ready()
	for held := true; held; {
		for _, ev := range l.poll.wait(-1) {
			if ev.Fd != 0 {
				return loadResult{}, fmt.Errorf("connection %d of %d ended while it was held", k.conns[ev.Fd].id, l.Conns)
			}
			held = false
		}
	}
	l.poll.ctl(unix.EPOLL_CTL_DEL, 0, 0)
	if _, err := l.drive(l.Conns, 0, 32, k.begin, k.event); err != nil {
		return loadResult{}, fmt.Errorf("after the hold: %w", err)
	}
	return loadResult{Done: l.Conns}, nil
}
