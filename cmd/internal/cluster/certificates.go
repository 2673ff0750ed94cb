//go:build linux

package cluster

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"time"
)

// certificateLife is far more than any cluster lives.
const certificateLife = 30 * 24 * time.Hour

// An Authority signs certificates for tests: the nodes', or a balancer's. It lives as long as this process,
// for its key is never written down: only its certificate is. It is immutable and safe for concurrent use.
type Authority struct {
	certificate *x509.Certificate
	key         *ecdsa.PrivateKey
}

// writeCertificates fills MinIO's --certs-dir and returns the path of the CA's certificate:
//
//	public.crt private.key          for the addresses, and for whoever gives no name
//	NAME/public.crt private.key     for each of names; MinIO picks by SNI
//	CAs/ca.crt                      what the nodes trust of each other
//
// One certificate a name, and not one for all: S3 and Console share an address behind a balancer, and a
// browser may send what is for one name over its HTTP/2 connection to the other if the certificate
// covers both (RFC 9113, 9.1.1). No passthrough can put that right.
func writeCertificates(dir string, b *Block, names []string) (ca string, err error) {
	a, err := NewAuthority()
	if err != nil {
		return "", err
	}
	ca = filepath.Join(dir, "CAs", "ca.crt")
	if err := a.WriteCA(ca); err != nil {
		return "", err
	}
	addresses := []net.IP{net.IPv4(127, 0, 0, 1), b.Balancer().AsSlice()}
	for i := range Size {
		addresses = append(addresses, b.S3(i).Addr().AsSlice())
	}
	if err := a.issue(dir, &x509.Certificate{
		Subject:     pkix.Name{CommonName: "minio nodes"},
		IPAddresses: addresses,
		DNSNames:    []string{"localhost"},
	}); err != nil {
		return "", err
	}
	for _, name := range names {
		if err := a.Issue(filepath.Join(dir, name), name); err != nil {
			return "", err
		}
	}
	return ca, nil
}

// NewAuthority makes one, with a key of its own.
func NewAuthority() (*Authority, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, err
	}
	t := &x509.Certificate{
		Subject:               pkix.Name{CommonName: "Sluice test cluster CA"},
		IsCA:                  true,
		BasicConstraintsValid: true,
		KeyUsage:              x509.KeyUsageCertSign,
	}
	fill(t)
	der, err := x509.CreateCertificate(rand.Reader, t, t, &key.PublicKey, key)
	if err != nil {
		return nil, fmt.Errorf("make a CA: %w", err)
	}
	certificate, err := x509.ParseCertificate(der)
	return &Authority{certificate, key}, err
}

// WriteCA writes the authority's own certificate to a file, which is what clients need to trust.
func (a *Authority) WriteCA(file string) error {
	return writePEM(file, "CERTIFICATE", a.certificate.Raw)
}

// Issue writes a new certificate for a host name, public.crt, and its new key, private.key, into a folder. Files
// that are there are written over in place, one after the other.
func (a *Authority) Issue(dir, name string) error {
	return a.issue(dir, &x509.Certificate{Subject: pkix.Name{CommonName: name}, DNSNames: []string{name}})
}

// issue writes a certificate after t and its key into dir.
func (a *Authority) issue(dir string, t *x509.Certificate) error {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	fill(t)
	t.KeyUsage = x509.KeyUsageDigitalSignature
	t.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	der, err := x509.CreateCertificate(rand.Reader, t, a.certificate, &key.PublicKey, a.key)
	if err != nil {
		return fmt.Errorf("certificate for %q: %w", t.Subject.CommonName, err)
	}
	if err := writePEM(filepath.Join(dir, "public.crt"), "CERTIFICATE", der); err != nil {
		return err
	}
	pkcs8, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return err
	}
	return writePEM(filepath.Join(dir, "private.key"), "PRIVATE KEY", pkcs8)
}

// fill sets what all certificates have.
func fill(t *x509.Certificate) {
	serial := make([]byte, 16) // the least that makes two certificates of two runs differ for certain
	rand.Read(serial)
	t.SerialNumber = new(big.Int).SetBytes(serial)
	t.NotBefore = time.Now().Add(-time.Hour) // the clock of a container may be behind
	t.NotAfter = time.Now().Add(certificateLife)
}

func writePEM(path, kind string, der []byte) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600)
}
