//go:build e2e && linux

package e2e

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"text/template"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
	"github.com/sluicelb/sluice/cmd/internal/need"
)

// haproxyBalancer is HAProxy in TCP mode, with a master process so that it can reload.
type haproxyBalancer struct {
	stage   *stage
	config  string
	process *cluster.Process
}

func newHAProxy(t *testing.T, s *stage, with settings, dir string, log *os.File) *haproxyBalancer {
	t.Helper()
	b := &haproxyBalancer{stage: s, config: filepath.Join(dir, "haproxy.cfg")}
	if err := b.write(with); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(need.Program(t, "haproxy"), "-W", "-db", "-f", b.config)
	cmd.Stdout, cmd.Stderr = log, log
	var err error
	if b.process, err = launcher.Start("haproxy", cmd); err != nil {
		t.Fatal(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !open(block.BalancerS3()); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("haproxy does not listen")
		}
	}
	return b
}

// haproxyTemplate says for HAProxy what [cluster.Front.Config] says for Sluice. Its maxconn is modest
// because twice as many descriptors have to be allowed.
var haproxyTemplate = template.Must(template.New("haproxy").Parse(`global
  maxconn 4000
  hard-stop-after {{.Drain}}
defaults
  mode tcp
  balance {{.Balance}}
  option redispatch
  retries 3
  timeout connect 2s
  timeout client 1h
  timeout server 1h
  default-server inter 2s fall 3 rise 2
frontend s3
  bind {{.Block.BalancerS3}}
  default_backend s3
frontend console
  bind {{.Block.BalancerConsole}}
  default_backend console
{{- if .CA}}
frontend tls
  bind {{.Block.BalancerTLS}}
  tcp-request inspect-delay 5s
  tcp-request content accept if { req.ssl_hello_type 1 }
  use_backend console if { req.ssl_sni -i {{.ConsoleName}} }
  default_backend s3
{{- end}}
backend s3
  option httpchk GET /minio/health/live
{{- range .Nodes}}
  server {{.S3.Addr}} {{.S3}} check{{$.Check}}
{{- end}}
backend console
  option httpchk GET /minio/health/live
{{- range .Nodes}}
  server {{.S3.Addr}} {{.Console}} check port {{.S3.Port}}{{$.Check}}
{{- end}}
`))

func (b *haproxyBalancer) write(with settings) error {
	var nodes []*cluster.Node
	for _, n := range b.stage.cluster.Nodes {
		if n != with.without {
			nodes = append(nodes, n)
		}
	}
	check := ""
	if b.stage.mode == byName {
		check = " check-ssl verify required ca-file " + b.stage.cluster.CA
	}
	if with.drain == 0 {
		with.drain = 30 * time.Second
	}
	var text bytes.Buffer
	if err := haproxyTemplate.Execute(&text, map[string]any{
		"Balance": with.balance, "Drain": with.drain.Milliseconds(), "Block": block, "CA": b.stage.cluster.CA,
		"ConsoleName": consoleName, "Nodes": nodes, "Check": check,
	}); err != nil {
		return err
	}
	if with.broken {
		text.WriteString("this is no configuration\n")
	}
	return os.WriteFile(b.config, text.Bytes(), 0o644)
}

func (b *haproxyBalancer) Process() *cluster.Process { return b.process }

// PeakRSS adds up the master and its workers, of before and after a reload.
func (b *haproxyBalancer) PeakRSS() (sum int64, err error) {
	pid := strconv.Itoa(b.process.PID())
	children, err := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
	if err != nil {
		return 0, err
	}
	for _, p := range append(strings.Fields(string(children)), pid) {
		n, err := strconv.Atoi(p)
		if err != nil {
			return 0, fmt.Errorf("child of haproxy: %w", err)
		}
		peak, err := cluster.PeakRSS(n)
		if err != nil {
			return 0, err
		}
		sum += peak
	}
	return sum, nil
}

func (b *haproxyBalancer) Reload(with settings) error {
	if err := b.write(with); err != nil {
		return err
	}
	return syscall.Kill(b.process.PID(), syscall.SIGUSR2) // the master alone: workers end by it
}

// Sessions is nothing that HAProxy tells without a syslog server.
func (b *haproxyBalancer) Sessions() (map[string]int, error) { return nil, nil }

func (b *haproxyBalancer) Drain() error { return syscall.Kill(b.process.PID(), syscall.SIGUSR1) }
