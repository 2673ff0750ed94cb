package main

import (
	"bufio"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"text/template"

	"github.com/sluicelb/sluice/cmd/internal/demo"
	"github.com/sluicelb/sluice/configs"
	"github.com/urfave/cli/v2"
)

var (
	//go:embed demo.toml
	demoConfig string
	//go:embed demo.txt
	demoText string
)

func demoCommand() *cli.Command {
	return &cli.Command{
		Name:      "demo",
		Usage:     "see it work: four small nodes behind a real Sluice",
		UsageText: "sluice demo [--port-base PORT]",
		Description: `Everything runs in this one process and listens on loopback only. The nodes are toys: objects are
files in a temporary folder (TMPDIR says where), and everybody is let in. It prints what to try.

With port base 9000, Sluice is 127.0.0.1 at 9000 (S3), 9001 (Console) and 9443 (TLS, split by name),
and the nodes are 127.0.1.1 to 127.0.1.4 at the same ports and 9444.

Examples:
  sluice demo
  sluice demo --port-base 19000          if something listens at 9000 already
  sluice demo --print-config > my.toml   the configuration it runs with

Exit codes: 0 stopped when told to, 1 could not start, 2 wrong use.`,
		Flags: []cli.Flag{
			&cli.IntFlag{Name: "port-base", Value: 9000, Usage: "the first `PORT`; the others follow from it"},
			flag("print-config", "print Sluice's configuration, and do nothing"),
		},
		Action: runDemo,
	}
}

// demoPlace is where everything is in a demo, and what its texts are filled in with.
type demoPlace struct {
	Listen                             string // Sluice's address
	Nodes                              string // the nodes', with ellipses
	S3, Console, TLS, ConsoleTLS       uint16
	Admin                              uint16
	S3Name, ConsoleName, CAFile, Ready string
	Self                               string // how this program was called
}

// newDemoPlace lays the ports out above base. The nodes have the ports of Sluice, on addresses of their
// own, and one more: S3 and the Console share a TLS port at the edge, which they cannot on a node.
func newDemoPlace(base int, self string) (*demoPlace, error) {
	const least, most = 1, 65535 - 990
	if base < least || base > most {
		return nil, fmt.Errorf("out of range, %d to %d", least, most)
	}
	p := uint16(base)
	return &demoPlace{
		Listen: "127.0.0.1", Nodes: fmt.Sprintf("127.0.1.{1...%d}", demo.Size),
		S3: p, Console: p + 1, TLS: p + 443, ConsoleTLS: p + 444, Admin: p + 990,
		S3Name: "s3.localhost", ConsoleName: "console.localhost", Self: self,
	}, nil
}

func runDemo(c *cli.Context) error {
	if err := wantArgs(c, 0, ""); err != nil {
		return err
	}
	place, err := newDemoPlace(c.Int("port-base"), c.App.Metadata["self"].(string))
	if err != nil {
		return badUse(c, "", "--port-base %d: %s", c.Int("port-base"), err)
	}
	text, err := place.fill(demoConfig)
	if err != nil {
		return err
	}
	if c.Bool("print-config") {
		_, err := io.WriteString(c.App.Writer, text)
		return err
	}
	cfg, problems := configs.Parse("demo.toml", text)
	if err := problems.Err(); err != nil {
		return err
	}
	return place.run(c, cfg)
}

// run starts the nodes and Sluice in front of them, and ends when told to.
func (p *demoPlace) run(c *cli.Context, cfg *configs.Config) error {
	ctx, stop := signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
	defer stop()
	nodes, err := demo.Start(ctx, p.nodes())
	if err != nil {
		return p.otherPorts(err)
	}
	defer nodes.Close()
	s, err := start(cfg, nil, c.App.ErrWriter)
	if err != nil {
		return p.otherPorts(err)
	}
	defer s.close()

	p.CAFile, p.Ready = nodes.CAFile, readyLine(s.server.Addresses())
	text, err := p.fill(demoText)
	if err != nil {
		return err
	}
	if _, err := io.WriteString(c.App.Writer, text); err != nil {
		return err
	}
	// The goroutine waits for a line until the process ends: a terminal cannot be told to give up.
	go pullPlugs(ctx, c.App.Reader, c.App.Writer, nodes)
	select {
	case <-ctx.Done():
	case <-s.leave.now:
	}
	return nil
}

func (p *demoPlace) nodes() demo.Options {
	o := demo.Options{
		S3: p.S3, Console: p.Console, S3TLS: p.TLS, ConsoleTLS: p.ConsoleTLS,
		S3Name: p.S3Name, ConsoleName: p.ConsoleName, Bucket: "demo",
		ConsoleURL:    fmt.Sprintf("http://%s:%d", p.Listen, p.Console),
		ConsoleURLTLS: fmt.Sprintf("https://%s:%d", p.ConsoleName, p.TLS),
	}
	for i := range o.Addresses {
		o.Addresses[i] = netip.AddrFrom4([4]byte{127, 0, 1, byte(i + 1)})
	}
	return o
}

// otherPorts adds to an error what there is to do about a port that is taken.
func (p *demoPlace) otherPorts(err error) error {
	if !errors.Is(err, syscall.EADDRINUSE) {
		return err
	}
	return fmt.Errorf("%w; choose other ports: %s demo --port-base %d", err, p.Self, (int(p.S3)+10_000)%50_000)
}

func (p *demoPlace) fill(text string) (string, error) {
	t, err := template.New("demo").Option("missingkey=error").Parse(text)
	if err != nil {
		return "", err
	}
	var out strings.Builder
	err = t.Execute(&out, p)
	return out.String(), err
}

// pullPlugs reads the numbers of nodes, and unplugs them or plugs them in again.
func pullPlugs(ctx context.Context, r io.Reader, w io.Writer, nodes *demo.Cluster) {
	for lines := bufio.NewScanner(r); lines.Scan() && ctx.Err() == nil; {
		i, err := strconv.Atoi(strings.TrimSpace(lines.Text()))
		if err != nil || i < 1 || i > demo.Size {
			fmt.Fprintf(w, "a number from 1 to %d, please\n", demo.Size)
			continue
		}
		n := nodes.Nodes[i-1]
		if n.Running() {
			n.Unplug()
			fmt.Fprintf(w, "%s is unplugged\n", n.Name)
			continue
		}
		if err := n.Plug(ctx); err != nil {
			fmt.Fprintln(w, err)
			continue
		}
		fmt.Fprintf(w, "%s is plugged in\n", n.Name)
	}
}
