//go:build e2e && linux

package e2e

import (
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// A balancer stands in front of the cluster, at the addresses of its block. There are two: Sluice, and
// HAProxy as the control.
type balancer interface {
	// Process is what answers signals.
	Process() *cluster.Process
	// PeakRSS is the largest memory it ever held, in bytes.
	PeakRSS() (int64, error)
	// Reload makes it read a new configuration. It does not wait.
	Reload(with settings) error
	// Sessions counts its sessions so far by the node's address; nil if it does not tell.
	Sessions() (map[string]int, error)
	// Drain tells it to take no more sessions and to end once those it has are over.
	Drain() error
}

// settings is what tests want of a balancer.
type settings struct {
	balance string        // "roundrobin" or "leastconn"
	drain   time.Duration // 0: the balancer's own
	without *cluster.Node // left out of the pools
	broken  bool          // the file is not a configuration
	admin   string        // where Sluice's admin API is; "": nowhere
}

// balance starts the balancer that the flag names, in front of the cluster on stage. It is killed at
// the end of the test, which shows its log if it failed.
func (s *stage) balance(t *testing.T, with settings) balancer {
	t.Helper()
	dir := t.TempDir()
	log, err := os.Create(filepath.Join(dir, "balancer.log"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		log.Close()
		if t.Failed() {
			t.Logf("the balancer said, besides its sessions:\n%s", notable(log.Name()))
			keepLogs(t, append(nodeLogs(t, s.cluster.Dir), log.Name())...)
		}
	})
	var b balancer
	switch *balancerName {
	case "sluice":
		b = newSluice(t, s, with, dir, log)
	case "haproxy":
		b = newHAProxy(t, s, with, dir, log)
	default:
		t.Fatalf("-balancer=%q: want sluice or haproxy", *balancerName)
	}
	t.Cleanup(b.Process().Kill)
	return b
}

// sluiceBalancer is bin/sluice.
type sluiceBalancer struct {
	stage   *stage
	config  string
	log     string
	process *cluster.Process
}

func newSluice(t *testing.T, s *stage, with settings, dir string, log *os.File) *sluiceBalancer {
	t.Helper()
	b := &sluiceBalancer{stage: s, config: filepath.Join(dir, "sluice.toml"), log: log.Name()}
	if err := b.write(with); err != nil {
		t.Fatal(err)
	}
	var err error
	if b.process, err = cluster.StartSluice(t.Context(), launcher, sluice, b.config, log, log); err != nil {
		t.Fatal(err)
	}
	return b
}

// write puts the configuration where it is read from.
func (b *sluiceBalancer) write(with settings) error {
	f := cluster.Front{
		S3:      []string{block.BalancerS3().String()},
		Console: []string{block.BalancerConsole().String()},
		Balance: with.balance,
		Drain:   with.drain,
		Without: with.without,
		Admin:   with.admin,
	}
	if b.stage.mode.tls() {
		f.TLS = []string{block.BalancerTLS().String()}
		f.S3Names, f.ConsoleName = []string{s3Name}, consoleName
	}
	if c := b.stage.shown; c != nil {
		f.Certificates = []string{c.live(s3Name), c.live(consoleName)}
	}
	text, err := f.Config(b.stage.cluster)
	if err != nil {
		return err
	}
	if with.broken {
		text = "this is no configuration\n" + text
	}
	return os.WriteFile(b.config, []byte(text), 0o644)
}

func (b *sluiceBalancer) Process() *cluster.Process { return b.process }

func (b *sluiceBalancer) PeakRSS() (int64, error) { return b.process.PeakRSS() }

func (b *sluiceBalancer) Reload(with settings) error {
	if err := b.write(with); err != nil {
		return err
	}
	return b.process.Signal(syscall.SIGHUP)
}

// Sessions reads the records that Sluice writes, one for each session that has ended.
func (b *sluiceBalancer) Sessions() (map[string]int, error) {
	text, err := os.ReadFile(b.log)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for line := range strings.Lines(string(text)) {
		if !strings.Contains(line, " msg=session ") {
			continue
		}
		for field := range strings.FieldsSeq(line) {
			if node, ok := strings.CutPrefix(field, "node="); ok {
				count[node]++
			}
		}
	}
	return count, nil
}

func (b *sluiceBalancer) Drain() error { return b.process.Signal(syscall.SIGTERM) }
