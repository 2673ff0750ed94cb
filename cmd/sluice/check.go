package main

import (
	"fmt"

	"github.com/sluicelb/sluice/cmd/internal/units"
	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
	"github.com/urfave/cli/v2"
)

func checkCommand() *cli.Command {
	return &cli.Command{
		Name:      "check",
		Usage:     "read a configuration and name every mistake in it",
		UsageText: "sluice check -c FILE",
		Description: `The file is read exactly as run and reload read it, with the certificates and
keys that it names, and nothing is started. Every problem is one line:

  sluice.toml:12:8: error: listener[0].pool (listener "s3"): what is wrong; what would be right

Warnings are printed too, and are no failure; that a certificate is not on this
machine is one.

Example:
  sluice check -c /etc/sluice/sluice.toml

Exit codes: 0 the file can be used, 1 it cannot, 2 wrong use.`,
		Flags: []cli.Flag{configFlag()},
		Action: func(c *cli.Context) error {
			path, err := configPath(c)
			if err != nil {
				return err
			}
			cfg, report := configs.Load(path)
			if report.Err() == nil {
				report.Problems = append(report.Problems, l4.CheckFiles(cfg)...)
			}
			for _, p := range report.Problems {
				fmt.Fprintln(c.App.ErrWriter, p)
			}
			if report.Err() != nil {
				return errTold{exitFailed}
			}
			_, err = fmt.Fprintf(c.App.Writer, "%s: ok, %s, %s\n", path,
				units.Counted(len(cfg.Listeners), "listener"), units.Counted(len(cfg.Pools), "pool"))
			return err
		},
	}
}

func configFlag() cli.Flag {
	return &cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "read the configuration `FILE`"}
}

// configPath is the file that -c names.
func configPath(c *cli.Context) (string, error) {
	path := c.String("config")
	switch {
	case path == "" && c.NArg() == 1:
		return "", badUse(c, fmt.Sprintf("did you mean -c %q?", c.Args().First()), "which configuration?")
	case path == "":
		return "", badUse(c, "name it with -c FILE", "which configuration?")
	}
	return path, wantArgs(c, 0, "")
}
