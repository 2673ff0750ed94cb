//go:build e2e && linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// artifacts makes the folder for what a test leaves behind, under artifacts/e2e.
func artifacts(t *testing.T) string {
	t.Helper()
	root, err := cluster.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "artifacts", "e2e", filepath.FromSlash(t.Name()))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	return dir
}

// keepLogs copies the logs of a failed test's balancer and nodes to where they stay. They are too long to
// be printed: what went wrong would drown in them.
func keepLogs(t *testing.T, files ...string) {
	t.Helper()
	dir := artifacts(t)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err == nil {
			err = os.WriteFile(filepath.Join(dir, filepath.Base(file)), text, 0o644)
		}
		if err != nil {
			t.Errorf("keep a log: %v", err)
		}
	}
	t.Logf("logs are in %s", dir)
}

// nodeLogs is what the nodes of the cluster in dir write.
func nodeLogs(t *testing.T, dir string) []string {
	t.Helper()
	logs, err := filepath.Glob(filepath.Join(dir, "n*.log"))
	if err != nil {
		t.Error(err)
	}
	return logs
}

// notable is the last lines of Sluice's log that are about something else than a session.
func notable(log string) string {
	const most = 3
	text, err := os.ReadFile(log)
	if err != nil {
		return err.Error()
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, " msg=session ") {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-most):], "")
}
