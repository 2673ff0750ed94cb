package l4

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
	"golang.org/x/crypto/ocsp"
)

// ocspResponse is what the authority's responder says of a certificate, good from an hour ago for a while.
func (a *authority) ocspResponse(t *testing.T, of issued, status int, good time.Duration) []byte {
	t.Helper()
	now := time.Now()
	b, err := ocsp.CreateResponse(a.cert, a.cert, ocsp.Response{
		Status: status, SerialNumber: of.chain[0].SerialNumber, ThisUpdate: now.Add(-time.Hour), NextUpdate: now.Add(good),
		RevokedAt: now.Add(-time.Hour),
	}, a.key)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A response goes out with its certificate until it is stale, and is renewed from its file. One that clients would
// refuse does not go out, and does not keep the certificate from being served.
func TestStaple(t *testing.T) {
	leakCheck(t)
	ca := newAuthority(t, "test CA")
	cert := ca.issue("ecdsa", nil, site)
	cert.chain = append(cert.chain, ca.cert)
	c := cert.written(t)
	c.OCSP = filepath.Join(filepath.Dir(c.Cert), "ocsp.der")
	good := ca.ocspResponse(t, cert, ocsp.Good, time.Hour)
	replaceFile(t, c.OCSP, good)
	srv := serve(t, terminating([]*configs.Certificate{c}, startNode(t, echo)))
	stapled := func() []byte {
		conn := secure(t, srv.addr("s3"), ca.client())
		defer conn.Close()
		return conn.OCSPResponse()
	}
	if !bytes.Equal(stapled(), good) {
		t.Error("the response is not stapled")
	}
	if until := srv.Certificates()[0].Staple; until.IsZero() {
		t.Error("the staple is not shown")
	}
	renewed := ca.ocspResponse(t, cert, ocsp.Good, 2*time.Hour)
	replaceFile(t, c.OCSP, renewed)
	for range 100 {
		if time.Sleep(50 * time.Millisecond); bytes.Equal(stapled(), renewed) {
			break
		}
	}
	if !bytes.Equal(stapled(), renewed) {
		t.Error("the response was renewed, and the old one is stapled")
	}

	tm := newTestTerminator(t, &configs.Listener{Name: "s3", Certificates: []*configs.Certificate{c}})
	staple := func() []byte { return tm.state.Load().certs.Find(helloWithout).OCSPStaple }
	if !bytes.Equal(staple(), renewed) {
		t.Fatal("the response is not there")
	}
	tm.takeWarnings()
	tm.look(time.Now().Add(3 * time.Hour))
	if w := tm.takeWarnings(); staple() != nil || len(w) != 1 || !strings.Contains(w[0], "has run out") {
		t.Errorf("a stale response: stapled %v, warnings %q", staple() != nil, w)
	}

	other := ca.issue("ecdsa", nil, site)
	stranger := newAuthority(t, "stranger")
	for what, tt := range map[string]struct {
		response []byte
		want     string
	}{
		"revoked":   {ca.ocspResponse(t, cert, ocsp.Revoked, time.Hour), "was revoked on"},
		"unknown":   {ca.ocspResponse(t, cert, ocsp.Unknown, time.Hour), "does not know the certificate"},
		"stale":     {ca.ocspResponse(t, cert, ocsp.Good, -time.Minute), "it was valid until"},
		"another's": {ca.ocspResponse(t, other, ocsp.Good, time.Hour), c.OCSP},
		"forged":    {stranger.ocspResponse(t, cert, ocsp.Good, time.Hour), c.OCSP},
		"garbage":   {[]byte("hello"), c.OCSP},
	} {
		replaceFile(t, c.OCSP, tt.response)
		tm := newTestTerminator(t, &configs.Listener{Name: "s3", Certificates: []*configs.Certificate{c}})
		w := strings.Join(tm.takeWarnings(), "\n")
		if tm.state.Load().certs.Find(helloWithout).OCSPStaple != nil || !strings.Contains(w, tt.want) || !strings.Contains(w, c.OCSP) {
			t.Errorf("%s: got warnings %q, want %q, and nothing stapled", what, w, tt.want)
		}
	}
}
