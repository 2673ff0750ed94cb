// Package need is for tests that want more of a machine than Go.
//
// Where something is missing the test is skipped, with a reason. With SLUICE_NO_SKIP set, as in CI, which installs all there is
// to need, it fails instead: a skip must not pass for a success.
package need

import (
	"os"
	"os/exec"
	"testing"
)

// Program finds a program by its name and returns its path, or ends the test.
func Program(t testing.TB, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		Missing(t, "needs %s: %v", name, err)
	}
	return path
}

// Root ends the test where it may not change the network and other processes.
func Root(t testing.TB) {
	t.Helper()
	if os.Geteuid() != 0 {
		Missing(t, "needs root")
	}
}

// Missing ends a test for want of something that the machine does not have.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("SLUICE_NO_SKIP") != "" {
		t.Fatalf("SLUICE_NO_SKIP is set, and: "+format, args...)
	}
	t.Skipf(format, args...)
}
