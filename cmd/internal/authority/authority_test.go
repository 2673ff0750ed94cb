package authority

import (
	"crypto/x509"
	"testing"
	"time"
)

func TestIssue(t *testing.T) {
	a, err := New("test CA")
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tests := []struct {
		name     string
		template x509.Certificate
		verifies bool
	}{
		{"valid", x509.Certificate{DNSNames: []string{"s3.localhost"}}, true},
		{"of another name", x509.Certificate{DNSNames: []string{"console.localhost"}}, false},
		{"expired", x509.Certificate{
			DNSNames: []string{"s3.localhost"}, NotBefore: now.Add(-2 * time.Hour), NotAfter: now.Add(-time.Hour),
		}, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pair, err := a.Issue(&tt.template)
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := x509.ParseCertificate(pair.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			_, err = leaf.Verify(x509.VerifyOptions{DNSName: "s3.localhost", Roots: a.Pool()})
			if (err == nil) != tt.verifies {
				t.Errorf("got error %v, want it to verify: %t", err, tt.verifies)
			}
		})
	}
}

func TestPoolIsItsOwn(t *testing.T) {
	a, err := New("one")
	if err != nil {
		t.Fatal(err)
	}
	b, err := New("two")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := a.Issue(&x509.Certificate{DNSNames: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	leaf, err := x509.ParseCertificate(pair.Certificate[0])
	if err != nil {
		t.Fatal(err)
	}
	if _, err := leaf.Verify(x509.VerifyOptions{DNSName: "x", Roots: b.Pool()}); err == nil {
		t.Error("another authority's certificate verified")
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(a.PEM()) || !pool.Equal(a.Pool()) {
		t.Error("PEM is not the authority's certificate")
	}
}
