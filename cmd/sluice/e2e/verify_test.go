//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"os/exec"
	"testing"
)

// testVerify is the command that an operator runs last: every step of it passes, through the balancer.
func testVerify(t *testing.T, s *stage) {
	s.balance(t, settings{balance: "roundrobin"})

	cmd := exec.CommandContext(t.Context(), sluice, "verify", "--json", "--ca", s.ca(),
		"--resolve", block.Balancer().String(), "--console", s.consoleURL(), s.s3URL())
	if !s.mode.tls() {
		cmd = exec.CommandContext(t.Context(), sluice, "verify", "--json", "--console", s.consoleURL(), s.s3URL())
	}
	cmd.Env = append(cmd.Environ(), "MINIO_ACCESS_KEY="+s.cluster.User, "MINIO_SECRET_KEY="+s.cluster.Password)
	out, err := cmd.Output()
	if err != nil {
		t.Errorf("sluice verify: %v", err)
	}
	var report struct {
		Passed bool
		Steps  []struct{ Name, Status, Detail, Advice string }
		Nodes  []string
	}
	if err := json.Unmarshal(out, &report); err != nil {
		t.Fatalf("%v in %q", err, out)
	}
	for _, step := range report.Steps {
		if step.Status != "passed" {
			t.Errorf("%s %s: %s; %s", step.Name, step.Status, step.Detail, step.Advice)
		}
	}
	if len(report.Nodes) != len(s.cluster.Nodes) {
		t.Errorf("answered by %d nodes, want all %d", len(report.Nodes), len(s.cluster.Nodes))
	}
}
