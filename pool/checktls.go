package pool

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"

	"github.com/sluicelb/sluice/configs"
)

// ReadTLS makes a TLS configuration of a pool's settings, without a server name, and reads its files. Each call
// makes a new one: that of the checks is their own, and nothing they do or ask for reaches the sessions'
// TLS. Errors name the key and the file.
func ReadTLS(c *configs.NodeTLS) (*tls.Config, error) {
	t := &tls.Config{MinVersion: tls.VersionTLS12, InsecureSkipVerify: c.Insecure}
	if c.CA != "" {
		pem, err := os.ReadFile(c.CA)
		if err != nil {
			return nil, fmt.Errorf("tls.ca: %w", err) // names the file
		}
		t.RootCAs = x509.NewCertPool()
		if !t.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("tls.ca: %q holds no PEM certificate", c.CA)
		}
	}
	switch {
	case c.Cert == "" && c.Key == "":
		return t, nil
	case c.Cert == "" || c.Key == "":
		return nil, errors.New("tls.cert and tls.key: one is given without the other")
	}
	pair, err := tls.LoadX509KeyPair(c.Cert, c.Key)
	if err != nil {
		return nil, fmt.Errorf("tls.cert %q, tls.key %q: %w", c.Cert, c.Key, err)
	}
	t.Certificates = []tls.Certificate{pair}
	return t, nil
}
