package main

import (
	"io"
	"os"

	"github.com/sluicelb/sluice/cmd/internal/top"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func topCommand() *cli.Command {
	return &cli.Command{
		Name:      "top",
		Usage:     "a live screen of nodes, sessions and events; drain, maint, kill",
		UsageText: "sluice top [options]",
		Description: `For a terminal, over ssh as well; 80 columns and 24 lines will do, a mouse is not needed. ? lists the
keys. Before anything is changed it says what that means, and a drain asks the cluster first. Where
stdout is not a terminal it prints what sluice status does, once.

` + adminHelp + `

NO_COLOR leaves the colours out; nothing is said by colour alone.
Exit codes: 0 left, 1 there was no Sluice to begin with, 2 wrong use.`,
		Flags: adminFlags(&cli.DurationFlag{Name: "interval", Usage: "ask every `DURATION`", Value: minWatch * 10},
			flag("json", "no screen: the answer of the API, once, as one JSON object")),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, ""); err != nil {
				return err
			}
			if every := c.Duration("interval"); every < minWatch {
				return badUse(c, "write it like --interval 2s", "--interval %s is too short", every)
			}
			client, err := dialAdmin(c)
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, stop := asking(c)
			defer stop()
			st, err := client.Status(ctx) // once there is a screen, a lost connection is tried again for ever
			if err != nil {
				return explained(err)
			}
			if c.Bool("json") {
				return jsonTo(c.App.Writer, st)
			}
			if !hasScreen(c.App.Reader, c.App.Writer) {
				_, err := io.WriteString(c.App.Writer, statusText(&st))
				return err
			}
			return top.Run(ctx, client, top.Options{In: c.App.Reader, Out: c.App.Writer, Interval: c.Duration("interval")})
		},
	}
}

// hasScreen tells whether there is a terminal that can be drawn on, with somebody at its keys.
func hasScreen(in io.Reader, out io.Writer) bool {
	isTerminal := func(v any) bool {
		f, ok := v.(*os.File)
		return ok && term.IsTerminal(int(f.Fd()))
	}
	return isTerminal(in) && isTerminal(out) && os.Getenv("TERM") != "dumb"
}
