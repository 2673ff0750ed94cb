//go:build linux

package main

import (
	"io"
	"net"
	"net/netip"
	"path/filepath"
	"strconv"
	"strings"
	"text/template"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// A stand is the cluster, what stands in front of it, and how both are reached.
type stand struct {
	block   *cluster.Block
	tls     bool
	cluster *cluster.Cluster // nil until it runs
}

// options are what the cluster is started with. The nodes are told the balancer's addresses: the
// Console logs in through it, and whoever opens the S3 address in a browser is sent to the Console.
func (s *stand) options(bins cluster.Binaries, out io.Writer) cluster.Options {
	o := cluster.Options{
		Binaries:    bins,
		Block:       s.block,
		Progress:    out,
		ServerURL:   "http://" + s.block.BalancerS3().String(),
		RedirectURL: "http://" + s.block.BalancerConsole().String(),
	}
	if s.tls {
		o.TLS = true
		o.Names = []string{s3Name, consoleName}
		o.ServerURL = "https://" + s.block.BalancerS3().String()
		o.RedirectURL = s.url(consoleName)
	}
	return o
}

func (s *stand) front() cluster.Front {
	f := cluster.Front{
		S3:      []string{s.block.BalancerS3().String()},
		Console: []string{s.block.BalancerConsole().String()},
		Drain:   drain,
	}
	if s.tls {
		// Besides the balancer's own address 127.0.0.1, which the names stand for: nodes listen there
		// too, but not on this port.
		f.TLS = []string{s.block.BalancerTLS().String(), s.loopback().String()}
		f.S3Names = []string{s3Name}
		f.ConsoleName = consoleName
	}
	return f
}

func (s *stand) loopback() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, 0, 0, 1}), s.block.BalancerTLS().Port())
}

func (s *stand) url(name string) string {
	return "https://" + net.JoinHostPort(name, strconv.Itoa(int(s.block.BalancerTLS().Port())))
}

// tell prints what to try.
func (s *stand) tell(out io.Writer, binary, config string) error {
	binary, err := filepath.Abs(binary)
	if err != nil {
		return err
	}
	mc, err := s.cluster.NewClient()
	if err != nil {
		return err
	}
	c := s.cluster
	curl := "curl"
	if s.tls {
		curl += " --cacert " + c.CA
	}
	return guide.Execute(out, map[string]any{
		"Cluster": c,
		"S3":      c.Scheme() + "://" + s.block.BalancerS3().String(),
		"Console": c.Scheme() + "://" + s.block.BalancerConsole().String(),
		"Names":   s.tls,
		"S3Name":  s.url(s3Name),
		// mc and verify look names up in DNS and /etc/hosts, which need not know those under localhost.
		"Balancer":    s.block.Balancer(),
		"Resolve":     "--resolve " + strings.TrimPrefix(s.url(s3Name), "https://") + "=" + s.block.Balancer().String(),
		"ConsoleName": s.url(consoleName),
		"Curl":        curl,
		"Sluice":      binary,
		"MC":          mc.ShellFunction(),
		"Config":      config,
		"Logs":        filepath.Join(c.Dir, "n*.log"),
	})
}

// guide is what a person is told. Every line to try works as it stands.
var guide = template.Must(template.New("guide").Parse(`
A real MinIO cluster of {{len .Cluster.Nodes}} nodes, and Sluice in front of it.

  S3       {{.S3}}
  Console  {{.Console}}
  user     {{.Cluster.User}}
  password {{.Cluster.Password}}
{{- if .Names}}

By name, both on one port; TLS is between client and node, Sluice only reads the name:

  S3       {{.S3Name}}
  Console  {{.ConsoleName}}     (a browser warns: it does not know the cluster's CA)
{{- end}}

Try, in another terminal:

  {{.Curl}} -i {{.S3}}/minio/health/live
  for i in 1 2 3 4; do {{.Curl}} -sI {{.S3}}/minio/health/live | grep -i x-amz-id-2; done     # who answered
  {{.MC}}
  mc alias set lb {{.S3}} {{.Cluster.User}} {{.Cluster.Password}}
  mc ping lb --count 3
  mc mb --ignore-existing lb/films
  head -c 64M /dev/urandom | mc pipe --quiet lb/films/one
  mc stat lb/films/one
{{- if .Names}}
  {{.Sluice}} verify --ca {{.Cluster.CA}} --resolve {{.Balancer}} --console {{.ConsoleName}} --access-key {{.Cluster.User}} --secret-key {{.Cluster.Password}} {{.S3Name}}
{{- else}}
  {{.Sluice}} verify --console {{.Console}} --access-key {{.Cluster.User}} --secret-key {{.Cluster.Password}} {{.S3}}
{{- end}}
{{- if .Names}}
  {{.Curl}} -i {{.S3Name}}/minio/health/live
  mc {{.Resolve}} alias set byname {{.S3Name}} {{.Cluster.User}} {{.Cluster.Password}}
  mc {{.Resolve}} ls byname
  xdg-open {{.ConsoleName}}
{{- else}}
  xdg-open {{.Console}}
{{- end}}

Configuration: {{.Config}}
Nodes' logs:   {{.Logs}}

Ctrl-C ends it all.
`))
