//go:build linux

package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"text/template"
	"time"
)

// A Front describes a Sluice in front of a cluster: one S3 port and one Console port, and where the
// nodes speak TLS one more port that is split by server name. The zero value of each field but S3 and
// Console leaves something out.
//
// Clients' TLS passes through to the nodes unless there are Certificates: then it ends here, and where the
// nodes speak TLS begins anew towards them, verified against the cluster's CA. The addresses routed by port
// pass on what comes in any case, so they need pools of their own then.
type Front struct {
	S3, Console []string // addresses routed by port
	TLS         []string // addresses routed by server name

	// Certificates is folders with a public.crt and a private.key, shown by the server name asked for.
	Certificates []string

	S3Names     []string
	ConsoleName string
	Balance     string        // "" is Sluice's default
	Drain       time.Duration // 0 is Sluice's default
	Admin       string        // "" turns the admin API off
	Without     *Node         // left out of the pools; nil: all are in
}

var frontTemplate = template.Must(template.New("front").Funcs(template.FuncMap{
	"list": func(v []string) string { // a TOML array; strings as Go quotes them are TOML's basic strings
		var b bytes.Buffer
		for i, s := range v {
			if i > 0 {
				b.WriteString(", ")
			}
			fmt.Fprintf(&b, "%q", s)
		}
		return "[" + b.String() + "]"
	},
}).Parse(`# Sluice in front of MinIO nodes; written by the program that started them.
[admin]
listen = {{printf "%q" .Admin}}
{{- if .Drain}}

[timeouts]
drain = "{{.Drain}}"
{{- end}}

[[listener]]
name    = "s3"
address = {{list .S3}}
pool    = "s3{{.Raw}}"

[[listener]]
name    = "console"
address = {{list .Console}}
pool    = "console{{.Raw}}"
{{- if .TLS}}

[[listener]]
name    = "tls"
address = {{list .TLS}}
tls     = "{{if .Certificates}}terminate{{else}}passthrough{{end}}"
pool    = "s3" # who asks for an address sends no name
[[listener.route]]
sni  = {{list .S3Names}}
pool = "s3"
[[listener.route]]
sni  = [{{printf "%q" .ConsoleName}}]
pool = "console"
{{- range .Certificates}}
[[listener.certificate]]
cert = {{printf "%s/public.crt" . | printf "%q"}}
key  = {{printf "%s/private.key" . | printf "%q"}}
{{- end}}
{{- end}}
{{- range .Pools}}

[[pool]]
name  = "{{.Name}}"
nodes = {{list .Nodes}}
{{- if $.Balance}}
balance = "{{$.Balance}}"
{{- end}}
[pool.check]
type = "minio"
{{- if .CheckPort}}
port = {{.CheckPort}} # the S3 port of the same node: the Console has no health endpoint
{{- end}}
{{- if $.CA}}
tls  = true
[pool.tls]
{{- if .Encrypt}}
enabled = true
{{- end}}
ca = {{printf "%q" $.CA}}
{{- end}}
{{- end}}
`))

type frontPool struct {
	Name      string
	Nodes     []string
	CheckPort uint16
	Encrypt   bool
}

// Config is the TOML of f in front of c.
func (f Front) Config(c *Cluster) (string, error) {
	s3, console := frontPool{Name: "s3"}, frontPool{Name: "console", CheckPort: c.Nodes[0].S3.Port()}
	for _, n := range c.Nodes {
		if n == f.Without {
			continue
		}
		s3.Nodes = append(s3.Nodes, n.S3.String())
		console.Nodes = append(console.Nodes, n.Console.String())
	}
	pools, raw := []frontPool{s3, console}, ""
	if len(f.Certificates) > 0 && c.CA != "" {
		raw = "-raw"
		for _, p := range []frontPool{s3, console} {
			p.Name += raw
			pools = append(pools, p)
		}
		pools[0].Encrypt, pools[1].Encrypt = true, true
	}
	var text bytes.Buffer
	err := frontTemplate.Execute(&text, struct {
		Front
		Pools []frontPool
		Raw   string // what the pools of the addresses routed by port have in their names
		CA    string
	}{f, pools, raw, c.CA})
	return text.String(), err
}

// BuildSluice makes bin/sluice as `make build` does, so that what is tested is what the tree says, and returns its path.
func BuildSluice(ctx context.Context) (string, error) {
	root, err := ModuleRoot()
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

// readyBound is how long Sluice may take to bind a handful of ports on a busy machine.
const readyBound = 20 * time.Second

// ErrSluiceEnded is in the error of [StartSluice] where the process ended instead of saying "ready".
var ErrSluiceEnded = errors.New("sluice: the process ended before it was ready")

// StartSluice runs `binary run -c config` and returns once it has said that it is ready. What it prints
// goes to stdout and stderr as it comes. The process is the launcher's to end, at the latest.
func StartSluice(ctx context.Context, l *Launcher, binary, config string, stdout, stderr io.Writer) (*Process, error) {
	binary, err := filepath.Abs(binary) // it runs in the folder of its configuration
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(binary); err != nil {
		return nil, fmt.Errorf("%w: run `make build` first", err)
	}
	ready := &readyWriter{to: stdout, seen: make(chan struct{})}
	cmd := exec.Command(binary, "run", "-c", config)
	cmd.Dir, cmd.Stdout, cmd.Stderr = filepath.Dir(config), ready, stderr
	p, err := l.Start("sluice", cmd)
	if err != nil {
		return nil, fmt.Errorf("start %s: %w", binary, err)
	}
	ctx, cancel := context.WithTimeout(ctx, readyBound)
	defer cancel()
	select {
	case <-ready.seen:
		return p, nil
	case <-p.Exited():
		return nil, ErrSluiceEnded
	case <-ctx.Done():
		p.Kill()
		return nil, fmt.Errorf("sluice did not say \"ready\" within %s: %w", readyBound, context.Cause(ctx))
	}
}

// A readyWriter passes everything on and notices the line that begins with "ready".
type readyWriter struct {
	to   io.Writer
	seen chan struct{} // closed once

	once sync.Once
	line []byte // as much of the current line as is needed
}

// Write implements io.Writer.
func (w *readyWriter) Write(p []byte) (int, error) {
	const word = "ready"
	for _, c := range p {
		if c == '\n' {
			w.line = w.line[:0]
			continue
		}
		if len(w.line) < len(word) {
			w.line = append(w.line, c)
		}
		if string(w.line) == word {
			w.once.Do(func() { close(w.seen) })
		}
	}
	return w.to.Write(p)
}
