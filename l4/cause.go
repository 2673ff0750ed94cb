package l4

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"syscall"
)

// Phase is where in its life a session is. Phases come in the order in which they are listed; those
// that a listener has no use for are passed over.
type Phase uint8

const (
	PhaseAccept Phase = iota // limits and access rules; no byte has been read
	PhaseHeader              // waiting for the PROXY header
	PhaseHello               // waiting for the ClientHello; where TLS ends here, the handshake
	PhaseDial                // looking for a node that takes the session
	PhaseRelay               // both sides may send
	PhaseLinger              // one side has finished, the other may still send
	phases
)

var phaseNames = [phases]string{"accept", "header", "hello", "dial", "relay", "linger"}

// String is the phase as logs and metrics show it.
func (p Phase) String() string { return phaseNames[p] }

// Cause is who or what ended a session. Together with the [Phase] in which that happened it says what
// HAProxy says with its termination code (configuration.txt, section 8.5), spelled out.
type Cause uint8

const (
	CauseNone        Cause = iota // it has not ended
	CauseClient                   // the client finished first; all that both sent was delivered
	CauseNode                     // the node finished first; all that both sent was delivered
	CauseClientReset              // the client reset the connection, or vanished
	CauseNodeReset                // the node reset the connection, or vanished
	CauseTimeout                  // a bound of [configs.Timeouts]; the phase says which
	CauseDenied                   // allow and deny
	CauseLimit                    // a bound of [configs.Limits], or of the listener
	CauseBadHeader                // no PROXY header where there must be one, or not a valid one
	CauseNotTLS                   // the first bytes are not TLS
	CauseBadHello                 // TLS, but no valid ClientHello; a failed handshake where TLS ends here
	CauseNoRoute                  // nobody serves the name
	CauseNoNode                   // the pool has no node to offer
	CauseDial                     // no node took the session
	CauseNodeDown                 // checks marked the node down, and the pool closes on that
	CauseKilled                   // the operator's word
	CauseDrained                  // the process stopped and would wait no longer
	CauseResources                // out of descriptors or memory
	CauseInternal                 // a defect of Sluice
	causes
)

var causeNames = [causes]string{
	"none", "client", "node", "client_reset", "node_reset", "timeout", "denied", "limit", "bad_header",
	"not_tls", "bad_hello", "no_route", "no_node", "dial", "node_down", "killed", "drained", "resources", "internal",
}

// String is the cause as logs and metrics show it.
func (c Cause) String() string { return causeNames[c] }

// orderly reports whether the session came to its end with nothing lost.
func (c Cause) orderly() bool { return c == CauseClient || c == CauseNode }

// side is one of the two ends of a session.
type side uint8

const (
	clientSide side = iota
	nodeSide
)

// other is the opposite side.
func (sd side) other() side { return 1 - sd }

// reset is the cause of a session that one side cut.
func (sd side) reset() Cause {
	if sd == clientSide {
		return CauseClientReset
	}
	return CauseNodeReset
}

// finished is the cause of a session that one side ended in order.
func (sd side) finished() Cause {
	if sd == clientSide {
		return CauseClient
	}
	return CauseNode
}

// classify says what an error on the connection to one side means for the session. It is the only
// place that tells normal endings from the rest; nil and io.EOF are an orderly end.
func classify(err error, from side) Cause {
	switch {
	case err == nil, errors.Is(err, io.EOF):
		return from.finished()
	case errors.Is(err, os.ErrDeadlineExceeded), errors.Is(err, context.DeadlineExceeded):
		return CauseTimeout
	case errors.Is(err, syscall.ETIMEDOUT):
		// Keepalive or TCP_USER_TIMEOUT found that nobody is there any more, tcp(7).
		return from.reset()
	case errors.Is(err, syscall.EMFILE), errors.Is(err, syscall.ENFILE),
		errors.Is(err, syscall.ENOBUFS), errors.Is(err, syscall.ENOMEM):
		return CauseResources
	case errors.Is(err, net.ErrClosed), errors.Is(err, context.Canceled):
		// We closed it ourselves, and whoever did has set the cause.
		return CauseNone
	default:
		// ECONNRESET and EPIPE; EHOSTUNREACH and friends, which an ICMP message can bring at any time.
		return from.reset()
	}
}
