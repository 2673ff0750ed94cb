package main

import (
	"bytes"
	"fmt"
	"io"
	"strings"

	"github.com/sluicelb/sluice/cmd/internal/doctor"
	"github.com/sluicelb/sluice/configs"
	"github.com/urfave/cli/v2"
)

func doctorCommand() *cli.Command {
	return &cli.Command{
		Name:      "doctor",
		Usage:     "look at machine, configuration and nodes: what is not as it should be, and the fix",
		UsageText: "sluice doctor [-c FILE] [--json]",
		Description: `Of the machine: descriptors, pipes, backlogs, local ports, conntrack, clock, MTU. With -c FILE also the
configuration, whether its addresses are free (and who has them), its certificates, and its nodes, asked
directly: do they answer, is one of another version, are clocks right, where do they send browsers
(MINIO_BROWSER_REDIRECT_URL). A Sluice that runs with FILE is asked nothing; its limits are read from /proc.

It changes nothing. Run it on the balancer, as root to see all. MINIO_SERVER_URL shows only in share links:
open one in the Console.

Examples:
  sluice doctor
  sudo sluice doctor -c /etc/sluice/sluice.toml
  sluice doctor -c sluice.toml --json | jq -r '.findings[] | select(.state != "ok") | .fix'

Exit codes: 0 nothing fails, though there may be warnings, 1 something fails, 2 wrong use.`,
		Flags:  []cli.Flag{configFlag(), flag("json", "print the findings as one JSON object")},
		Action: runDoctor,
	}
}

func runDoctor(c *cli.Context) error {
	o := doctor.Options{}
	path := c.String("config")
	if path == "" && c.NArg() == 1 || c.IsSet("config") {
		var err error
		if path, err = configPath(c); err != nil {
			return err
		}
		o.Config, o.Report = configs.Load(path)
	}
	if err := wantArgs(c, 0, ""); err != nil {
		return err
	}
	ctx, stop := asking(c)
	defer stop()
	findings := doctor.Examine(ctx, o)
	if err := ctx.Err(); err != nil {
		return err // what was not asked any more would look like nodes that do not answer
	}

	failed := doctor.Failed(findings)
	var err error
	if c.Bool("json") {
		err = jsonTo(c.App.Writer, struct {
			OK       bool             `json:"ok"`
			Findings []doctor.Finding `json:"findings"`
		}{!failed, findings})
	} else {
		_, err = io.WriteString(c.App.Writer, findingsText(findings, terminalWidth(c.App.Writer)))
	}
	if err == nil && failed {
		return errTold{exitFailed}
	}
	return err
}

// findingsText is the table of the findings, with each fix below what it fixes.
func findingsText(findings []doctor.Finding, width int) string {
	const row, foundAt = "%-6s%-15s%s\n", 6 + 15
	var b bytes.Buffer
	fmt.Fprintf(&b, row, "STATE", "SUBJECT", "FOUND")
	count, sysctl := map[doctor.State]int{}, false
	for _, f := range findings {
		state := string(f.State)
		if f.State == doctor.Fail {
			state = "FAIL"
		}
		count[f.State]++
		fmt.Fprintf(&b, row, state, f.Subject, fold(f.Found, width, foundAt))
		if f.Fix != "" {
			fmt.Fprintf(&b, "%s%s\n", strings.Repeat(" ", foundAt), fold("fix: "+f.Fix, width, foundAt+len("fix: ")))
		}
		sysctl = sysctl || strings.Contains(f.Fix, "sysctl -w")
	}
	fmt.Fprintf(&b, "\n%d ok, %d to think about, %d FAILED\n", count[doctor.OK], count[doctor.Warn], count[doctor.Fail])
	if sysctl {
		fmt.Fprintln(&b, "sysctl -w holds until the next boot; the same line without it, in /etc/sysctl.d/90-sluice.conf, holds for good.")
	}
	return b.String()
}
