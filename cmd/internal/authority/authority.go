// Package authority makes certificates that nobody has a reason to trust but whoever made them: for the
// demo's nodes, and for tests.
//
//	a, err := authority.New("Sluice demo CA")
//	pair, err := a.Issue(&x509.Certificate{DNSNames: []string{"s3.localhost"}})
//
// The key of an Authority lives in memory and is never written down. Nothing here belongs in front of
// real clients.
package authority

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"time"
)

// life is how long a certificate is valid if its template does not say.
const life = 30 * 24 * time.Hour

// Authority signs certificates. It may be used concurrently and is never changed.
type Authority struct {
	Certificate *x509.Certificate
	key         crypto.Signer
}

// New makes an Authority with a key of its own.
func New(name string) (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("make CA %q: %w", name, err)
	}
	a := &Authority{key: key}
	der, err := a.sign(&x509.Certificate{
		Subject:               pkix.Name{CommonName: name},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}, key.Public())
	if err != nil {
		return nil, fmt.Errorf("make CA %q: %w", name, err)
	}
	a.Certificate, err = x509.ParseCertificate(der)
	return a, err
}

// PEM is the certificate of the Authority, as a file for those who are to trust it.
func (a *Authority) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: a.Certificate.Raw})
}

// Pool holds the Authority and nobody else.
func (a *Authority) Pool() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.Certificate)
	return pool
}

// Issue makes a certificate and its key. The template says for whom: DNSNames, IPAddresses, and a validity
// if it is to be another than a month from now. It is not changed.
func (a *Authority) Issue(template *x509.Certificate) (tls.Certificate, error) {
	t := *template
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}

	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate for %q: %w", t.DNSNames, err)
	}
	der, err := a.sign(&t, key.Public())
	if err != nil {
		return tls.Certificate{}, fmt.Errorf("certificate for %q: %w", t.DNSNames, err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, nil
}

// sign fills in what all certificates have. An Authority that is not there yet signs for itself.
func (a *Authority) sign(t *x509.Certificate, key crypto.PublicKey) ([]byte, error) {
	serial := make([]byte, 16) // RFC 5280, 4.1.2.2: unique for its CA, at most 20 bytes
	rand.Read(serial)
	t.SerialNumber = new(big.Int).SetBytes(serial)
	if t.NotAfter.IsZero() {
		t.NotBefore = time.Now().Add(-time.Hour) // the clock of whoever checks it may be behind
		t.NotAfter = time.Now().Add(life)
	}
	parent := a.Certificate
	if parent == nil {
		parent = t
	}
	return x509.CreateCertificate(rand.Reader, t, parent, key, a.key)
}
