package l4

import (
	"net/netip"
	"time"

	"github.com/sluicelb/sluice/pool"
)

// A session is one client connection and its node connection, from accept to close: what both engines
// know of it. An engine embeds it and adds its sockets.
//
// Only the session's own loop or goroutine touches it; others see the copy that [session.view] makes.
type session struct {
	id     uint64
	rules  *rules         // what the listener said when the session was accepted
	client netip.AddrPort // who it is for limits, logs and balance: as a believed PROXY header says, else the peer
	route  *Route         // nil until it is known
	node   *pool.Node     // the one that has the session; nil before and after
	hello  *helloFacts    // nil where no hello is read

	// Times on the loop's or engine's clock, nanoseconds; zero: not reached.
	accepted, opened, dialled, connected, answered int64

	in, out uint64 // bytes from the client to the node, and back
	spliced uint64 // of both, those that never entered user space
	retries uint8  // nodes tried in vain

	phase Phase
	cause Cause
}

// helloFacts is what is remembered of a hello until the record is written.
type helloFacts struct {
	serverName string // as sent: any byte may be in it
	alpn       []string
}

// end says how the session ended. The first word counts: what follows from an end is not its cause.
func (s *session) end(cause Cause) {
	if s.cause == CauseNone {
		s.cause = cause
	}
}

// A Record is what is left of a session: one line in the log, one sample in the metrics.
type Record struct {
	ID         uint64
	Accepted   time.Time
	Listener   string
	Route      string // the label of the route, "" if none was found
	Pool       string
	Node       string
	Client     netip.AddrPort
	ServerName string // as the client sent it: any byte may be in it
	ALPN       []string
	Cause      Cause
	Phase      Phase
	BytesIn    uint64 // client to node
	BytesOut   uint64 // node to client

	// How long each phase took; zero if it was not needed or not reached.
	Header    time.Duration // the PROXY header
	Hello     time.Duration // the ClientHello, or the handshake
	Dial      time.Duration // until a node took the session, all attempts
	FirstByte time.Duration // from then until the node's first byte
	Duration  time.Duration // all of it

	Retries int    // nodes tried in vain
	Path    string // how most bytes were moved: splice, copy or tls
}
