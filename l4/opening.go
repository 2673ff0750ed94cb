package l4

import (
	"errors"

	"github.com/sluicelb/sluice/sni"
)

// An opening decides from a session's first bytes where it goes. It does no I/O and has no clock: an
// engine reads, shows it everything that has come, and does what it says. The zero value is for a
// session of which nothing is known.
type opening struct {
	parser sni.Parser
	alert  string // what to tell the client before the close of a refused session
}

// verdict is what is to be done after a look at a session's first bytes.
type verdict uint8

const (
	readMore verdict = iota // nothing is decided yet
	goOn                    // the session has its route
	refuse                  // the session has its cause
)

// decide looks at all that the session's client has sent so far, from its first byte.
func (o *opening) decide(s *session, sent []byte) verdict {
	if s.rules.routes == nil {
		s.route = s.rules.fallback
		return goOn
	}
	hello, err := o.parser.Parse(sent)
	if err != nil {
		return o.refuse(s, err)
	}
	s.hello = &helloFacts{serverName: hello.ServerName, size: hello.Size, early: hello.EarlyData}
	if hello.ALPN != nil {
		s.hello.alpn = hello.ALPN.Protocols(maxALPN)
	}
	route, ok := s.rules.routes.Lookup(hello.Name, hello.ALPN)
	if !ok {
		o.alert = sni.AlertUnrecognizedName
		s.end(CauseNoRoute)
		return refuse
	}
	s.route = route
	return goOn
}

// maxALPN bounds how many of the protocols that a client offers its record shows.
const maxALPN = 8

// refuse turns what is wrong with a hello into the end of its session.
func (o *opening) refuse(s *session, err error) verdict {
	switch {
	case errors.Is(err, sni.ErrMore):
		return readMore
	case errors.Is(err, sni.ErrNotTLS):
		s.end(CauseNotTLS) // no alert: whoever this is does not speak TLS
	default:
		o.alert = sni.AlertDecodeError
		s.end(CauseBadHello)
	}
	return refuse
}
