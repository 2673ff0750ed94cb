//go:build e2e && linux

package e2e

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"net"
	"net/http"
	"net/netip"
	"os/exec"
	"strconv"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
	"github.com/sluicelb/sluice/cmd/internal/need"
)

// resolve is what clients are told in place of DNS: each name's port on the balancer.
func resolve() map[string]netip.Addr {
	return map[string]netip.Addr{
		hostPort(s3Name):      block.Balancer(),
		hostPort(consoleName): block.Balancer(),
	}
}

func hostPort(name string) string {
	return net.JoinHostPort(name, strconv.Itoa(int(block.BalancerTLS().Port())))
}

// dial is net.Dialer.DialContext with resolve in place of DNS.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	if _, known := resolve()[address]; known {
		address = block.BalancerTLS().String()
	}
	return (&net.Dialer{Timeout: 5 * time.Second}).DialContext(ctx, network, address)
}

// transport returns an HTTP transport that trusts what the balancer shows, resolves the names and speaks
// HTTP/1.1. Its idle connections are closed at the end of the test.
func (s *stage) transport(t *testing.T) *http.Transport {
	t.Helper()
	return transport(t, s.ca())
}

func transport(t *testing.T, ca string) *http.Transport {
	t.Helper()
	tr := &http.Transport{DialContext: dial, MaxIdleConnsPerHost: 100, DisableCompression: true}
	if ca != "" {
		tr.TLSClientConfig = &tls.Config{RootCAs: roots(t, ca)}
	}
	t.Cleanup(tr.CloseIdleConnections)
	return tr
}

// roots reads a PEM file of certificates to trust.
func roots(t *testing.T, file string) *x509.CertPool {
	t.Helper()
	pool := x509.NewCertPool()
	pool.AddCert(readCertificate(t, file))
	return pool
}

// s3Client returns a minio-go client that reaches the cluster through the balancer. attempts is how
// often it tries each request; 0 leaves that to minio-go (ten).
func (s *stage) s3Client(t *testing.T, tr http.RoundTripper, attempts int) *minio.Client {
	t.Helper()
	client, err := minio.New(s.s3Host(), s.options(tr, s.mode.tls(), attempts))
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func (s *stage) options(tr http.RoundTripper, secure bool, attempts int) *minio.Options {
	return &minio.Options{
		Creds:      credentials.NewStaticV4(s.cluster.User, s.cluster.Password, ""),
		Secure:     secure,
		Transport:  tr,
		Region:     "us-east-1", // saves a request that is not the test's
		MaxRetries: attempts,
	}
}

// bucket makes one for the test and removes it, with all that is in it, at the end. Both are asked of
// the first node directly: they are not what is tested.
func (s *stage) bucket(t *testing.T, name string) string {
	t.Helper()
	direct, err := minio.New(s.cluster.Nodes[0].S3.String(), s.options(transport(t, s.cluster.CA), s.mode.nodesTLS(), 0))
	if err != nil {
		t.Fatal(err)
	}
	if err := direct.MakeBucket(t.Context(), name, minio.MakeBucketOptions{}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx := context.WithoutCancel(t.Context())
		if err := direct.RemoveBucketWithOptions(ctx, name, minio.RemoveBucketOptions{ForceDelete: true}); err != nil {
			t.Errorf("remove bucket %s: %v", name, err)
		}
	})
	return name
}

// mcClient returns an mc that resolves the names and knows the balancer as "lb".
func (s *stage) mcClient(t *testing.T) *cluster.Client {
	t.Helper()
	mc, err := s.cluster.NewClient()
	if err != nil {
		t.Fatal(err)
	}
	if s.mode.tls() {
		mc.Resolve = resolve()
		if err := mc.Trust(s.ca()); err != nil {
			t.Fatal(err)
		}
	}
	mcRun(t, mc, "alias", "set", "lb", s.s3URL(), s.cluster.User, s.cluster.Password)
	return mc
}

// mcRun runs mc for a minute at most, and returns what it said. It may be used in a clean-up.
func mcRun(t *testing.T, mc *cluster.Client, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	defer cancel()
	out, err := mc.Run(ctx, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// curl runs curl with what clients trust and the names, and returns what it wrote.
func (s *stage) curl(t *testing.T, args ...string) string {
	t.Helper()
	args = append([]string{"--silent", "--show-error", "--max-time", "10"}, args...)
	if s.mode.tls() {
		args = append(args, "--cacert", s.ca())
	}
	for host, addr := range resolve() {
		args = append(args, "--resolve", host+":"+addr.String())
	}
	var stderr bytes.Buffer
	cmd := exec.CommandContext(t.Context(), need.Program(t, "curl"), args...)
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("curl %q: %v: %s", args, err, stderr.String())
	}
	return string(out)
}

// open says whether somebody takes connections at an address.
func open(addr netip.AddrPort) bool {
	conn, err := net.DialTimeout("tcp", addr.String(), time.Second)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}
