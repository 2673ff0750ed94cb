//go:build e2e && linux

package e2e

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

var balancerName = flag.String("balancer", "sluice", "what stands in front of the nodes: sluice, or haproxy as a control")

// What TestMain prepares, once, for all tests.
var (
	suite    context.Context // ends at the first SIGINT or SIGTERM
	binaries cluster.Binaries
	sluice   string         // the binary under test
	block    *cluster.Block // the addresses of the cluster and the balancer
	launcher = cluster.NewLauncher()
)

func TestMain(m *testing.M) {
	flag.Parse()
	if f := flag.Lookup("test.list"); f.Value.String() != "" {
		os.Exit(m.Run())
	}
	r, err := startRecap()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
		os.Exit(1)
	}
	code, err := run(m)
	r.finish()
	if err != nil {
		fmt.Fprintln(os.Stderr, "e2e:", err)
	}
	os.Exit(code)
}

// run prepares, runs the tests and leaves nothing behind, however they end. Only a second signal stops
// it from that, and then what is left dies with this process.
func run(m *testing.M) (code int, err error) {
	var stop context.CancelFunc
	suite, stop = signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer launcher.Close()

	if sluice, err = cluster.BuildSluice(suite); err != nil {
		return 1, err
	}
	if binaries, err = cluster.Install(suite, os.Stderr); err != nil {
		return 1, err
	}
	if block, err = cluster.Reserve(); err != nil {
		return 1, err
	}
	defer block.Close()
	defer func() { err = errors.Join(err, closeStage()) }()

	done := make(chan int, 1)
	go func() { done <- m.Run() }()
	select {
	case code = <-done:
		return code, nil
	case <-suite.Done():
		return 1, errors.New("interrupted: ending everything that was started")
	}
}
