//go:build interop && linux

package interop

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/authority"
	"github.com/sluicelb/sluice/cmd/internal/need"
)

// background runs a program until the end of the test, and waits until it listens at an address.
func background(t *testing.T, address string, name string, args ...string) *exec.Cmd {
	t.Helper()
	said := newLogbook()
	cmd := exec.Command(need.Program(t, name), args...)
	out := &lines{each: said.wrote}
	cmd.Stdout, cmd.Stderr = out, out
	if _, err := cmd.StdinPipe(); err != nil { // that says nothing: openssl s_server ends with its input
		t.Fatal(err)
	}
	p, err := launcher.Start(name, cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Kill()
		if t.Failed() {
			t.Logf("the end of what %s wrote:\n%s", name, said.tail(20))
		}
	})
	until(t, name+" listens at "+address, func() bool {
		select {
		case <-p.Exited():
			t.Fatalf("%s has ended:\n%s", name, said.tail(20))
		default:
		}
		return listening(address)
	})
	return cmd
}

// file writes a file of the test.
func file(t *testing.T, name, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

// haproxy runs HAProxy with a configuration, filled as Sluice's is, and waits until it listens.
func haproxy(t *testing.T, address, config string, pairs ...string) {
	t.Helper()
	const preamble = `
global
  nbthread 1
  maxconn 500
defaults
  mode tcp
  timeout connect 2s
  timeout client 20s
  timeout server 20s
`
	background(t, address, "haproxy", "-db", "-f", file(t, "haproxy.cfg", preamble+fill(config, pairs...)))
}

// nginx is the same for nginx, whose stream module is a file of its own on Debian.
func nginx(t *testing.T, address, config string, pairs ...string) {
	t.Helper()
	const streamModule = "/usr/lib/nginx/modules/ngx_stream_module.so"
	preamble := "daemon off; master_process off; pid {dir}/pid; error_log stderr; events {}\n"
	if _, err := os.Stat(streamModule); err == nil {
		preamble = "load_module " + streamModule + ";\n" + preamble
	}
	pairs = append(pairs, "dir", t.TempDir())
	background(t, address, "nginx", "-e", "stderr", "-c", file(t, "nginx.conf", fill(preamble+config, pairs...)))
}

// The certificates of all tests are by one authority.
var ca = sync.OnceValue(func() *authority.Authority {
	a, err := authority.New("interop CA")
	if err != nil {
		panic(err)
	}
	return a
})

// issue makes a certificate with a common name that is good for some names.
func issue(t *testing.T, commonName string, names ...string) tls.Certificate {
	t.Helper()
	pair, err := ca().Issue(&x509.Certificate{Subject: pkix.Name{CommonName: commonName}, DNSNames: names})
	if err != nil {
		t.Fatal(err)
	}
	return pair
}

// pemFile is a certificate and its key as one file.
func pemFile(t *testing.T, pair tls.Certificate) string {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	return file(t, "pair.pem",
		string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: pair.Certificate[0]}))+
			string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: key})))
}

// caFile is the authority's certificate as a file.
func caFile(t *testing.T) string {
	t.Helper()
	return file(t, "ca.pem", string(ca().PEM()))
}

// connectTLS opens a client's connection and shakes hands for a name.
func connectTLS(t *testing.T, address, name string, certificates ...tls.Certificate) *tls.Conn {
	t.Helper()
	c := clientTLS(connect(t, address), name, certificates...)
	if err := c.Handshake(); err != nil {
		t.Fatal(err)
	}
	return c
}

// clientTLS is the client's end of TLS over a connection, to a server that is good for the shop.
func clientTLS(c net.Conn, name string, certificates ...tls.Certificate) *tls.Conn {
	return tls.Client(c, &tls.Config{
		ServerName: name, Certificates: certificates, InsecureSkipVerify: true,
		VerifyConnection: func(st tls.ConnectionState) error {
			_, err := st.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: shop, Roots: ca().Pool()})
			return err
		},
	})
}

// output runs a program to its end and returns what it writes to stdout.
func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), name, args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%s %q: %v: %s", name, args, err, &stderr)
	}
	return string(out)
}
