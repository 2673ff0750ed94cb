package l4

import (
	"crypto/tls"
	"errors"
	"os"
	"slices"
	"strings"

	"github.com/sluicelb/sluice/sni"
)

// tlsFacts is what is remembered of a handshake with a client.
type tlsFacts struct {
	version uint16
	cipher  uint16
	alpn    string // that was agreed on; "" for none
	resumed bool

	certificate bool   // the client has shown one, now or in the session that it resumes; it was verified
	commonName  string // of its subject
	subject     string // all of it; any byte may be in it
}

// maxSubject bounds what is kept of the subject of a client's certificate.
const maxSubject = 256

func factsOf(c *tls.Conn) *tlsFacts {
	st := c.ConnectionState()
	f := &tlsFacts{version: st.Version, cipher: st.CipherSuite, alpn: st.NegotiatedProtocol, resumed: st.DidResume}
	if len(st.PeerCertificates) > 0 {
		subject := st.PeerCertificates[0].Subject
		f.certificate = true
		f.commonName = clip(subject.CommonName)
		f.subject = clip(subject.String())
	}
	return f
}

func clip(s string) string { return strings.ToValidUTF8(s[:min(len(s), maxSubject)], "") }

// handshake ends the client's TLS here. sent is what has been read from the client, which is the hello and
// perhaps more.
func (s *copySession) handshake(sent []byte) bool {
	if strings.HasSuffix(s.hello.serverName, ".") {
		// RFC 6066 forbids the dot and crypto/tls refuses it. It cannot be taken out of the hello for
		// crypto/tls to see, because both sides prove in the handshake that they saw the same hello.
		s.refuse(CauseNoRoute, RefusedNoRoute)
		s.turnAway(sni.AlertUnrecognizedName)
		return false
	}
	s.limitClient(max(s.accepted, s.headed) + int64(s.rules.timeouts.Hello))
	defer s.limitClient(0)
	w := newWire(s.client, sent)
	t := s.rules.terminator.state.Load()
	if s.rules.opensHellos() {
		w.hidden = func(hello *tls.ClientHelloInfo) bool { return s.revealed(hello) || t.isPublic(hello) }
	}
	c := tls.Server(w, t.config)
	err := c.Handshake()
	s.greeted = s.srv.clock()
	if err == nil {
		s.plain, err = tlsStream(w, c)
	}
	if err != nil || s.route == nil {
		s.failHandshake(w, err)
		return false
	}
	s.tls = factsOf(c)
	s.rules.listener.handshook(s.tls.resumed)
	return true
}

// revealed goes by the hello that counts, where it may have come inside another one, and reports whether it has a
// route.
func (s *copySession) revealed(hello *tls.ClientHelloInfo) (ok bool) {
	offered := sni.Offer(hello.SupportedProtos...)
	facts := *s.hello // which others may be looking at
	facts.serverName, facts.alpn = hello.ServerName, offered.Protocols(maxALPN)
	s.hello = &facts
	s.route, ok = s.rules.routes.Lookup(sni.Normalise(hello.ServerName), offered)
	return ok
}

// isPublic reports whether a hello asks for the outer name of our ECH configurations. A client whose configuration is
// stale is sent the present ones in a handshake by that name, and then ends it.
func (t *termination) isPublic(hello *tls.ClientHelloInfo) bool {
	return slices.Contains(t.public, sni.Normalise(hello.ServerName))
}

// failHandshake ends a session whose handshake has failed. Its client was told why by crypto/tls, unless it was
// the client who broke off.
func (s *copySession) failHandshake(w *wire, err error) {
	switch {
	case s.killed():
		s.fail(err, clientSide)
	case errors.Is(err, os.ErrDeadlineExceeded):
		s.timedOut()
	case w.cut():
		s.fail(w.broke, clientSide)
	case w.refuse, err == nil:
		if err == nil {
			s.detail = "asks for the public name: its Encrypted Client Hello was not for our keys"
		}
		s.refuse(CauseNoRoute, RefusedNoRoute)
		s.leave()
	default:
		s.detail = err.Error()
		s.refuse(CauseBadHello, RefusedHello)
		s.leave()
	}
}

// announce is what a node is told of the client's TLS in a PROXY header.
func (f *tlsFacts) announce() *proxyTLS {
	return &proxyTLS{
		version: strings.Replace(tls.VersionName(f.version), "TLS ", "TLSv", 1),
		cipher:  tls.CipherSuiteName(f.cipher),

		certificate: f.certificate,
		resumed:     f.resumed,
		verified:    f.certificate,
		commonName:  f.commonName,
	}
}
