package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
	"github.com/urfave/cli/v2"
)

func runCommand() *cli.Command {
	return &cli.Command{
		Name:      "run",
		Usage:     "serve a configuration until told to stop",
		UsageText: "sluice run -c FILE",
		Description: `Once all listeners are bound, one line on stdout says so and where they are:

  ready s3=[::]:9000 console=[::]:9001

Records go where log.output says, to stderr if it says nothing. Signals:

  SIGHUP            reload: all of the file as it is now or, if anything is wrong with it, nothing;
                    a log file is opened anew
  SIGTERM, SIGINT   drain: no new sessions, the present ones have timeouts.drain to finish;
                    a second one stops at once

systemd may start it with Type=notify or notify-reload, and watch it with WatchdogSec.

Example:
  sluice run -c /etc/sluice/sluice.toml

Exit codes: 0 every session was finished, 1 the configuration cannot be used or sessions were
cut, 2 wrong use.`,
		Flags: []cli.Flag{configFlag()},
		Action: func(c *cli.Context) error {
			path, err := configPath(c)
			if err != nil {
				return err
			}
			return serve(c.Context, path, c.App.Writer, c.App.ErrWriter)
		},
	}
}

// serve runs a configuration until ctx ends or a signal says so.
func serve(ctx context.Context, path string, stdout, stderr io.Writer) error {
	cfg, report := configs.Load(path)
	if report.Err() != nil {
		for _, p := range report.Problems {
			fmt.Fprintln(stderr, p)
		}
		return errTold{exitFailed}
	}
	// Before anything listens: a signal that comes early must not kill what has begun.
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
	defer signal.Stop(signals)
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	go keepMemory(ctx)

	s, err := start(cfg, report.Problems, stderr)
	if err != nil {
		return err
	}
	defer s.close()
	m := newManager(s.log)
	defer m.close()
	fmt.Fprintln(stdout, readyLine(s.server.Addresses()))
	m.ready(readyLine(s.server.Addresses()))
	for {
		select {
		case <-ctx.Done():
			return s.drain(signals, m)
		case <-s.leave.now:
			return s.drain(signals, m)
		case <-m.beat:
			m.alive()
		case sig := <-signals:
			if sig != syscall.SIGHUP {
				s.log.Info("signal", "signal", sig.String())
				return s.drain(signals, m)
			}
			m.reloading()
			s.reload()
			m.ready(readyLine(s.server.Addresses()))
		}
	}
}

// readyLine says where the listeners are, for people and for scripts that wait.
func readyLine(bound []l4.Bound) string {
	var b strings.Builder
	b.WriteString("ready")
	for _, at := range bound {
		fmt.Fprintf(&b, " %s=%s", at.Listener, at.Address)
	}
	return b.String()
}
