//go:build linux

package cluster

import (
	"bytes"
	"context"
	"crypto/sha256"
	"fmt"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// A Client is mc with a configuration folder of its own, in the cluster's. It is safe for concurrent
// use, as mc is.
type Client struct {
	// Resolve tells mc the addresses of host:port, as DNS would.
	Resolve map[string]netip.Addr

	// Hosts is aliases besides those that were set, by name: a URL with user and password.
	Hosts map[string]string

	cluster *Cluster
	dir     string
}

// NewClient makes a configuration folder that trusts the cluster's CA and knows no alias.
func (c *Cluster) NewClient() (*Client, error) {
	dir, err := os.MkdirTemp(c.Dir, "mc-")
	if err != nil {
		return nil, err
	}
	m := &Client{cluster: c, dir: dir}
	if c.CA != "" {
		err = m.Trust(c.CA)
	}
	return m, err
}

// Trust makes mc trust one more CA, of a PEM file.
//
// Trap: mc wants it in certs/CAs of its configuration folder; it has no flag for one.
func (m *Client) Trust(ca string) error {
	pem, err := os.ReadFile(ca)
	if err != nil {
		return fmt.Errorf("mc: %w", err)
	}
	cas := filepath.Join(m.dir, "certs", "CAs")
	if err := os.MkdirAll(cas, 0o755); err != nil {
		return fmt.Errorf("mc: %w", err)
	}
	sum := sha256.Sum256(pem) // two files may be called ca.crt
	return os.WriteFile(filepath.Join(cas, fmt.Sprintf("%x.crt", sum[:8])), pem, 0o644)
}

// Command returns mc with its arguments and environment set, not started. Start it with the cluster's
// [Launcher]: some of mc's commands poll for ever. mc draws progress on standard output: give pipe,
// cat, cp and the like --quiet.
func (m *Client) Command(args ...string) *exec.Cmd {
	cmd := exec.Command(m.cluster.options.Binaries.MC, args...)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + m.dir, "MC_CONFIG_DIR=" + m.dir}
	var resolve []string
	for host, addr := range m.Resolve {
		resolve = append(resolve, host+"="+addr.String())
	}
	if len(resolve) > 0 {
		cmd.Env = append(cmd.Env, "MC_RESOLVE="+strings.Join(resolve, ","))
	}
	for alias, url := range m.Hosts {
		cmd.Env = append(cmd.Env, "MC_HOST_"+alias+"="+url)
	}
	return cmd
}

// ShellFunction is a line for bash and its kin that makes "mc" this mc.
func (m *Client) ShellFunction() string {
	return fmt.Sprintf("mc() { %s --config-dir %s \"$@\"; }", m.cluster.options.Binaries.MC, m.dir)
}

// Run runs mc to its end, or to ctx's, and returns what it printed on both streams. An exit code other
// than 0 is an error that holds that too.
func (m *Client) Run(ctx context.Context, args ...string) (string, error) {
	var out bytes.Buffer
	cmd := m.Command(args...)
	cmd.Stdout, cmd.Stderr = &out, &out
	p, err := m.cluster.launcher.Start("mc "+args[0], cmd)
	if err != nil {
		return "", err
	}
	defer p.Kill() // after a ctx that ended first
	code, err := p.Wait(ctx)
	if err != nil {
		p.Kill() // nobody writes to out any more
		return out.String(), fmt.Errorf("mc %q: %w; it said:\n%s", args, err, out.String())
	}
	if code != 0 {
		return out.String(), fmt.Errorf("mc %q: exit status %d; it said:\n%s", args, code, out.String())
	}
	return out.String(), nil
}
