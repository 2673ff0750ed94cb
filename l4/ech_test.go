package l4

import (
	"crypto/ecdh"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/configs"
	"golang.org/x/crypto/cryptobyte"
)

// An echPair is an ECH configuration and its key.
type echPair struct {
	config []byte
	key    *ecdh.PrivateKey
}

// newECH makes an ECHConfig (RFC 9849 section 4) with X25519, HKDF-SHA256 and AES-128-GCM.
func newECH(t *testing.T, id uint8, public string) echPair {
	t.Helper()
	key, err := ecdh.X25519().GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var b cryptobyte.Builder
	b.AddUint16(echVersion)
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
		b.AddUint8(id)
		b.AddUint16(0x0020) // DHKEM(X25519, HKDF-SHA256)
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(key.PublicKey().Bytes()) })
		b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) {
			b.AddUint16(0x0001) // HKDF-SHA256
			b.AddUint16(0x0001) // AES-128-GCM
		})
		b.AddUint8(32)
		b.AddUint8LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes([]byte(public)) })
		b.AddUint16(0)
	})
	return echPair{b.BytesOrPanic(), key}
}

// list is what a client is given, for instance by an HTTPS record of the DNS.
func (p echPair) list() []byte {
	var b cryptobyte.Builder
	b.AddUint16LengthPrefixed(func(b *cryptobyte.Builder) { b.AddBytes(p.config) })
	return b.BytesOrPanic()
}

// written is the pair in files: serialized, or both in PEM.
func (p echPair) written(t *testing.T, inPEM bool) *configs.ECHKey {
	t.Helper()
	dir := t.TempDir()
	k := &configs.ECHKey{Config: filepath.Join(dir, "config"), Key: filepath.Join(dir, "key"), Retry: true}
	config, key := p.config, p.key.Bytes()
	if inPEM {
		der, err := x509.MarshalPKCS8PrivateKey(p.key)
		if err != nil {
			t.Fatal(err)
		}
		config = pem.EncodeToMemory(&pem.Block{Type: "ECHCONFIG", Bytes: p.list()})
		key = pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: der})
	}
	replaceFile(t, k.Config, config)
	replaceFile(t, k.Key, key)
	return k
}

// What a client hides in its hello is what it is routed by, and what the record has; the outer name is nobody's. One
// with a stale configuration gets the present one.
func TestECH(t *testing.T) {
	const public = "public.example.net"
	for _, inPEM := range []bool{false, true} {
		leakCheck(t)
		ca := newAuthority(t, "test CA")
		now, stale := newECH(t, 1, public), newECH(t, 2, public)
		cfg := terminating([]*configs.Certificate{ca.issue("ecdsa", nil, site, public).written(t)}, startNode(t, echo))
		cfg.Listeners[0].Pool = ""
		cfg.Listeners[0].Routes = []*configs.Route{{SNI: []string{site}, Pool: "s3"}}
		cfg.Listeners[0].ECH = []*configs.ECHKey{now.written(t, inPEM)}
		srv := serve(t, cfg)
		attempt := func(name string, list []byte) (*tls.Conn, error) {
			client := ca.client()
			client.ServerName, client.EncryptedClientHelloConfigList = name, list
			c := tls.Client(dial(t, srv.addr("s3")), client)
			return c, c.Handshake()
		}

		c, err := attempt(site, now.list())
		if err != nil || !c.ConnectionState().ECHAccepted {
			t.Fatalf("got %v, accepted %v", err, c.ConnectionState().ECHAccepted)
		}
		exchange(t, c)

		c, err = attempt(site, stale.list())
		rejection, ok := errors.AsType[*tls.ECHRejectionError](err)
		if !ok || string(rejection.RetryConfigList) != string(now.list()) {
			t.Fatalf("a stale configuration: got %v, want the present one", err)
		}
		c.Close()
		if c, err = attempt(site, rejection.RetryConfigList); err != nil {
			t.Fatal("with the configuration that was sent:", err)
		}
		exchange(t, c)

		if c, err = attempt("nobody.example.net", now.list()); err == nil || !strings.Contains(err.Error(), "unrecognized name") {
			t.Errorf("a hidden name without a route: got %v, want unrecognized_name", err)
		}
		c.Close()
		if c, err = attempt(site, nil); err != nil {
			t.Error("a client without ECH:", err)
		} else {
			exchange(t, c)
		}

		// The one with the stale configuration is a session by the public name, which has no route.
		names, causes := map[string]int{}, map[Cause]int{}
		for _, r := range srv.wait(5) {
			if r.Cause.orderly() {
				names[r.ServerName]++
			}
			causes[r.Cause]++
		}
		if names[site] != 3 || len(names) != 1 || causes[CauseNoRoute] != 2 {
			t.Errorf("got sessions by %v, ended by %v", names, causes)
		}
	}
}

// ECH files that cannot be used are refused by name.
func TestBadECH(t *testing.T) {
	a, b := newECH(t, 1, "a.example"), newECH(t, 2, "b.example")
	for _, tt := range []struct {
		name        string
		config, key []byte
		want        string
		of          func(*configs.ECHKey) string // the file that the error names
	}{
		{"no configuration", []byte("hello"), a.key.Bytes(), "it is no ECHConfig", configOf},
		{"cut", a.config[:20], a.key.Bytes(), "it is no ECHConfig", configOf},
		{"version", append([]byte{0xfe, 0x0a}, a.config[2:]...), a.key.Bytes(), "its version is 0xfe0a", configOf},
		{"another's key", a.config, b.key.Bytes(), "it is not the key of configuration", keyOf},
		{"no key", a.config, nil, "ECH key", keyOf},
	} {
		t.Run(tt.name, func(t *testing.T) {
			k := a.written(t, false)
			replaceFile(t, k.Config, tt.config)
			replaceFile(t, k.Key, tt.key)
			if _, err := readECH(k); err == nil || !strings.Contains(err.Error(), tt.want) || !strings.Contains(err.Error(), tt.of(k)) {
				t.Errorf("got %v, want %q of %s", err, tt.want, tt.of(k))
			}
		})
	}
}

func configOf(k *configs.ECHKey) string { return k.Config }
func keyOf(k *configs.ECHKey) string    { return k.Key }
