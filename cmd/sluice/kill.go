package main

import (
	"errors"
	"fmt"
	"strconv"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/cmd/internal/units"
	"github.com/urfave/cli/v2"
)

func killCommand() *cli.Command {
	return &cli.Command{
		Name:      "kill",
		Usage:     "end sessions at once, by their ids",
		UsageText: "sluice kill [options] SESSION...",
		Description: `Both sides see a reset, so that nobody takes what came so far for the whole. ` + "`sluice sessions`" + ` lists the
ids of sessions.

` + adminHelp + `

Example:
  sluice kill 4711 4712

Exit codes: 0 all of them were ended, 1 one of them was not there, 2 wrong use.`,
		Flags: adminFlags(flag("json", "the answer, as one JSON object")),
		Action: func(c *cli.Context) error {
			var ids []uint64
			for _, text := range c.Args().Slice() {
				id, err := strconv.ParseUint(text, 10, 64)
				if err != nil {
					return badUse(c, "`sluice sessions` lists them", "%q is no id of a session", text)
				}
				ids = append(ids, id)
			}
			if len(ids) == 0 {
				return badUse(c, "name one by its id: sluice kill 123", "which session?")
			}
			client, err := dialAdmin(c)
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, stop := asking(c)
			defer stop()
			var sum admin.Killed
			var missing error
			for _, id := range ids {
				k, err := client.Kill(ctx, id)
				if _, answered := errors.AsType[*admin.Refused](err); err != nil && !answered {
					return explained(err)
				}
				if err != nil && missing == nil {
					missing = err
				}
				sum.Killed += k.Killed
			}
			if c.Bool("json") {
				err = jsonTo(c.App.Writer, sum)
			} else {
				_, err = fmt.Fprintf(c.App.Writer, "%s ended\n", units.Counted(sum.Killed, "session"))
			}
			if missing != nil {
				return missing
			}
			return err
		},
	}
}
