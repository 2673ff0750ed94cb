package l4

import (
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// Clients' certificates: asked for or demanded, by authorities that are read again when their file changes.
func TestClientAuth(t *testing.T) {
	leakCheck(t)
	ca, trusted, stranger := newAuthority(t, "test CA"), newAuthority(t, "clients"), newAuthority(t, "strangers")
	caFile := files(t).Cert
	replaceFile(t, caFile, certPEM(trusted.cert))
	cfg := terminating([]*configs.Certificate{ca.issue("ecdsa", nil, site).written(t)}, startNode(t, echo))
	require, request := cfg.Listeners[0], *cfg.Listeners[0]
	require.ClientAuth = &configs.ClientAuth{CA: caFile, Mode: configs.ClientAuthRequire}
	request.Name, request.ClientAuth = "request", &configs.ClientAuth{CA: caFile, Mode: configs.ClientAuthRequest}
	cfg.Listeners = append(cfg.Listeners, &request)
	srv := serve(t, cfg)

	alice := pkix.Name{CommonName: "alice", Organization: []string{"Example"}}
	known := trusted.issue("ecdsa", &x509.Certificate{Subject: alice}).pair()
	unknown := stranger.issue("ecdsa", &x509.Certificate{Subject: alice}).pair()
	late := trusted.issue("ecdsa", &x509.Certificate{Subject: alice, NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour)}).pair()
	server := trusted.issue("ecdsa", &x509.Certificate{Subject: alice, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}).pair()

	// asks connects with a certificate, or none, and exchanges a byte.
	asks := func(listener string, version uint16, cert *tls.Certificate) error {
		client := ca.client()
		client.MaxVersion = version
		client.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) {
			if cert == nil {
				return &tls.Certificate{}, nil
			}
			return cert, nil // whatever the server says it trusts
		}
		c := tls.Client(dial(t, srv.addr(listener)), client)
		defer c.Close()
		if err := c.Handshake(); err != nil {
			return err
		}
		c.Write([]byte("x"))
		_, err := c.Read(make([]byte, 1)) // by TLS 1.3 the server has the last word
		return err
	}
	n := 0
	for _, version := range []uint16{tls.VersionTLS12, tls.VersionTLS13} {
		for _, tt := range []struct {
			name, listener string
			cert           *tls.Certificate
			in             bool
			subject        string
		}{
			{"known", "s3", &known, true, "CN=alice,O=Example"},
			{"none", "s3", nil, false, ""},
			{"unknown", "s3", &unknown, false, ""},
			{"expired", "s3", &late, false, ""},
			{"a server's", "s3", &server, false, ""},
			{"known", "request", &known, true, "CN=alice,O=Example"},
			{"none", "request", nil, true, ""},
			{"unknown", "request", &unknown, false, ""},
		} {
			err := asks(tt.listener, version, tt.cert)
			n++
			r := srv.wait(n)[n-1]
			if (err == nil) != tt.in || r.Cause.orderly() != tt.in || r.Subject != tt.subject || r.Listener != tt.listener {
				t.Errorf("%s at %s by %s: got %v, record %v subject %q, detail %q", tt.name, tt.listener, tls.VersionName(version), err, r.Cause, r.Subject, r.Detail)
			}
			if !tt.in && (r.Cause != CauseBadHello || !strings.Contains(r.Detail, "certificate")) {
				t.Errorf("%s at %s by %s: got %v, detail %q", tt.name, tt.listener, tls.VersionName(version), r.Cause, r.Detail)
			}
		}
	}

	replaceFile(t, caFile, certPEM(stranger.cert))
	for range 100 {
		if time.Sleep(50 * time.Millisecond); asks("s3", 0, &unknown) == nil {
			break
		}
	}
	if err := asks("s3", 0, &unknown); err != nil {
		t.Error("the new authority's client:", err)
	}
	if err := asks("s3", 0, &known); err == nil {
		t.Error("a client of the authority that was replaced got in")
	}
	replaceFile(t, caFile, []byte("hello"))
	time.Sleep(3 * lookInterval)
	if err := asks("s3", 0, &unknown); err != nil {
		t.Error("with a file that is no good, what was there before does not stay:", err)
	}
}
