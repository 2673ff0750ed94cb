package l4

import (
	"bytes"
	"errors"
	"fmt"
	"net/netip"

	"github.com/pires/go-proxyproto"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/sni"
)

// An opening decides from a session's first bytes who its client is and where it goes: PROXY header,
// hello, route. It does no I/O and has no clock: an engine reads, shows it everything that has come, and
// does what it says. There is one buffer, the engine's, from the first byte to the last.
type opening struct {
	header int        // bytes of the PROXY header, once it was read
	parser sni.Parser // of what comes behind it
	alert  string     // what to tell the client of a refused session
}

// verdict is what is to be done after a look at a session's first bytes.
type verdict uint8

const (
	readMore verdict = iota // nothing is decided yet
	goOn                    // the session has its route
	refuse                  // the session has its cause
)

// maxOpening is how many bytes a session may send before it is decided: a PROXY header, and a hello of
// the 64 KiB that crypto/tls takes with as much again for its record headers, which is a record for
// every five bytes.
const maxOpening = proxyHeaderMax + 2*sni.MaxHandshake

// firstPhase is where a session's first bytes are read, or PhaseAccept if nothing needs to be.
func (r *rules) firstPhase(peer netip.Addr) Phase {
	switch {
	case r.wantsHeader(peer):
		return PhaseHeader
	case r.routes != nil:
		return PhaseHello
	}
	return PhaseAccept
}

// decide looks at all that the session's client has sent so far, from its first byte. While the verdict
// is readMore, the session's phase says what is being waited for.
func (o *opening) decide(srv *Server, s *session, sent []byte, now int64) verdict {
	if s.phase == PhaseHeader {
		if v := o.readHeader(srv, s, sent, now); v != goOn {
			return v
		}
		s.headed, s.phase = now, PhaseHello
	}
	if s.rules.routes == nil {
		s.route = s.rules.fallback
		return goOn
	}
	v := o.readHello(s, sent[o.header:], now)
	if v == readMore && len(sent) >= maxOpening {
		o.alert = sni.AlertDecodeError
		s.refuse(CauseBadHello, RefusedHello)
		return refuse
	}
	return v
}

// readHeader reads the PROXY header that this peer must send, and takes its word for who the client is.
func (o *opening) readHeader(srv *Server, s *session, sent []byte, now int64) verdict {
	h, err := parseProxyHeader(sent)
	switch {
	case errors.Is(err, errProxyMore):
		return readMore
	case err != nil:
		s.refuse(CauseBadHeader, RefusedHeader)
		return refuse
	}
	o.header = len(h.raw)
	s.announced = &announcement{header: bytes.Clone(h.raw), tlvs: len(h.raw) - len(h.tlvs), local: h.local}
	if h.local {
		return goOn // the peer on its own behalf, such as a health check: what it may do, it may
	}
	s.client, s.announced.to = h.src, h.dst
	return srv.letIn(s, now)
}

// readHello finds the route that the hello asks for.
func (o *opening) readHello(s *session, sent []byte, now int64) verdict {
	hello, err := o.parser.Parse(sent)
	switch {
	case errors.Is(err, sni.ErrMore):
		return readMore
	case errors.Is(err, sni.ErrNotTLS):
		s.refuse(CauseNotTLS, RefusedNotTLS) // no alert: whoever this is does not speak TLS
		return refuse
	case err != nil:
		o.alert = sni.AlertDecodeError
		s.refuse(CauseBadHello, RefusedHello)
		return refuse
	}
	s.greeted = now
	s.hello = &helloFacts{serverName: hello.ServerName, size: hello.Size, early: hello.EarlyData}
	s.rules.listener.hellos.add(hello.Size)
	if hello.ALPN != nil {
		s.hello.alpn = hello.ALPN.Protocols(maxALPN)
	}
	route, ok := s.rules.routes.Lookup(hello.Name, hello.ALPN)
	if !ok && hello.ECH && s.rules.opensHellos() {
		return goOn // another hello may be inside
	}
	if !ok {
		o.alert = sni.AlertUnrecognizedName
		s.refuse(CauseNoRoute, RefusedNoRoute)
		return refuse
	}
	s.route = route
	return goOn
}

// maxALPN bounds how many of the protocols that a client offers its record shows.
const maxALPN = 8

// An announcement is the PROXY header that a session came with.
type announcement struct {
	header []byte         // as it came
	tlvs   int            // where in it the TLVs begin
	local  bool           // it announces nobody
	to     netip.AddrPort // what the client connected to; not valid if the header did not say
}

// preface is what a node is sent before anything of the client's: the PROXY header its pool wants, or
// nothing. to is the address that the client connected to.
func (s *session) preface(process string, to netip.AddrPort) ([]byte, error) {
	out := proxyOut{src: s.client, dst: to, checksum: true}
	if a := s.announced; a != nil {
		if a.to.IsValid() {
			out.dst = a.to
		}
		out.local, out.inherit = a.local, a.header[a.tlvs:]
	}
	switch s.route.pool.Config().Proxy {
	case configs.ProxyV1:
		out.version = 1
	case configs.ProxyV2:
		out.version = 2
	case configs.ProxyPassthrough:
		if s.announced != nil {
			return s.announced.header, nil
		}
		out.version = 2 // a client without a header of its own: the node waits for one all the same
	default:
		return nil, nil
	}
	if s.hello != nil {
		out.authority = s.hello.serverName
	}
	if s.tls != nil {
		out.alpn, out.tls = s.tls.alpn, s.tls.announce()
	}
	if _, has := findTLV(out.inherit, proxyproto.PP2_TYPE_UNIQUE_ID); !has {
		// One that is there stays: it is what tells a connection through all its proxies (specification, 2.2.5).
		out.uniqueID = fmt.Appendf(nil, "%s-%d", process, s.id)
	}
	return appendProxyHeader(nil, out)
}
