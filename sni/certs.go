package sni

import (
	"crypto/tls"
	"crypto/x509"
	"slices"
	"strings"
)

// Certs finds the certificate that a hello is answered with. It never changes, so any number of
// goroutines may use it; when a certificate is renewed, a new one takes its place.
type Certs struct {
	exact    map[string][]*tls.Certificate // by host name
	wildcard map[string][]*tls.Certificate // by what stands behind "*."
	rest     []*tls.Certificate            // for hellos that no certificate is for
}

// NewCerts makes a store of certificates, each with its Leaf. There must be one at least. The first, and
// those of other kinds of key for the same name, are for hellos that ask for no name or for one that
// nobody has a certificate for.
func NewCerts(all []*tls.Certificate) *Certs {
	c := &Certs{exact: map[string][]*tls.Certificate{}, wildcard: map[string][]*tls.Certificate{}}
	for _, cert := range all {
		for _, name := range cert.Leaf.DNSNames {
			name = strings.ToLower(strings.TrimSuffix(name, "."))
			if below, ok := strings.CutPrefix(name, "*."); ok {
				c.wildcard[below] = append(c.wildcard[below], cert)
			} else {
				c.exact[name] = append(c.exact[name], cert)
			}
		}
	}
	for _, group := range c.exact {
		slices.SortStableFunc(group, byCost)
	}
	for _, group := range c.wildcard {
		slices.SortStableFunc(group, byCost)
	}
	c.rest = siblings(all)
	return c
}

// siblings returns the first certificate and those that are for one of its names but have another kind
// of key.
func siblings(all []*tls.Certificate) []*tls.Certificate {
	group := all[:1:1]
	for _, cert := range all[1:] {
		shared := slices.ContainsFunc(cert.Leaf.DNSNames, func(name string) bool {
			return slices.Contains(all[0].Leaf.DNSNames, name)
		})
		known := slices.ContainsFunc(group, func(other *tls.Certificate) bool { return cost(other) == cost(cert) })
		if shared && !known {
			group = append(group, cert)
		}
	}
	slices.SortStableFunc(group, byCost)
	return group
}

// byCost orders certificates by what a signature costs the server. Among those that a client supports the
// cheapest is used: one with ECDSA on P-256 takes a twentieth of the time of RSA with 2048 bits.
func byCost(a, b *tls.Certificate) int { return cost(a) - cost(b) }

func cost(c *tls.Certificate) int {
	switch c.Leaf.PublicKeyAlgorithm {
	case x509.ECDSA:
		return 0
	case x509.Ed25519:
		return 1
	}
	return 2
}

// Find returns the certificate for a hello: of those for exactly its name, of those with a wildcard for
// it (which stands for one label, RFC 9525 section 6.3), or of those for no name, the first that the
// client supports. If it supports none, what it gets is the best by name, and it is the client that refuses.
func (c *Certs) Find(hello *tls.ClientHelloInfo) *tls.Certificate {
	var best *tls.Certificate
	choose := func(group []*tls.Certificate, hello *tls.ClientHelloInfo) bool {
		if len(group) > 0 && best == nil {
			best = group[0]
		}
		i := slices.IndexFunc(group, func(cert *tls.Certificate) bool { return hello.SupportsCertificate(cert) == nil })
		if i < 0 {
			return false
		}
		best = group[i]
		return true
	}
	if name := Normalise(hello.ServerName); name != "" {
		_, below, _ := strings.Cut(name, ".")
		if choose(c.exact[name], hello) || choose(c.wildcard[below], hello) {
			return best
		}
	}
	// These are not for the name, which SupportsCertificate would hold against them.
	nameless := *hello
	nameless.ServerName = ""
	choose(c.rest, &nameless)
	return best
}
