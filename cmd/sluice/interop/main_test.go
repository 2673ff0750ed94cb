//go:build interop && linux

package interop

import (
	"context"
	"fmt"
	"os"
	"os/signal"
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
	if sluice, err = cluster.BuildSluice(ctx); err != nil {
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

// engines runs a test with both engines: they have one behaviour.
func engines(t *testing.T, test func(t *testing.T, relay string)) {
	t.Helper()
	for _, relay := range []string{"auto", "copy"} {
		t.Run(relay, func(t *testing.T) { test(t, relay) })
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
