//go:build linux

package cluster

import (
	"crypto/tls"
	"crypto/x509"
	"path/filepath"
	"testing"
)

func TestCertificates(t *testing.T) {
	dir := t.TempDir()
	b := &Block{third: 7, s3: 9000}
	ca, err := writeCertificates(dir, b, []string{"s3.localhost", "console.localhost"})
	if err != nil {
		t.Fatal(err)
	}
	roots, err := (&Cluster{CA: ca}).Roots()
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		folder, host string
		want         bool
	}{
		{"", "127.0.7.1", true},
		{"", "127.0.7.4", true},
		{"", "127.0.7.100", true},
		{"", "127.0.0.1", true},
		{"", "s3.localhost", false},
		{"s3.localhost", "s3.localhost", true},
		{"s3.localhost", "console.localhost", false}, // else a browser may join the two on one connection
		{"console.localhost", "console.localhost", true},
		{"console.localhost", "127.0.7.100", false},
	}
	for _, tt := range tests {
		t.Run(tt.folder+" for "+tt.host, func(t *testing.T) {
			at := filepath.Join(dir, tt.folder)
			pair, err := tls.LoadX509KeyPair(filepath.Join(at, "public.crt"), filepath.Join(at, "private.key"))
			if err != nil {
				t.Fatal(err)
			}
			_, err = pair.Leaf.Verify(x509.VerifyOptions{DNSName: tt.host, Roots: roots})
			if got := err == nil; got != tt.want {
				t.Errorf("got %v (%v), want %v", got, err, tt.want)
			}
		})
	}
}
