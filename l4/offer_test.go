package l4

import (
	"crypto/rsa"
	"crypto/tls"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/configs"
)

// helloWithout is a hello that asks for no name, and supports everything.
var helloWithout = &tls.ClientHelloInfo{
	SupportedVersions: []uint16{tls.VersionTLS13}, SignatureSchemes: []tls.SignatureScheme{tls.ECDSAWithP256AndSHA256},
	SupportedCurves: []tls.CurveID{tls.CurveP256},
}

// What a listener offers clients: versions, ciphers, key exchanges and protocols, and which of its certificates.
func TestOffer(t *testing.T) {
	leakCheck(t)
	ca := newAuthority(t, "test CA")
	certs := []*configs.Certificate{ca.issue("rsa", nil, site).written(t), ca.issue("ecdsa", nil, site).written(t), ca.issue("ecdsa", nil, "*.b.example").written(t)}
	node := startNode(t, echo)
	v12 := func(suites ...uint16) *tls.Config {
		return &tls.Config{MaxVersion: tls.VersionTLS12, CipherSuites: suites}
	}
	for _, tt := range []struct {
		name   string
		change func(*configs.Listener)
		client *tls.Config
		err    string // of the handshake
		check  func(tls.ConnectionState) bool
	}{
		{"TLS 1.3 by default", nil, &tls.Config{}, "", func(s tls.ConnectionState) bool {
			return s.Version == tls.VersionTLS13 && s.CurveID == tls.X25519MLKEM768 && s.NegotiatedProtocol == ""
		}},
		{"TLS 1.2", nil, v12(), "", func(s tls.ConnectionState) bool { return s.Version == tls.VersionTLS12 }},
		{"TLS 1.1", nil, &tls.Config{MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS11}, "protocol version", nil},
		{"ECDSA where both fit", nil, &tls.Config{}, "", func(s tls.ConnectionState) bool { return !isRSA(s) }},
		{"RSA for those who know nothing else", nil, v12(tls.TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256), "", isRSA},
		{"wildcard", nil, &tls.Config{ServerName: "a.b.example"}, "", func(s tls.ConnectionState) bool {
			return s.PeerCertificates[0].DNSNames[0] == "*.b.example"
		}},
		{"no CBC by default", nil, v12(tls.TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA), "handshake failure", nil},
		{"no static RSA", nil, v12(tls.TLS_RSA_WITH_AES_128_GCM_SHA256), "handshake failure", nil},
		{"min_version", func(l *configs.Listener) { l.MinVersion = configs.TLS13 }, v12(), "protocol version", nil},
		{"ciphers", func(l *configs.Listener) { l.Ciphers = []string{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"} }, v12(), "",
			func(s tls.ConnectionState) bool {
				return s.CipherSuite == tls.TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256
			}},
		{"another cipher", func(l *configs.Listener) { l.Ciphers = []string{"TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256"} },
			v12(tls.TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256), "handshake failure", nil},
		{"curves", func(l *configs.Listener) { l.Curves = []string{"P-384"} }, &tls.Config{}, "",
			func(s tls.ConnectionState) bool { return s.CurveID == tls.CurveP384 }},
		{"another curve", func(l *configs.Listener) { l.Curves = []string{"P-384"} }, &tls.Config{CurvePreferences: []tls.CurveID{tls.X25519}},
			"handshake failure", nil},
		{"alpn by default", nil, &tls.Config{NextProtos: []string{"h2", "http/1.1"}}, "",
			func(s tls.ConnectionState) bool { return s.NegotiatedProtocol == "http/1.1" }},
		{"another alpn", nil, &tls.Config{NextProtos: []string{"h2"}}, "no application protocol", nil},
		{"alpn", func(l *configs.Listener) { l.ALPN = []string{"h2", "http/1.1"} }, &tls.Config{NextProtos: []string{"http/1.1", "h2"}}, "",
			func(s tls.ConnectionState) bool { return s.NegotiatedProtocol == "h2" }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			cfg := terminating(certs, node)
			if tt.change != nil {
				tt.change(cfg.Listeners[0])
			}
			srv := serve(t, cfg)
			client := tt.client.Clone()
			client.RootCAs = ca.trust()
			if client.ServerName == "" {
				client.ServerName = site
			}
			c := tls.Client(dial(t, srv.addr("s3")), client)
			err := c.Handshake()
			switch {
			case tt.err == "" && err != nil, tt.err != "" && (err == nil || !strings.Contains(err.Error(), tt.err)):
				t.Fatalf("got %v, want %q", err, tt.err)
			case err != nil:
				if r := srv.wait(1)[0]; r.Cause != CauseBadHello || r.Detail == "" {
					t.Errorf("got %v %q, want bad_hello and why", r.Cause, r.Detail)
				}
			case !tt.check(c.ConnectionState()):
				t.Errorf("got %+v", c.ConnectionState())
			}
			c.Close()
		})
	}
}

func isRSA(s tls.ConnectionState) bool {
	_, ok := s.PeerCertificates[0].PublicKey.(*rsa.PublicKey)
	return ok
}
