//go:build e2e && linux

package e2e

import (
	"context"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// A mode is how clients reach the nodes.
type mode string

const (
	plain  mode = "plain"  // plain HTTP, a port for S3 and one for the Console
	byName mode = "byname" // TLS from client to node, one port, told apart by server name
)

// The names of the byName mode. Nobody resolves them: clients are told the balancer's address.
const (
	s3Name      = "s3.sluice.test"
	consoleName = "console.sluice.test"
)

// TestPlain is everything in front of nodes that speak plain HTTP.
func TestPlain(t *testing.T) { testAll(t, plain) }

// TestByName is everything in front of nodes that speak TLS.
func TestByName(t *testing.T) { testAll(t, byName) }

// testAll runs every test on one cluster, one after the other. Each leaves all nodes ready.
func testAll(t *testing.T, m mode) {
	s := newStage(t, m)
	for _, test := range []struct {
		name string
		run  func(*testing.T, *stage)
	}{
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
	} {
		t.Run(test.name, func(t *testing.T) { test.run(t, s) })
	}
}

// A stage is a running cluster and how clients reach it through a balancer.
type stage struct {
	mode    mode
	cluster *cluster.Cluster
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
	if m == byName {
		o.TLS, o.Names = true, []string{s3Name, consoleName}
		o.ServerURL = "https://" + block.BalancerS3().String() // an address: nodes cannot resolve the names
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
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	for _, n := range s.cluster.Nodes {
		if err := n.WaitReady(ctx); err != nil {
			t.Fatal(err)
		}
	}
}

// s3Host is the host:port at which clients find the S3 API.
func (s *stage) s3Host() string {
	if s.mode == byName {
		return hostPort(s3Name)
	}
	return block.BalancerS3().String()
}

// s3URL is where clients find the S3 API.
func (s *stage) s3URL() string { return s.scheme() + "://" + s.s3Host() }

// consoleURL is where browsers find the Console.
func (s *stage) consoleURL() string {
	if s.mode == byName {
		return s.scheme() + "://" + hostPort(consoleName)
	}
	return s.scheme() + "://" + block.BalancerConsole().String()
}

func (s *stage) scheme() string {
	if s.mode == byName {
		return "https"
	}
	return "http"
}
