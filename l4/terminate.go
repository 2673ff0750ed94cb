package l4

import (
	"bytes"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/sni"
)

// A terminator ends TLS for the sessions of one listener, as one configuration says. What it has from files it
// reads again when they change; what is wrong with them then leaves what was there before in use.
//
// One goroutine at a time may call its methods, except for state.Load.
type terminator struct {
	listener *configs.Listener
	tickets  *tickets
	files    []*watched

	pairs    []*pair
	clients  *clientCAs // nil: no certificate is asked for
	ech      []*echKey
	warnings []string // since they were last taken

	state atomic.Pointer[termination]
}

// A termination is what a terminator does at the moment. It never changes.
type termination struct {
	config  *tls.Config
	certs   *sni.Certs
	shown   []Certificate
	stapled int      // how many of the certificates go out with an OCSP response
	public  []string // the outer names of hellos that ECH keys are for
}

// clientCAs are those who sign clients' certificates.
type clientCAs struct {
	pool *x509.CertPool
	sum  [sha256.Size]byte // of their file
}

// newTerminator reads everything that a listener needs to end TLS. The error is all that is wrong; what
// clients may object to is in the terminator's warnings.
func newTerminator(lc *configs.Listener, t *tickets) (*terminator, error) {
	tm := &terminator{
		listener: lc, tickets: t,
		pairs: make([]*pair, len(lc.Certificates)), ech: make([]*echKey, len(lc.ECH)),
	}
	for i, c := range lc.Certificates {
		tm.add([]string{c.Cert, c.Key, c.OCSP}, func() error { return tm.takePair(i, c) })
	}
	if a := lc.ClientAuth; a != nil {
		tm.add([]string{a.CA}, func() error { return tm.takeCAs(a) })
	}
	for i, k := range lc.ECH {
		tm.add([]string{k.Config, k.Key}, func() error { return tm.takeECH(i, k) })
	}
	var errs []error
	for _, s := range tm.files {
		errs = append(errs, s.open())
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	tm.rebuild(time.Now())
	return tm, nil
}

func (t *terminator) add(paths []string, read func() error) {
	paths = slices.DeleteFunc(paths, func(path string) bool { return path == "" })
	t.files = append(t.files, &watched{paths: paths, read: read})
}

// takePair reads a pair again, unless that would be for the worse.
func (t *terminator) takePair(i int, c *configs.Certificate) error {
	now := time.Now()
	p, warnings, err := readPair(c, now)
	if err != nil {
		return err
	}
	if old := t.pairs[i]; old != nil {
		if valid(old.cert.Leaf, now) && !valid(p.cert.Leaf, now) {
			return fmt.Errorf("certificate %q: %s", c.Cert, weaknesses(p.cert.Leaf, now)[0])
		}
		if p.staple == nil && sameChain(p, old) && c.OCSP != "" {
			p.staple = old.staple
		}
	}
	t.pairs[i] = p
	t.warnings = append(t.warnings, warnings...)
	return nil
}

func valid(c *x509.Certificate, at time.Time) bool {
	return !at.Before(c.NotBefore) && !at.After(c.NotAfter)
}

func (t *terminator) takeCAs(a *configs.ClientAuth) error {
	text, err := readFile(a.CA)
	if err != nil {
		return fmt.Errorf("client_auth: %w", err)
	}
	pool, err := caPool(text)
	if err != nil {
		return fmt.Errorf("client_auth: CA %q: %w", a.CA, err)
	}
	t.clients = &clientCAs{pool, sha256.Sum256(text)}
	return nil
}

// caPool makes a pool of all certificates in a PEM text, of which there must be one.
func caPool(text []byte) (*x509.CertPool, error) {
	pool, n := x509.NewCertPool(), 0
	for block := range blocks(text) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		n++
		ca, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("certificate %d of the file: %w", n, err)
		}
		pool.AddCert(ca)
	}
	if n == 0 {
		return nil, errors.New("there is no certificate in it, in PEM")
	}
	return pool, nil
}

func (t *terminator) takeECH(i int, k *configs.ECHKey) error {
	key, err := readECH(k)
	if err == nil {
		t.ech[i] = key
	}
	return err
}

// rebuild puts what was read into effect.
func (t *terminator) rebuild(now time.Time) {
	next := &termination{}
	var certs []*tls.Certificate
	for _, p := range t.pairs {
		cert := p.cert // a copy: the one that is in use is not changed
		if cert.OCSPStaple = p.staple.at(now); cert.OCSPStaple != nil {
			next.stapled++
		}
		certs = append(certs, &cert)
		next.shown = append(next.shown, p.show(t.listener.Name))
	}
	next.certs = sni.NewCerts(certs)
	next.config = t.configure(next)
	t.state.Store(next)
}

func (t *terminator) configure(next *termination) *tls.Config {
	lc := t.listener
	cfg := &tls.Config{
		MinVersion:     tls.VersionTLS12,
		CipherSuites:   cipherSuites(lc.Ciphers),
		NextProtos:     lc.ALPN,
		GetCertificate: next.certificate,
	}
	if lc.MinVersion == configs.TLS13 {
		cfg.MinVersion = tls.VersionTLS13
	}
	for _, name := range lc.Curves {
		id, _ := configs.Curve(name) // configs lets no other through
		cfg.CurvePreferences = append(cfg.CurvePreferences, id)
	}
	for _, key := range t.ech {
		cfg.EncryptedClientHelloKeys = append(cfg.EncryptedClientHelloKeys, key.EncryptedClientHelloKey)
		next.public = append(next.public, sni.Normalise(key.publicName))
		cfg.GetConfigForClient = reveal
	}
	realm := []byte("anybody")
	if a := lc.ClientAuth; a != nil {
		cfg.ClientAuth, cfg.ClientCAs = tls.RequireAndVerifyClientCert, t.clients.pool
		if a.Mode == configs.ClientAuthRequest {
			cfg.ClientAuth = tls.VerifyClientCertIfGiven
		}
		realm = append([]byte(a.Mode), t.clients.sum[:]...)
	}
	t.tickets.use(cfg, realm)
	return cfg
}

// cipherSuites are those of TLS 1.2 that are spoken; those of TLS 1.3 leave no choice.
func cipherSuites(names []string) []uint16 {
	if len(names) == 0 {
		return intermediate
	}
	var ids []uint16
	for _, name := range names {
		id, _ := configs.Cipher(name) // configs lets no other through
		ids = append(ids, id)
	}
	return ids
}

// intermediate is Mozilla's recommendation for general-purpose servers (Server Side TLS, version 5.7): forward
// secrecy and authenticated encryption, nothing else. Its DHE suites are not in crypto/tls.
var intermediate = []uint16{
	tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
	tls.TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
	tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
	tls.TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
}

// certificate answers a hello. Without a certificate crypto/tls sends unrecognized_name, as passthrough does for
// a name that has no route.
func (t *termination) certificate(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
	if w, ok := hello.Conn.(*wire); ok && w.refuse {
		return nil, nil
	}
	return t.certs.Find(hello), nil
}

// reveal shows a session the hello that counts, once it is decrypted.
func reveal(hello *tls.ClientHelloInfo) (*tls.Config, error) {
	if w, ok := hello.Conn.(*wire); ok && w.hidden != nil {
		w.refuse = !w.hidden(hello)
	}
	return nil, nil
}

// A change is what became of files that have changed.
type change struct {
	files []string
	err   error // why what they had before stays in use; nil: what they have now is
}

// look reads files that have changed since the last look, and drops OCSP responses that are stale.
func (t *terminator) look(now time.Time) (changes []change) {
	taken := false
	for _, s := range t.files {
		tried, err := s.look()
		if tried {
			changes = append(changes, change{s.paths, err})
			taken = taken || err == nil
		}
	}
	fresh := 0
	for _, p := range t.pairs {
		if p.staple.at(now) == nil {
			continue
		}
		fresh++
	}
	if fresh < t.state.Load().stapled && !taken {
		t.warnings = append(t.warnings, "an OCSP response has run out and is no longer stapled: fetch a new one")
	}
	if taken || fresh != t.state.Load().stapled {
		t.rebuild(now)
	}
	return changes
}

// takeWarnings returns what was found since it was last called.
func (t *terminator) takeWarnings() []string {
	w := t.warnings
	t.warnings = nil
	return w
}

// sameChain reports whether two pairs present the same certificates.
func sameChain(a, b *pair) bool {
	return slices.EqualFunc(a.cert.Certificate, b.cert.Certificate, bytes.Equal)
}
