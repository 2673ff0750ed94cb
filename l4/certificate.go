package l4

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Certificate is one that a listener presents to clients, as it is now.
type Certificate struct {
	Listener    string
	File        string   // as the configuration has it
	Names       []string // hosts and addresses that it is for
	Issuer      string   // who signed it
	Key         string   // such as "ECDSA P-256"
	Fingerprint string   // SHA-256 of the certificate, in hex
	NotBefore   time.Time
	NotAfter    time.Time
	Staple      time.Time // until when its OCSP response is good; zero: it has none
}

// show is a pair as people see it.
func (p *pair) show(listener string) Certificate {
	leaf := p.cert.Leaf
	sum := sha256.Sum256(leaf.Raw)
	c := Certificate{
		Listener:    listener,
		File:        p.config.Cert,
		Names:       names(leaf),
		Issuer:      leaf.Issuer.String(),
		Key:         leaf.PublicKeyAlgorithm.String(),
		Fingerprint: hex.EncodeToString(sum[:]),
		NotBefore:   leaf.NotBefore,
		NotAfter:    leaf.NotAfter,
	}
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		c.Key = fmt.Sprintf("RSA %d", key.N.BitLen())
	case *ecdsa.PublicKey:
		c.Key = "ECDSA " + key.Params().Name
	}
	if p.staple != nil {
		c.Staple = p.staple.until
	}
	return c
}

// Certificates returns what the present listeners present, in the order of the configuration.
func (s *Server) Certificates() []Certificate {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Certificate
	for _, t := range s.terminators {
		all = append(all, t.state.Load().shown...)
	}
	return all
}
