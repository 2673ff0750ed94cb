//go:build e2e && linux

package e2e

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
	"github.com/sluicelb/sluice/cmd/internal/need"
)

// A mode is how clients reach the nodes.
type mode string

const (
	plain       mode = "plain"       // plain HTTP, a port for S3 and one for the Console
	byName      mode = "byname"      // TLS from client to node, one port, told apart by server name
	terminated  mode = "terminated"  // the same for clients, but TLS ends at the balancer and nodes speak plain HTTP
	reencrypted mode = "reencrypted" // TLS ends at the balancer, which speaks TLS of its own to the nodes
)

// tls says whether clients speak TLS, and so ask for a name.
func (m mode) tls() bool { return m != plain }

// nodesTLS says whether nodes do.
func (m mode) nodesTLS() bool { return m == byName || m == reencrypted }

// ends says whether clients' TLS ends at the balancer.
func (m mode) ends() bool { return m == terminated || m == reencrypted }

// The names where clients speak TLS. Nobody resolves them: clients are told the balancer's address.
const (
	s3Name      = "s3.sluice.test"
	consoleName = "console.sluice.test"
)

// TestPlain is everything in front of nodes that speak plain HTTP.
func TestPlain(t *testing.T) { testAll(t, plain, all) }

// TestByName is everything in front of nodes that speak TLS.
func TestByName(t *testing.T) { testAll(t, byName, all) }

// TestTerminated is what TLS that ends at the balancer may change, in front of plain nodes.
func TestTerminated(t *testing.T) { testAll(t, terminated, edge) }

// TestReencrypted is the same in front of nodes that speak TLS.
func TestReencrypted(t *testing.T) { testAll(t, reencrypted, edge) }

type stageTest struct {
	name string
	run  func(*testing.T, *stage)
}

var all = []stageTest{
	{"Health", testHealth},
	{"Verify", testVerify},
	{"Spread", testSpread},
	{"BigObject", testBigObject},
	{"Console", testConsole},
	{"Functional", testFunctional},
	{"Kill", testKill},
	{"Drain", testDrain},
	{"Quorum", testQuorum},
	{"Reload", testReload},
}

var edge = []stageTest{
	{"Health", testHealth},
	{"Verify", testVerify},
	{"BigObject", testBigObject},
	{"Console", testConsole},
	{"Certificates", testCertificates},
}

// testAll runs tests on one cluster, one after the other. Each leaves all nodes ready.
func testAll(t *testing.T, m mode, tests []stageTest) {
	if m.ends() && *balancerName != "sluice" {
		need.Missing(t, "only Sluice is told to end TLS")
	}
	s := newStage(t, m)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

// A stage is a running cluster and how clients reach it through a balancer.
type stage struct {
	mode    mode
	cluster *cluster.Cluster
	shown   *certificates // that the balancer shows; nil where clients' TLS does not end there
}

// onStage is the cluster that runs, so that an interrupted run can end it from beside the tests.
var onStage struct {
	sync.Mutex
	cluster *cluster.Cluster
}

// closeStage ends the cluster that runs, if any.
func closeStage() error {
	onStage.Lock()
	defer onStage.Unlock()
	if onStage.cluster == nil {
		return nil
	}
	err := onStage.cluster.Close()
	onStage.cluster = nil
	return err
}

// newStage starts a cluster and ends it with the test.
func newStage(t *testing.T, m mode) *stage {
	t.Helper()
	s := &stage{mode: m}
	o := cluster.Options{
		Binaries:    binaries,
		Block:       block,
		ServerURL:   "http://" + block.BalancerS3().String(),
		RedirectURL: s.consoleURL(),
		Progress:    os.Stderr,
		Ready:       3 * time.Minute, // a busy machine
	}
	if m.nodesTLS() {
		o.TLS = true
		o.ServerURL = "https://" + block.BalancerS3().String() // an address: nodes cannot resolve the names
	}
	if m == byName {
		o.Names = []string{s3Name, consoleName}
	}
	if m.ends() {
		s.shown = newCertificates(t, s3Name, consoleName)
	}
	onStage.Lock()
	defer onStage.Unlock()
	c, err := cluster.Start(suite, o)
	if err != nil {
		t.Fatal(err)
	}
	s.cluster, onStage.cluster = c, c
	t.Cleanup(func() {
		if err := closeStage(); err != nil {
			t.Error(err)
		}
	})
	return s
}

// waitReady waits until every node is ready.
func (s *stage) waitReady(t *testing.T) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, n := range s.cluster.Nodes {
		if err := n.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// s3Host is the host:port at which clients find the S3 API.
func (s *stage) s3Host() string {
	if s.mode.tls() {
		return hostPort(s3Name)
	}
	return block.BalancerS3().String()
}

// s3URL is where clients find the S3 API.
func (s *stage) s3URL() string { return s.scheme() + "://" + s.s3Host() }

// consoleURL is where browsers find the Console.
func (s *stage) consoleURL() string {
	if s.mode.tls() {
		return s.scheme() + "://" + hostPort(consoleName)
	}
	return s.scheme() + "://" + block.BalancerConsole().String()
}

func (s *stage) scheme() string {
	if s.mode.tls() {
		return "https"
	}
	return "http"
}

// ca is the PEM file that clients of the balancer need to trust; "" where they speak plain HTTP.
func (s *stage) ca() string {
	if s.shown != nil {
		return s.shown.ca
	}
	return s.cluster.CA
}

// certificate is the file of the certificate that clients see when they ask for name.
func (s *stage) certificate(name string) string {
	if s.shown != nil {
		return filepath.Join(s.shown.live(name), "public.crt")
	}
	return filepath.Join(s.cluster.Dir, "certs", name, "public.crt")
}
