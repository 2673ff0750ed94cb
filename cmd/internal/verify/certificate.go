package verify

import (
	"bytes"
	"crypto/x509"
	"errors"
	"fmt"
	"strings"
	"time"
)

// soon is when an expiry is worth a word: a renewal that works has happened by then.
const soon = 14 * 24 * time.Hour

// judge looks at the certificates that a server showed, its own first, as a client does that trusts
// roots (nil: those of the system) and asked for host. All that is wrong with them is in the error.
func judge(shown []*x509.Certificate, host string, roots *x509.CertPool, now time.Time) (detail string, err error) {
	if len(shown) == 0 {
		return "", fail("Configure a certificate.", "the server shows no certificate")
	}
	leaf := shown[0]
	detail = fmt.Sprintf("certificate for %s, until %s", names(leaf), leaf.NotAfter.Format(time.DateOnly))
	var wrong, advice []string
	find := func(what, do string) { wrong, advice = append(wrong, what), append(advice, do) }

	switch {
	case now.After(leaf.NotAfter):
		find(fmt.Sprintf("it expired on %s", leaf.NotAfter.Format(time.DateOnly)),
			"Renew the certificate where TLS ends: on the nodes, or in Sluice.")
	case now.Before(leaf.NotBefore):
		find(fmt.Sprintf("it is valid only from %s", leaf.NotBefore.Format(time.DateTime)),
			"Check the clocks of this machine and of the one that made the certificate.")
	}
	if leaf.VerifyHostname(host) != nil {
		find(fmt.Sprintf("it is for %s and not for %s", names(leaf), host),
			"Ask by a name that the certificate has, or make one that has this name. If it is somebody else's "+
				"certificate, no route takes this name and the listener's default pool answered.")
	}
	if what, do := judgeChain(shown, roots, now); what != "" {
		find(what, do)
	}

	switch {
	case len(wrong) > 0:
		return detail, fail(strings.Join(advice, " "), "certificate: %s", strings.Join(wrong, "; "))
	case leaf.NotAfter.Sub(now) < soon:
		return detail, noted{fmt.Sprintf("It expires in %d days. See that it is renewed.", int(leaf.NotAfter.Sub(now).Hours()/24))}
	}
	return detail, nil
}

// judgeChain tells whether somebody trusted has signed for the certificate, whatever its name and dates.
func judgeChain(shown []*x509.Certificate, roots *x509.CertPool, now time.Time) (what, do string) {
	leaf, between := shown[0], x509.NewCertPool()
	for _, c := range shown[1:] {
		between.AddCert(c)
	}
	at, judged := now, now.After(leaf.NotAfter) || now.Before(leaf.NotBefore)
	if judged {
		at = leaf.NotAfter
	}
	_, err := leaf.Verify(x509.VerifyOptions{Roots: roots, Intermediates: between, CurrentTime: at})
	if invalid, ok := errors.AsType[x509.CertificateInvalidError](err); err == nil || ok && judged && invalid.Reason == x509.Expired {
		return "", ""
	}
	if _, unknown := errors.AsType[x509.UnknownAuthorityError](err); !unknown {
		return err.Error(), "Make a new certificate, or give the CA that signed this one with --ca."
	}
	what = fmt.Sprintf("nobody that is trusted here has signed it (issuer: %q)", leaf.Issuer)
	if len(shown) == 1 && !bytes.Equal(leaf.RawIssuer, leaf.RawSubject) {
		return what, "If your own CA signed it, give that with --ca FILE. If a public one did, the server does not send " +
			"the intermediate certificate: put it into the certificate's file, behind the server's own."
	}
	return what, "If your own CA signed it, give that with --ca FILE. Clients have to trust it too."
}

// names lists what a certificate is for.
func names(c *x509.Certificate) string {
	all := append([]string(nil), c.DNSNames...)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	if len(all) == 0 {
		return "no name at all"
	}
	const most = 6
	if len(all) > most {
		all = append(all[:most], fmt.Sprintf("%d more", len(all)-most))
	}
	return strings.Join(all, ", ")
}
