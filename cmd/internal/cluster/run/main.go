//go:build linux

// Command run starts a real MinIO cluster of four nodes on loopback with Sluice in front of it, says
// what to try, and stays until Ctrl-C. It is what `make minio` runs.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// The names of the TLS port. Browsers and curl take every name under localhost for 127.0.0.1 without
// asking anybody (RFC 6761, 6.3), so nothing has to be set up.
const (
	s3Name      = "s3.localhost"
	consoleName = "console.localhost"
)

const drain = 5 * time.Second

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	err := run(ctx, os.Args[1:], os.Stdout)
	switch {
	case err == nil:
	case ctx.Err() != nil:
		fmt.Fprintln(os.Stderr, "minio: stopped before it was ready") // and what that led to is of no interest
		os.Exit(1)
	default:
		fmt.Fprintln(os.Stderr, "minio:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string, out io.Writer) (err error) {
	flags := flag.NewFlagSet("run", flag.ContinueOnError)
	withTLS := flags.Bool("tls", false, "the nodes speak TLS, and one port is split by server name")
	install := flags.Bool("install", false, "only install MinIO and mc")
	binary := flags.String("sluice", "bin/sluice", "the `binary` to run in front of the nodes")
	if err := flags.Parse(args); err != nil {
		return err
	}
	bins, err := cluster.Install(ctx, out)
	if err != nil || *install {
		return err
	}
	block, err := cluster.Reserve()
	if err != nil {
		return err
	}
	defer block.Close()

	s := stand{block: block, tls: *withTLS}
	c, err := cluster.Start(ctx, s.options(bins, out))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.Close()) }()
	s.cluster = c
	return s.serve(ctx, *binary, out)
}

// serve runs Sluice until ctx ends or it does.
func (s *stand) serve(ctx context.Context, binary string, out io.Writer) error {
	text, err := s.front().Config(s.cluster)
	if err != nil {
		return err
	}
	config := filepath.Join(s.cluster.Dir, "sluice.toml")
	if err := os.WriteFile(config, []byte(text), 0o644); err != nil {
		return err
	}
	p, err := cluster.StartSluice(ctx, s.cluster.Launcher(), binary, config, out, os.Stderr)
	if err != nil {
		return err
	}
	if err := s.tell(out, binary, config); err != nil {
		return err
	}

	select {
	case <-p.Exited():
		return errors.New("sluice ended by itself; its log is above")
	case <-ctx.Done():
	}
	fmt.Fprintln(out, "\nstopping: Sluice drains, then the nodes are ended and their folder removed")
	if err := p.Signal(syscall.SIGTERM); err != nil {
		return err
	}
	ended, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*drain)
	defer cancel()
	if code, err := p.Wait(ended); err != nil || code != 0 {
		fmt.Fprintf(os.Stderr, "minio: sluice ended with exit code %d, %v\n", code, err)
	}
	return nil
}
