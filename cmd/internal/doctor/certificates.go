package doctor

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// certificateReading is a pair of files of the configuration.
type certificateReading struct {
	listener, file, key string
	leaf                *x509.Certificate
	err                 error // that it cannot be used
}

// soon is when an expiry is worth a word: a renewal that works has happened by then.
const soon = 14 * 24 * time.Hour

func readCertificates(cfg *configs.Config) (all []certificateReading) {
	for _, ln := range cfg.Listeners {
		for _, c := range ln.Certificates {
			r := certificateReading{listener: ln.Name, file: c.Cert, key: c.Key}
			pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
			if r.err = err; err == nil {
				r.leaf = pair.Leaf
			}
			all = append(all, r)
		}
	}
	return all
}

func judgeCertificates(readings []certificateReading, now time.Time) (all []Finding) {
	const subject = "certificate"
	for _, r := range readings {
		if r.err != nil {
			all = append(all, bad(subject, fmt.Sprintf("listener %q: %s: %v", r.listener, r.file, r.err),
				fmt.Sprintf("openssl x509 -noout -subject -enddate -in %s; ls -l %s", r.file, r.key)))
			continue
		}
		all = append(all, judgeDates(subject, r.file, r.leaf, now, fmt.Sprintf("renew %s; Sluice rereads it when it changes", r.file)))
	}
	return all
}

// judgeDates judges when a certificate is good.
func judgeDates(subject, what string, leaf *x509.Certificate, now time.Time, fix string) Finding {
	left := leaf.NotAfter.Sub(now)
	switch {
	case left <= 0:
		return bad(subject, fmt.Sprintf("%s expired on %s", what, leaf.NotAfter.Format(time.DateOnly)), fix)
	case now.Before(leaf.NotBefore):
		return bad(subject, fmt.Sprintf("%s is good only from %s", what, leaf.NotBefore.Format(time.DateTime)), "date; timedatectl set-ntp true")
	case left < soon:
		return doubtful(subject, fmt.Sprintf("%s expires in %d days, on %s", what, int(left.Hours()/24), leaf.NotAfter.Format(time.DateOnly)), fix)
	}
	return good(subject, fmt.Sprintf("%s is good until %s", what, leaf.NotAfter.Format(time.DateOnly)))
}
