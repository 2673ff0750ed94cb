//go:build interop && linux

package interop

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// What TestMain prepares, once, for all tests.
var (
	sluice   string // the binary under test
	launcher = cluster.NewLauncher()
)

func TestMain(m *testing.M) {
	if os.Getenv(asNode) != "" {
		beNode() // see stub_test.go
		return
	}
	code, err := run(m)
	if err != nil {
		fmt.Fprintln(os.Stderr, "interop:", err)
	}
	os.Exit(code)
}

// run runs the tests and leaves no process behind, however they end.
func run(m *testing.M) (code int, err error) {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	defer launcher.Close()
	if sluice, err = build(ctx); err != nil {
		return 1, err
	}
	done := make(chan int, 1)
	go func() { done <- m.Run() }()
	select {
	case code = <-done:
		return code, nil
	case <-ctx.Done():
		return 1, fmt.Errorf("interrupted")
	}
}

// build makes bin/sluice as `make build` does, so that what is tested is what the tree says.
func build(ctx context.Context) (string, error) {
	root, err := cluster.ModuleRoot()
	if err != nil {
		return "", err
	}
	cmd := exec.CommandContext(ctx, "make", "build")
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return "", fmt.Errorf("make build: %w", err)
	}
	return filepath.Join(root, "bin", "sluice"), nil
}

// engines runs a test with both engines: they have one behaviour.
func engines(t *testing.T, test func(t *testing.T, relay string)) {
	t.Helper()
	for _, relay := range []string{"auto", "copy"} {
		t.Run(relay, func(t *testing.T) { test(t, relay) })
	}
}

// missing ends a test for want of something that the machine does not have. Where SLUICE_NO_SKIP is set
// that is a failure: a skip must not pass for a success.
func missing(t *testing.T, format string, args ...any) {
	t.Helper()
	if os.Getenv("SLUICE_NO_SKIP") != "" {
		t.Fatalf("SLUICE_NO_SKIP is set, and: "+format, args...)
	}
	t.Skipf(format, args...)
}

// need finds a program, or ends the test.
func need(t *testing.T, program string) string {
	t.Helper()
	path, err := exec.LookPath(program)
	if err != nil {
		missing(t, "needs %s: %v", program, err)
	}
	return path
}

// needRoot ends the test where it may not change the network and other processes.
func needRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		missing(t, "needs root")
	}
}

// patience is how long anything may take that is not measured.
const patience = 20 * time.Second

// until waits for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(patience); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came: %s", what)
		}
	}
}
