package l4

import (
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"os"
	"strings"
	"testing"
	"time"
)

func TestReadPair(t *testing.T) {
	now := time.Now()
	root := newAuthority(t, "root")
	sub := root.intermediate("intermediate")
	good := sub.issue("ecdsa", nil, site)
	other := sub.issue("ecdsa", nil, "other.example.net")
	dated := func(from, to time.Duration) issued {
		return sub.issue("ecdsa", &x509.Certificate{NotBefore: now.Add(from), NotAfter: now.Add(to)}, site)
	}
	whole := append(good.chain, root.cert) // with the root there is no gap
	encrypted := pem.EncodeToMemory(&pem.Block{Type: "ENCRYPTED PRIVATE KEY", Bytes: []byte{1, 2, 3}})
	rsaPair, weak, p224 := root.issue("rsa", nil, site), root.issue("rsa1024", nil, site), root.issue("p224", nil, site)
	rooted := func(i issued) []byte { return certPEM(append(i.chain, root.cert)...) }
	pkcs1 := pem.EncodeToMemory(&pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(rsaPair.key.(*rsa.PrivateKey))})
	sec1DER, err := x509.MarshalECPrivateKey(good.key.(*ecdsa.PrivateKey))
	if err != nil {
		t.Fatal(err)
	}
	sec1 := pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: sec1DER})
	unnamed, clientOnly := root.issue("ecdsa", nil), root.issue("ecdsa", &x509.Certificate{ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}}, site)
	gone, early, late := dated(-48*time.Hour, -30*time.Hour), dated(time.Hour, 48*time.Hour), dated(-time.Hour, 30*time.Hour)

	for _, tt := range []struct {
		name      string
		cert, key []byte
		err       string   // what the error has
		warnings  []string // what the warnings have, one each
	}{
		{"good", certPEM(whole...), keyPEM(t, good.key), "", nil},
		{"PKCS#1", rooted(rsaPair), pkcs1, "", nil},
		{"SEC 1", certPEM(whole...), sec1, "", nil},
		{"SEC 1 behind its parameters", certPEM(whole...), append([]byte("-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n"), sec1...), "", nil},
		{"no certificate", []byte("hello"), keyPEM(t, good.key), "failed to find any PEM data in certificate input", nil},
		{"no key", certPEM(whole...), nil, "failed to find any PEM data in key input", nil},
		{"swapped", keyPEM(t, good.key), certPEM(whole...), "certificate", nil},
		{"encrypted key", certPEM(whole...), encrypted, "encrypted with a passphrase: write it without one", nil},
		{"another key", certPEM(whole...), keyPEM(t, other.key), "was one of the two files renewed without the other?", nil},
		{"leaf last", certPEM(root.cert, sub.cert, good.chain[0]), keyPEM(t, good.key), "the key belongs to certificate 3 of the file", nil},
		{"order", certPEM(good.chain[0], root.cert, sub.cert), keyPEM(t, good.key), "", []string{"the chain is not in order"}},
		{"stranger", certPEM(append(whole, other.chain[0])...), keyPEM(t, good.key), "", []string{`"CN=other.example.net" did not sign`}},
		{"no intermediate", certPEM(good.chain[0]), keyPEM(t, good.key), "", []string{`who signed it, "CN=intermediate", is neither in the file nor known to this machine`}},
		{"only the leaf does not reach the root", certPEM(good.chain[0], root.cert), keyPEM(t, good.key), "", []string{`"CN=root" did not sign`, `"CN=intermediate", is neither`}},
		{"expired", rooted(gone), keyPEM(t, gone.key), "", []string{"it expired on " + now.Add(-30*time.Hour).UTC().Format(time.DateOnly) + ", 1 day ago"}},
		{"not yet", rooted(early), keyPEM(t, early.key), "", []string{"it is not valid before"}},
		{"soon", rooted(late), keyPEM(t, late.key), "", []string{"it expires on"}},
		{"RSA 1024", rooted(weak), keyPEM(t, weak.key), "", []string{"its RSA key of 1024 bits is weak"}},
		{"P-224", rooted(p224), keyPEM(t, p224.key), "", []string{"its ECDSA key of 224 bits is weak"}},
		{"no name", rooted(unnamed), keyPEM(t, unnamed.key), "", []string{"it names neither a host nor an address"}},
		{"for clients", rooted(clientOnly), keyPEM(t, clientOnly.key), "", []string{"it is not meant for servers"}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := files(t)
			replaceFile(t, c.Cert, tt.cert)
			replaceFile(t, c.Key, tt.key)
			p, warnings, err := readPair(c, now)
			if (err == nil) != (tt.err == "") || err != nil && !strings.Contains(err.Error(), tt.err) {
				t.Fatalf("got %v, want %q", err, tt.err)
			}
			if err != nil && (!strings.Contains(err.Error(), c.Cert) || p != nil) {
				t.Errorf("got %v with %v, want the name of the file and nothing else", err, p)
			}
			if len(warnings) != len(tt.warnings) {
				t.Fatalf("got %q, want %q", warnings, tt.warnings)
			}
			for i, w := range warnings {
				if !strings.Contains(w, tt.warnings[i]) || !strings.Contains(w, c.Cert) {
					t.Errorf("got %q, want %q and the file", w, tt.warnings[i])
				}
			}
		})
	}

	t.Run("sent in order", func(t *testing.T) {
		c := files(t)
		replaceFile(t, c.Cert, certPEM(good.chain[0], root.cert, sub.cert))
		replaceFile(t, c.Key, keyPEM(t, good.key))
		p, _, err := readPair(c, now)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range whole {
			if string(p.cert.Certificate[i]) != string(want.Raw) {
				t.Errorf("certificate %d is not %q", i, want.Subject)
			}
		}
	})
	t.Run("open to all", func(t *testing.T) {
		c := good.written(t)
		if err := os.Chmod(c.Key, 0o644); err != nil {
			t.Fatal(err)
		}
		_, warnings, err := readPair(c, now)
		if err != nil || !strings.Contains(strings.Join(warnings, "\n"), "everybody on this machine can read it") {
			t.Errorf("got %q, %v", warnings, err)
		}
	})
	for name, spoil := range map[string]func(string){
		"missing": func(path string) { os.Remove(path) },
		"folder":  func(path string) { os.Remove(path); os.Mkdir(path, 0o700) },
		"endless": func(path string) { os.Truncate(path, maxTLSFile+1) },
	} {
		t.Run(name, func(t *testing.T) {
			c := good.written(t)
			spoil(c.Key)
			if _, _, err := readPair(c, now); err == nil || !strings.Contains(err.Error(), c.Key) {
				t.Errorf("got %v, want an error that names %s", err, c.Key)
			}
		})
	}
}
