package l4

import (
	"crypto/x509"
	"errors"
	"fmt"
	"time"

	"golang.org/x/crypto/ocsp"
)

// A staple is an OCSP response that goes out with a certificate (RFC 6066 section 8), so that clients
// need not ask whether it was revoked.
type staple struct {
	raw   []byte
	until time.Time // after this it is no longer sent: clients refuse a stale one, and do without where there is none
}

// readStaple reads the response for the first certificate of a chain and checks that it is what clients will
// accept: for this certificate, good, signed by who may, and current.
func readStaple(path string, chain []*x509.Certificate, now time.Time) (*staple, error) {
	raw, err := readFile(path)
	if err != nil {
		return nil, err
	}
	if len(chain) < 2 && !selfSigned(chain[0]) {
		return nil, fmt.Errorf("%q: it cannot be verified without the certificate of who signed it: append that to the chain", path)
	}
	issuer := chain[min(1, len(chain)-1)]
	r, err := ocsp.ParseResponseForCert(raw, chain[0], issuer)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	if err := current(r, now); err != nil {
		return nil, fmt.Errorf("%q: %w", path, err)
	}
	return &staple{raw: raw, until: r.NextUpdate}, nil
}

func current(r *ocsp.Response, now time.Time) error {
	switch {
	case r.Status == ocsp.Revoked:
		return fmt.Errorf("the certificate was revoked on %s: get another", day(r.RevokedAt))
	case r.Status != ocsp.Good:
		return errors.New("the responder does not know the certificate: ask again later")
	case now.Before(r.ThisUpdate.Add(-time.Hour)):
		return fmt.Errorf("it is not valid before %s: is this machine's clock right?", r.ThisUpdate.UTC().Format(time.RFC3339))
	case r.NextUpdate.IsZero():
		return errors.New("it does not say how long it is valid (nextUpdate), and clients want to know")
	case now.After(r.NextUpdate):
		return fmt.Errorf("it was valid until %s: fetch a new one (openssl ocsp -respout)", r.NextUpdate.UTC().Format(time.RFC3339))
	}
	return nil
}

// now returns what is to be stapled at a time: nothing once the response is stale.
func (s *staple) at(now time.Time) []byte {
	if s == nil || now.After(s.until) {
		return nil
	}
	return s.raw
}
