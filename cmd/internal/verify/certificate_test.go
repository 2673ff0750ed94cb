package verify

import (
	"crypto/x509"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/authority"
)

func TestJudge(t *testing.T) {
	ca, err := authority.New("test CA")
	if err != nil {
		t.Fatal(err)
	}
	now, day := time.Now(), 24*time.Hour
	tests := []struct {
		name      string
		host      string
		from, to  time.Duration // from now
		roots     *x509.CertPool
		withCA    bool // the server sends it too
		wrong     []string
		advice    string
		onlyNoted bool
	}{
		{name: "good", host: "s3.test", from: -day, to: 300 * day, roots: ca.Pool()},
		{name: "good, by wildcard", host: "b.s3.test", from: -day, to: 300 * day, roots: ca.Pool()},
		{name: "expired", host: "s3.test", from: -2 * day, to: -day, roots: ca.Pool(), wrong: []string{"it expired on"}, advice: "Renew"},
		{name: "not yet", host: "s3.test", from: day, to: 20 * day, roots: ca.Pool(), wrong: []string{"valid only from"}, advice: "clocks"},
		{name: "other name", host: "x.test", from: -day, to: 300 * day, roots: ca.Pool(),
			wrong: []string{"it is for s3.test, *.s3.test and not for x.test"}, advice: "Ask by a name"},
		{name: "unknown", host: "s3.test", from: -day, to: 300 * day, roots: x509.NewCertPool(),
			wrong: []string{`issuer: "CN=test CA"`}, advice: "intermediate"},
		{name: "unknown, whole chain", host: "s3.test", from: -day, to: 300 * day, roots: x509.NewCertPool(), withCA: true,
			wrong: []string{`issuer: "CN=test CA"`}, advice: "Clients have to trust it too"},
		{name: "all at once", host: "x.test", from: -2 * day, to: -day, roots: x509.NewCertPool(),
			wrong: []string{"it expired on", "not for x.test", "nobody that is trusted here"}, advice: "Renew"},
		{name: "soon", host: "s3.test", from: -day, to: 5*day + time.Hour, roots: ca.Pool(), advice: "It expires in 5 days.", onlyNoted: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			pair, err := ca.Issue(&x509.Certificate{
				DNSNames: []string{"s3.test", "*.s3.test"}, NotBefore: now.Add(tt.from), NotAfter: now.Add(tt.to),
			})
			if err != nil {
				t.Fatal(err)
			}
			leaf, err := x509.ParseCertificate(pair.Certificate[0])
			if err != nil {
				t.Fatal(err)
			}
			shown := []*x509.Certificate{leaf}
			if tt.withCA {
				shown = append(shown, ca.Certificate)
			}
			detail, err := judge(shown, tt.host, tt.roots, now)
			if !strings.HasPrefix(detail, "certificate for s3.test, *.s3.test, until ") {
				t.Errorf("got detail %q", detail)
			}
			step := outcome("tls", detail, err)
			if !strings.Contains(step.Advice, tt.advice) || tt.advice == "" && step.Advice != "" {
				t.Errorf("got advice %q, want in it %q", step.Advice, tt.advice)
			}
			if got, want := step.Status == Passed, len(tt.wrong) == 0; got != want {
				t.Errorf("passed: got %t, want %t", got, want)
			}
			if _, isNote := errors.AsType[noted](err); isNote != tt.onlyNoted {
				t.Errorf("only noted: got %t, want %t", isNote, tt.onlyNoted)
			}
			for _, w := range tt.wrong {
				if !strings.Contains(step.Detail, w) {
					t.Errorf("got %q, want in it %q", step.Detail, w)
				}
			}
			if n := strings.Count(step.Detail, ";"); len(tt.wrong) > 0 && n != len(tt.wrong)-1 {
				t.Errorf("got %q, want %d things", step.Detail, len(tt.wrong))
			}
		})
	}
	if _, err := judge(nil, "s3.test", nil, now); err == nil {
		t.Error("no certificate at all is good")
	}
}
