package sni

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"math/big"
	"net"
	"sync"
	"testing"
)

var testRSA = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// testCert is a self-signed certificate for names, with a key of a kind.
func testCert(t *testing.T, kind string, names ...string) *tls.Certificate {
	t.Helper()
	var public, private any
	switch kind {
	case "rsa":
		private, public = testRSA(), testRSA().Public()
	case "ecdsa":
		key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		private, public = key, key.Public()
	case "ed25519":
		var err error
		if public, private, err = ed25519.GenerateKey(rand.Reader); err != nil {
			t.Fatal(err)
		}
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), DNSNames: names}
	der, err := x509.CreateCertificate(rand.Reader, template, template, public, private)
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return &tls.Certificate{Certificate: [][]byte{der}, PrivateKey: private, Leaf: leaf}
}

func TestCertsFind(t *testing.T) {
	first := testCert(t, "rsa", "first.example", "shared.example")
	firstEC := testCert(t, "ecdsa", "first.example")
	wild := testCert(t, "ecdsa", "*.s3.example", "Upper.Example")
	exact := testCert(t, "rsa", "a.s3.example")
	ed := testCert(t, "ed25519", "ed.example")
	edRSA := testCert(t, "rsa", "ed.example")
	certs := NewCerts([]*tls.Certificate{first, wild, exact, firstEC, ed, edRSA})

	any12 := &tls.Config{MaxVersion: tls.VersionTLS12}
	onlyRSA := &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256}}
	onlyECDSA := &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256}}
	modern := &tls.Config{}
	for _, tt := range []struct {
		what   string
		name   string
		client *tls.Config
		want   *tls.Certificate
	}{
		{"the cheaper of two kinds", "first.example", modern, firstEC},
		{"the kind that the client knows", "first.example", onlyRSA, first},
		{"exact before wildcard", "a.s3.example", any12, exact},
		{"wildcard if the exact one is of no use", "a.s3.example", onlyECDSA, wild},
		{"wildcard", "b.s3.example", modern, wild},
		{"a wildcard is one label", "c.b.s3.example", modern, firstEC},
		{"a wildcard is not the name itself", "s3.example", modern, firstEC},
		{"case", "A.S3.EXAMPLE", any12, exact},
		{"case of the certificate", "upper.example", modern, wild},
		{"no name", "", modern, firstEC},
		{"no name, one kind", "", onlyRSA, first},
		{"another name", "nobody.example", onlyRSA, first},
		{"an address", "192.0.2.1", modern, firstEC},
		{"nonsense", "a b\x00c", modern, firstEC},
		{"only the first's name", "shared.example", modern, first},
		{"nothing fits", "a.s3.example", &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: []uint16{tls.TLS_RSA_WITH_RC4_128_SHA}}, exact},
		{"Ed25519 before RSA", "ed.example", modern, ed},
	} {
		t.Run(tt.what, func(t *testing.T) {
			if got := certs.Find(helloOf(t, tt.name, tt.client)); got != tt.want {
				t.Errorf("got %v with %v, want %v with %v", got.Leaf.DNSNames, got.Leaf.PublicKeyAlgorithm, tt.want.Leaf.DNSNames, tt.want.Leaf.PublicKeyAlgorithm)
			}
		})
	}
}

// helloOf is what crypto/tls makes of the hello of a client that asks for name.
func helloOf(t *testing.T, name string, client *tls.Config) (hello *tls.ClientHelloInfo) {
	t.Helper()
	near, far := net.Pipe()
	cfg := client.Clone()
	cfg.ServerName, cfg.InsecureSkipVerify = name, true
	var clients sync.WaitGroup
	defer clients.Wait()
	defer near.Close()
	clients.Go(func() {
		defer far.Close()
		tls.Client(far, cfg).Handshake() // is told to end
	})
	server := tls.Server(near, &tls.Config{
		CipherSuites: append([]uint16{tls.TLS_RSA_WITH_RC4_128_SHA}, 0xc02b, 0xc02f, 0xc02c, 0xc030),
		GetCertificate: func(h *tls.ClientHelloInfo) (*tls.Certificate, error) {
			hello = h
			return nil, nil
		},
	})
	server.Handshake()
	if hello == nil {
		t.Fatalf("no hello for %q", name)
	}
	hello.ServerName = name // crypto/tls sends no name that is an address or nonsense
	return hello
}
