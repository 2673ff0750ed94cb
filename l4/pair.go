package l4

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// A pair is a certificate with its chain and its key, as they were read from their files.
type pair struct {
	config *configs.Certificate
	cert   tls.Certificate // in the order of the chain, with its leaf
	staple *staple         // nil: none
}

// readPair reads a certificate, its key, and what is to be stapled to it. The error is why they cannot be used;
// what a client may object to is a warning. Both name the file and what would be right.
func readPair(c *configs.Certificate, now time.Time) (p *pair, warnings []string, err error) {
	certPEM, err := readFile(c.Cert)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate: %w", err)
	}
	keyPEM, err := readFile(c.Key)
	if err != nil {
		return nil, nil, fmt.Errorf("key: %w", err)
	}
	p = &pair{config: c}
	if p.cert, err = parsePair(certPEM, keyPEM); err != nil {
		return nil, nil, fmt.Errorf("certificate %q, key %q: %w", c.Cert, c.Key, err)
	}
	chain, err := parseChain(p.cert.Certificate)
	if err != nil {
		return nil, nil, fmt.Errorf("certificate %q: %w", c.Cert, err)
	}
	p.cert.Leaf = chain[0]
	ordered, problems := inOrder(chain)
	problems = append(problems, weaknesses(chain[0], now)...)
	problems = append(problems, gaps(ordered, now)...)
	for i := range ordered {
		p.cert.Certificate[i] = ordered[i].Raw
	}
	p.cert.Certificate = p.cert.Certificate[:len(ordered)]
	for _, what := range problems {
		warnings = append(warnings, fmt.Sprintf("certificate %q: %s", c.Cert, what))
	}
	if readableByAll(c.Key) {
		warnings = append(warnings, fmt.Sprintf("key %q: everybody on this machine can read it: chmod o-r", c.Key))
	}
	if c.OCSP != "" {
		// Without it the pair serves as well as most, so what is wrong with it must not keep it from doing so.
		if p.staple, err = readStaple(c.OCSP, ordered, now); err != nil {
			warnings = append(warnings, fmt.Sprintf("OCSP response: %v; it is not stapled", err))
		}
	} else if mustStaple(chain[0]) {
		warnings = append(warnings, fmt.Sprintf("certificate %q: it obliges its server to staple an OCSP response (RFC 7633), or clients refuse it: set ocsp", c.Cert))
	}
	return p, warnings, nil
}

// maxTLSFile bounds the files that hold certificates and keys. The largest, a bundle of all the
// authorities that browsers trust, has 250 KB.
const maxTLSFile = 4 << 20

// readFile reads a small file. Its errors name it.
func readFile(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, quoted(path, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a file", path)
	}
	if info.Size() > maxTLSFile {
		return nil, fmt.Errorf("%q has %d bytes, more than any certificate or key", path, info.Size())
	}
	b, err := os.ReadFile(path)
	return b, quoted(path, err)
}

// quoted is an error about a file with the name of the file escaped.
func quoted(path string, err error) error {
	if pe, ok := err.(*os.PathError); ok {
		return fmt.Errorf("%s %q: %w", pe.Op, path, pe.Err)
	}
	return err
}

// readableByAll reports whether a key is open to every user of the machine.
func readableByAll(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().Perm()&0o004 != 0
}

// parsePair is tls.X509KeyPair with errors that say what would be right.
func parsePair(certPEM, keyPEM []byte) (tls.Certificate, error) {
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err == nil {
		return cert, nil
	}
	for block := range blocks(keyPEM) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || strings.Contains(block.Headers["Proc-Type"], "ENCRYPTED") {
			return cert, fmt.Errorf("the key is encrypted with a passphrase: write it without one, for Sluice alone to read (openssl pkey -in key.pem -out plain.pem)")
		}
	}
	i := 0
	for block := range blocks(certPEM) {
		if block.Type != "CERTIFICATE" {
			continue
		}
		single := pem.EncodeToMemory(block)
		if _, other := tls.X509KeyPair(single, keyPEM); other == nil && i > 0 {
			return cert, fmt.Errorf("the key belongs to certificate %d of the file: the server's own must be the first, then those that lead to the root", i+1)
		}
		i++
	}
	if i > 0 && strings.Contains(err.Error(), "does not match") {
		return cert, fmt.Errorf("the key is not that of the certificate: was one of the two files renewed without the other?")
	}
	return cert, fmt.Errorf("%s", strings.TrimPrefix(err.Error(), "tls: "))
}

// blocks yields the PEM blocks of a text.
func blocks(text []byte) func(func(*pem.Block) bool) {
	return func(yield func(*pem.Block) bool) {
		for {
			block, rest := pem.Decode(text)
			if block == nil || !yield(block) {
				return
			}
			text = rest
		}
	}
}

func parseChain(raw [][]byte) ([]*x509.Certificate, error) {
	chain := make([]*x509.Certificate, len(raw))
	for i, der := range raw {
		var err error
		if chain[i], err = x509.ParseCertificate(der); err != nil {
			return nil, fmt.Errorf("certificate %d of the file: %w", i+1, err)
		}
	}
	return chain, nil
}

// names is what a certificate is for, as people read it.
func names(c *x509.Certificate) []string {
	all := slices.Clone(c.DNSNames)
	for _, ip := range c.IPAddresses {
		all = append(all, ip.String())
	}
	return all
}
