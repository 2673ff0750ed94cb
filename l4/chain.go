package l4

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/rsa"
	"crypto/x509"
	"encoding/asn1"
	"fmt"
	"slices"
	"time"
)

// inOrder returns a certificate with those that lead from it to its root, each signed by the next, as
// RFC 5246 section 7.4.2 wants them sent. What does not belong is left out.
func inOrder(file []*x509.Certificate) (chain []*x509.Certificate, problems []string) {
	chain = file[:1:1]
	rest := slices.Clone(file[1:])
	for len(rest) > 0 {
		last := chain[len(chain)-1]
		i := slices.IndexFunc(rest, func(c *x509.Certificate) bool { return signed(last, c) })
		if i < 0 {
			break
		}
		if i > 0 && len(problems) == 0 {
			problems = append(problems, "the chain is not in order; it is sent as it should be: the server's own first, then each that signed the one before")
		}
		chain = append(chain, rest[i])
		rest = slices.Delete(rest, i, i+1)
	}
	for _, c := range rest {
		problems = append(problems, fmt.Sprintf("%q did not sign any of its chain and is not sent: remove it, or put what is between them into the file", c.Subject))
	}
	return chain, problems
}

// signed reports whether a certificate was signed by an authority.
func signed(c, by *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, by.RawSubject) && c.CheckSignatureFrom(by) == nil
}

// selfSigned reports whether a certificate vouches for itself.
func selfSigned(c *x509.Certificate) bool {
	return bytes.Equal(c.RawIssuer, c.RawSubject) &&
		c.CheckSignature(c.SignatureAlgorithm, c.RawTBSCertificate, c.Signature) == nil
}

// weaknesses is what clients may hold against a certificate, whoever signed it.
func weaknesses(leaf *x509.Certificate, now time.Time) (problems []string) {
	say := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	switch {
	case now.After(leaf.NotAfter):
		say("it expired on %s, %s ago, and clients refuse it: renew it", day(leaf.NotAfter), days(now.Sub(leaf.NotAfter)))
	case now.Before(leaf.NotBefore):
		say("it is not valid before %s, and clients refuse it until then: is this machine's clock right?", leaf.NotBefore.UTC().Format(time.RFC3339))
	case leaf.NotAfter.Sub(now) < soon:
		say("it expires on %s, in %s: renew it", day(leaf.NotAfter), days(leaf.NotAfter.Sub(now)))
	}
	if len(names(leaf)) == 0 {
		say("it names neither a host nor an address (subjectAltName), and clients refuse it")
	}
	if len(leaf.ExtKeyUsage) > 0 && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageServerAuth) && !slices.Contains(leaf.ExtKeyUsage, x509.ExtKeyUsageAny) {
		say("it is not meant for servers (extendedKeyUsage without serverAuth), and clients refuse it")
	}
	switch key := leaf.PublicKey.(type) {
	case *rsa.PublicKey:
		if bits := key.N.BitLen(); bits < 2048 {
			say("its RSA key of %d bits is weak, and clients refuse it: make one of 2048 or more, or with ECDSA P-256", bits)
		}
	case *ecdsa.PublicKey:
		if bits := key.Params().BitSize; bits < 256 {
			say("its ECDSA key of %d bits is weak, and clients refuse it: make one with P-256", bits)
		}
	}
	switch leaf.SignatureAlgorithm {
	case x509.MD5WithRSA, x509.SHA1WithRSA, x509.ECDSAWithSHA1, x509.DSAWithSHA1:
		say("it is signed with %v, which clients refuse: have it signed with SHA-256", leaf.SignatureAlgorithm)
	}
	return problems
}

// soon is when a certificate that expires is spoken of: automation renews a month ahead.
const soon = 7 * 24 * time.Hour

// gaps is what is missing between a chain and a root that this machine knows.
func gaps(chain []*x509.Certificate, now time.Time) []string {
	leaf, last := chain[0], chain[len(chain)-1]
	for i, c := range chain[1:] {
		if now.After(c.NotAfter) {
			return []string{fmt.Sprintf("certificate %d of its chain, %q, expired on %s, and clients refuse it: take the new chain from whoever signed it", i+2, c.Subject, day(c.NotAfter))}
		}
	}
	if selfSigned(last) {
		return nil // the root is in the file
	}
	between := x509.NewCertPool()
	for _, c := range chain[1:] {
		between.AddCert(c)
	}
	// Only whether there is a way to a root matters here, so the time is one at which the leaf is valid.
	_, err := leaf.Verify(x509.VerifyOptions{Intermediates: between, CurrentTime: leaf.NotBefore.Add(time.Second), KeyUsages: []x509.ExtKeyUsage{x509.ExtKeyUsageAny}})
	if err == nil {
		return nil
	}
	return []string{fmt.Sprintf("who signed it, %q, is neither in the file nor known to this machine: if that is an intermediate, append it, else clients need it as their CA", last.Issuer)}
}

// mustStaple reports whether a certificate demands a stapled OCSP response (RFC 7633).
func mustStaple(leaf *x509.Certificate) bool {
	for _, ext := range leaf.Extensions {
		var features []int
		if ext.Id.Equal(tlsFeature) {
			_, err := asn1.Unmarshal(ext.Value, &features)
			return err == nil && slices.Contains(features, 5) // status_request
		}
	}
	return false
}

var tlsFeature = asn1.ObjectIdentifier{1, 3, 6, 1, 5, 5, 7, 1, 24}

func day(t time.Time) string { return t.UTC().Format(time.DateOnly) }

// days is a duration as people count it.
func days(d time.Duration) string {
	switch n := int(d.Hours() / 24); {
	case n == 1:
		return "1 day"
	case n > 1:
		return fmt.Sprintf("%d days", n)
	}
	return d.Round(time.Minute).String()
}
