package l4

import (
	"crypto/x509"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

func TestCheckFiles(t *testing.T) {
	ca := newAuthority(t, "test CA")
	rooted := func(template *x509.Certificate) *configs.Certificate {
		i := ca.issue("ecdsa", template, site)
		i.chain = append(i.chain, ca.cert)
		return i.written(t)
	}
	good, mixed := rooted(nil), rooted(nil)
	replaceFile(t, mixed.Key, keyPEM(t, newKey(t, "ecdsa")))
	expired := rooted(&x509.Certificate{NotBefore: time.Now().Add(-48 * time.Hour), NotAfter: time.Now().Add(-time.Hour)})
	absent, empty := files(t), files(t).Cert
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	mixed.Pos = configs.Position{File: "sluice.toml", Line: 7, Col: 1}
	ech := newECH(t, 1, "public.example").written(t, false)
	replaceFile(t, ech.Key, []byte("hello"))

	cfg := terminating([]*configs.Certificate{good, mixed, expired, absent}, "127.0.0.1:9")
	cfg.Listeners[0].ClientAuth = &configs.ClientAuth{CA: empty}
	cfg.Listeners[0].ECH = []*configs.ECHKey{ech}
	cfg.Pools[0].TLS = configs.NodeTLS{Enabled: true, CA: empty}
	got := CheckFiles(cfg)
	want := []string{
		`sluice.toml:7:1: error: listener[0].certificate[1] (listener "s3"): certificate "` + mixed.Cert,
		`warning: listener[0].certificate[2] (listener "s3"): certificate "` + expired.Cert + `": it expired on`,
		`warning: listener[0].certificate[3] (listener "s3"): certificate: stat "` + absent.Cert + `": no such file`,
		`error: listener[0].client_auth (listener "s3"): client_auth: CA "` + empty,
		`error: listener[0].ech[0] (listener "s3"): ECH key "` + ech.Key,
		`error: pool[0].tls (pool "s3"): tls.ca: "` + empty,
	}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %d problems", got, len(want))
	}
	for i, p := range got {
		if !strings.HasPrefix(p.String(), want[i]) {
			t.Errorf("got %s, want it to begin with %s", p, want[i])
		}
	}
	cfg = terminating([]*configs.Certificate{good}, "127.0.0.1:9")
	if got := CheckFiles(cfg); len(got) != 0 {
		t.Errorf("got %q of files that are good", got)
	}
}
