//go:build e2e && linux

package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
	"github.com/sluicelb/sluice/cmd/internal/need"
)

// noticed bounds how long MinIO takes to see that a node is gone, or back.
const noticed = time.Minute

// testQuorum drains nodes as an operator does before stopping them. The node itself is asked: it goes through
// while the cluster keeps write quorum, is refused while another node is dead, and goes through again once
// that is back.
func testQuorum(t *testing.T, s *stage) {
	if *balancerName != "sluice" {
		need.Missing(t, "only Sluice asks the cluster")
	}
	admin := "unix:" + filepath.Join(t.TempDir(), "admin.sock")
	s.balance(t, settings{balance: "leastconn", admin: admin})
	victim, dead := s.cluster.Nodes[1], s.cluster.Nodes[2]
	c := operator{t: t, admin: admin}
	c.until("all nodes are up", noticed, func() bool { return c.count("up") == len(s.cluster.Nodes) })

	// All four are there. MinIO may still be making up its mind about a node that came back a moment ago.
	c.untilDrained("with four nodes", victim, noticed)
	if got := c.node(victim); got.Admin != "drain" || got.Available {
		t.Errorf("got %+v, want it drained", got)
	}
	client := s.s3Client(t, s.transport(t), 0)
	name := s.bucket(t, "quorum")
	s.upload(t, client, name, "while-drained", randomBytes(1<<20)).wait(t)
	c.mustSay("drain -> ready", "ready", "s3", victim.S3.String())

	// One is dead: a second one must not go.
	dead.Kill()
	killed := time.Now()
	c.until("the dead node is down", noticed, func() bool { return c.node(dead).Health == "down" })
	c.until("the cluster would lose write quorum", noticed, func() bool {
		code, out := c.run("drain", "s3", victim.S3.String())
		switch {
		case code == 1 && strings.Contains(out, "without it the cluster loses write quorum (write quorum 3)"):
			return true
		case code == 0: // MinIO has not seen it yet
			c.mustSay("", "ready", "s3", victim.S3.String())
		default:
			t.Fatalf("drain: got exit code %d, %s", code, out)
		}
		return false
	})
	t.Logf("MinIO refused %.1f s after the kill", time.Since(killed).Seconds())
	if got := c.node(victim); got.Admin != "ready" || !got.Available {
		t.Errorf("after the refusal: got %+v, want it as it was", got)
	}
	s.upload(t, client, name, "while-one-is-dead", randomBytes(1<<20)).wait(t)

	// The dead one itself may be drained: nothing is taken away.
	c.mustSay("the node is down and was not asked", "drain", "s3", dead.S3.String())
	c.mustSay("", "ready", "s3", dead.S3.String())
	// And whoever knows better may insist.
	c.mustSay("note: without it the cluster loses write quorum", "drain", "s3", victim.S3.String(), "--force")
	c.mustSay("", "ready", "s3", victim.S3.String())

	if err := dead.Start(); err != nil {
		t.Fatal(err)
	}
	s.waitReady(t)
	c.untilDrained("once the dead node is back", victim, noticed)
	c.mustSay("drain -> ready", "ready", "s3", victim.S3.String())
}

// An operator asks a running Sluice by its own commands.
type operator struct {
	t     *testing.T
	admin string
}

// run runs a command and returns its exit code and all that it said.
func (o *operator) run(args ...string) (int, string) {
	o.t.Helper()
	cmd := exec.CommandContext(o.t.Context(), sluice, append([]string{args[0], "--admin", o.admin}, args[1:]...)...)
	out, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		o.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

// mustSay runs a command that has to succeed, and to say something.
func (o *operator) mustSay(text string, args ...string) {
	o.t.Helper()
	if code, out := o.run(args...); code != 0 || !strings.Contains(out, text) {
		o.t.Errorf("sluice %q: got exit code %d, %s; want 0 and %q", args, code, out, text)
	}
}

// untilDrained drains a node, as soon as that is safe.
func (o *operator) untilDrained(when string, n *cluster.Node, limit time.Duration) {
	o.t.Helper()
	o.until("the node is drained "+when, limit, func() bool {
		code, out := o.run("drain", "s3", n.S3.String(), "--wait", "--deadline", "30s")
		if code == 0 && !strings.Contains(out, "the cluster keeps write quorum without it (write quorum 3)") {
			o.t.Fatalf("drained, but said %s", out)
		}
		return code == 0
	})
}

func (o *operator) until(what string, limit time.Duration, is func() bool) {
	o.t.Helper()
	for end := time.Now().Add(limit); !is(); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(end) {
			o.t.Fatalf("not within %v: %s", limit, what)
		}
	}
}

// nodeStatus is what is of interest in the status of a node.
type nodeStatus struct {
	Name, Health, Admin string
	Available           bool
}

// nodes are those of the pool s3.
func (o *operator) nodes() []nodeStatus {
	o.t.Helper()
	code, out := o.run("status", "--json")
	var st struct {
		Pools []struct {
			Name  string
			Nodes []nodeStatus
		}
	}
	if err := json.Unmarshal([]byte(out), &st); code != 0 || err != nil {
		o.t.Fatalf("status: got exit code %d, %v, %s", code, err, out)
	}
	for _, p := range st.Pools {
		if p.Name == "s3" {
			return p.Nodes
		}
	}
	o.t.Fatalf("no pool s3 in %s", out)
	return nil
}

func (o *operator) node(n *cluster.Node) nodeStatus {
	o.t.Helper()
	for _, s := range o.nodes() {
		if s.Name == n.S3.String() {
			return s
		}
	}
	o.t.Fatalf("no node %s", n.S3)
	return nodeStatus{}
}

// count is how many nodes have this health.
func (o *operator) count(health string) (n int) {
	o.t.Helper()
	for _, s := range o.nodes() {
		if s.Health == health {
			n++
		}
	}
	return n
}
