package pool

import (
	"context"
	"errors"
	"net"
	"os"
	"syscall"
	"time"
)

// DialResult is how one attempt to reach a node ended.
type DialResult uint8

const (
	DialOK          DialResult = iota
	DialRefused                // the node's machine said no: counts towards ejection
	DialTimeout                // nobody answered: counts
	DialUnreachable            // the network said no: counts
	DialError                  // anything else that the node may be blamed for, such as its TLS: counts
	DialLocal                  // this machine could not even try (descriptors, ports, rights): does not count
	DialCanceled               // the session gave up first: does not count
	dialResults
)

// DialResults is the number of different results; they count from 0.
const DialResults = int(dialResults)

// String is the value of the metric's label.
func (r DialResult) String() string {
	return [...]string{"ok", "refused", "timeout", "unreachable", "error", "local", "canceled"}[r]
}

// blames reports whether the result speaks against the node.
func (r DialResult) blames() bool { return r != DialOK && r < DialLocal }

// ClassifyDial says how an attempt that ended with err is counted. It understands the errors of
// package net and bare errno values alike.
func ClassifyDial(err error) DialResult {
	is := func(targets ...error) bool {
		for _, t := range targets {
			if errors.Is(err, t) {
				return true
			}
		}
		return false
	}
	switch {
	case err == nil:
		return DialOK
	case is(context.Canceled, net.ErrClosed):
		return DialCanceled
	case is(syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL,
		syscall.EADDRINUSE, syscall.EACCES, syscall.EPERM):
		return DialLocal
	case is(syscall.ECONNREFUSED):
		return DialRefused
	case is(syscall.EHOSTUNREACH, syscall.ENETUNREACH):
		return DialUnreachable
	case is(context.DeadlineExceeded, os.ErrDeadlineExceeded, syscall.ETIMEDOUT):
		return DialTimeout
	}
	if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
		return DialTimeout
	}
	return DialError
}

// Dialed reports how a dial ended: nil, or why not, after how long. Refused and timed-out dials count
// towards ejection; a success ends a run of them. Call it once for each attempt, before
// [Node.Release] where the attempt failed. An attempt that was given up because a rival won is
// [context.Canceled].
func (n *Node) Dialed(err error, took time.Duration) {
	r := ClassifyDial(err)
	n.dials[r].Add(1)
	switch {
	case r == DialOK:
		n.dialTimes.add(took)
		n.set.dialTimes.add(took)
		n.runs.dialed()
	case r.blames():
		n.failed(&n.runs.dials, "dial "+r.String())
	}
}

// Silent reports that the node took a connection and a hello and sent nothing within
// timeouts.first_byte. It counts towards ejection as a failed dial does.
func (n *Node) Silent() {
	n.silences.Add(1)
	n.failed(&n.runs.silences, "no first byte")
}

// Answered reports a first byte in time; it ends every run of failures.
func (n *Node) Answered() { n.runs.answered() }
