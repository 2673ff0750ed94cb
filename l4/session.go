package l4

import (
	"net/netip"
	"slices"

	"github.com/sluicelb/sluice/pool"
)

// A session is one client connection and its node connection, from accept to close: what both engines
// know of it. An engine embeds it and adds its sockets. Only the session's own loop or goroutine
// touches it.
type session struct {
	id     uint64
	rules  *rules         // what the listener said when the session was accepted
	client netip.AddrPort // for limits, logs and balance: as a believed PROXY header says, else the peer
	route  *Route         // nil until it is known
	node   *pool.Node     // that has the session, or had it; for the record
	hello  *helloFacts    // nil where no hello is read
	tls    *tlsFacts      // nil where TLS does not end here, or not yet
	detail string         // what more there is to say about the cause

	announced *announcement // nil where no PROXY header was read
	prefaced  int           // bytes of the PROXY header that the node is sent
	aside     *[]*pool.Node // that the session will not be offered again, nil: none; few sessions have any

	// When a phase was over, on the server's clock; zero: not yet, or not needed.
	accepted  int64
	headed    int64 // the PROXY header was read
	greeted   int64 // the hello was read
	dialFrom  int64 // the first node was picked
	connected int64 // a node took the session
	answered  int64 // its first byte came

	in, out uint64 // bytes from the client to the node, and back
	spliced uint64 // of both, those that never entered user space
	retries uint8  // attempts in vain

	phase   Phase
	cause   Cause
	relayed bool // it is counted as no longer pending
	limited bool // it is counted with its client
}

// helloFacts is what is remembered of a hello.
type helloFacts struct {
	serverName string // as sent: any byte may be in it
	alpn       []string
	size       int  // bytes
	early      bool // early data is announced
}

// setAside keeps a node from being offered the session again.
func (s *session) setAside(n *pool.Node) {
	if s.aside == nil {
		s.aside = new([]*pool.Node)
	}
	if !slices.Contains(*s.aside, n) {
		*s.aside = append(*s.aside, n)
	}
}

// tried are the nodes that were set aside.
func (s *session) tried() []*pool.Node {
	if s.aside == nil {
		return nil
	}
	return *s.aside
}

// end says how the session ended. The first word counts: what follows from an end is not its cause.
func (s *session) end(cause Cause) {
	if s.cause == CauseNone {
		s.cause = cause
	}
}

// path says how most of the session's bytes were moved.
func (s *session) path() string {
	switch total := s.in + s.out; {
	case total == 0:
		return ""
	case s.tls != nil:
		return "tls"
	case s.spliced > total/2:
		return "splice"
	}
	return "copy"
}
