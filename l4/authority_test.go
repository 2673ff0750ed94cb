package l4

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// An authority signs certificates for a test.
type authority struct {
	t     *testing.T
	cert  *x509.Certificate
	key   crypto.Signer
	above []*x509.Certificate // that vouch for it, the root not included
}

func newAuthority(t *testing.T, name string) *authority {
	t.Helper()
	a := &authority{t: t, key: newKey(t, "ecdsa")}
	a.cert = a.sign(caTemplate(name), a.key.Public())
	return a
}

// intermediate is an authority that another one vouches for.
func (a *authority) intermediate(name string) *authority {
	a.t.Helper()
	b := &authority{t: a.t, key: newKey(a.t, "ecdsa")}
	b.cert = a.sign(caTemplate(name), b.key.Public())
	b.above = append([]*x509.Certificate{b.cert}, a.above...)
	return b
}

func caTemplate(name string) *x509.Certificate {
	return &x509.Certificate{
		Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageCRLSign,
	}
}

// newKey makes a key of a kind: "ecdsa", "rsa", "rsa1024" or "p224".
func newKey(t *testing.T, kind string) crypto.Signer {
	t.Helper()
	var key crypto.Signer
	var err error
	switch kind {
	case "rsa":
		key = rsaKey()
	case "rsa1024":
		key, err = rsa.GenerateKey(rand.Reader, 1024)
	case "p224":
		key, err = ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	default:
		key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	}
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// rsaKey is one for all tests: making it takes long.
var rsaKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

func (a *authority) sign(template *x509.Certificate, key crypto.PublicKey) *x509.Certificate {
	a.t.Helper()
	c := *template
	serial := make([]byte, 16)
	rand.Read(serial)
	serial[0] &= 0x7f
	c.SerialNumber = new(big.Int).SetBytes(serial)
	if c.NotAfter.IsZero() {
		c.NotBefore, c.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(90*24*time.Hour)
	}
	parent := a.cert
	if parent == nil {
		parent = &c
	}
	der, err := x509.CreateCertificate(rand.Reader, &c, parent, key, a.key)
	if err != nil {
		a.t.Fatal(err)
	}
	signed, err := x509.ParseCertificate(der)
	if err != nil {
		a.t.Fatal(err)
	}
	return signed
}

// trust is a pool with the authority alone.
func (a *authority) trust() *x509.CertPool {
	pool := x509.NewCertPool()
	pool.AddCert(a.cert)
	return pool
}

// An issued certificate, with its key.
type issued struct {
	chain []*x509.Certificate
	key   crypto.Signer
}

// issue makes a certificate with a key of a kind for names, or as a template says.
func (a *authority) issue(kind string, template *x509.Certificate, names ...string) issued {
	a.t.Helper()
	c := x509.Certificate{}
	if template != nil {
		c = *template
	}
	if c.KeyUsage == 0 {
		c.KeyUsage = x509.KeyUsageDigitalSignature
	}
	if c.ExtKeyUsage == nil {
		c.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			c.IPAddresses = append(c.IPAddresses, ip)
		} else {
			c.DNSNames = append(c.DNSNames, name)
		}
	}
	if c.Subject.CommonName == "" && len(names) > 0 {
		c.Subject.CommonName = names[0]
	}
	key := newKey(a.t, kind)
	return issued{append([]*x509.Certificate{a.sign(&c, key.Public())}, a.above...), key}
}

// pair is the certificate for crypto/tls.
func (i issued) pair() tls.Certificate {
	c := tls.Certificate{PrivateKey: i.key, Leaf: i.chain[0]}
	for _, cert := range i.chain {
		c.Certificate = append(c.Certificate, cert.Raw)
	}
	return c
}

// certPEM is the chain as a file has it.
func certPEM(chain ...*x509.Certificate) []byte {
	var text []byte
	for _, c := range chain {
		text = append(text, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: c.Raw})...)
	}
	return text
}

// keyPEM is the key in PKCS#8.
func keyPEM(t *testing.T, key crypto.Signer) []byte {
	t.Helper()
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
}

// write puts a certificate and its key into files, each replaced atomically.
func (i issued) write(t *testing.T, c *configs.Certificate) {
	t.Helper()
	replaceFile(t, c.Key, keyPEM(t, i.key))
	replaceFile(t, c.Cert, certPEM(i.chain...))
}

func replaceFile(t *testing.T, path string, text []byte) {
	t.Helper()
	if err := os.WriteFile(path+".new", text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		t.Fatal(err)
	}
}

// files makes places for a certificate and its key in a folder of their own.
func files(t *testing.T) *configs.Certificate {
	dir := t.TempDir()
	return &configs.Certificate{Cert: filepath.Join(dir, "cert.pem"), Key: filepath.Join(dir, "key.pem")}
}

// written is files with a certificate in them.
func (i issued) written(t *testing.T) *configs.Certificate {
	t.Helper()
	c := files(t)
	i.write(t, c)
	return c
}
