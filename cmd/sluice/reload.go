package main

import (
	"errors"
	"fmt"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/urfave/cli/v2"
)

func reloadCommand() *cli.Command {
	return &cli.Command{
		Name:      "reload",
		Usage:     "have a running Sluice read its configuration again",
		UsageText: "sluice reload [options]",
		Description: `It reads the file it was started with: all of it takes effect or, if anything is wrong, nothing. The
problems are printed as ` + "`sluice check`" + ` prints them. SIGHUP does the same, but does not answer.

` + adminHelp + `

Example:
  sluice check -c /etc/sluice/sluice.toml && sluice reload

Exit codes: 0 it is in effect, 1 it is not, 2 wrong use.`,
		Flags: adminFlags(flag("json", "the answer of the API, as one JSON object")),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, "the file is the one it was started with"); err != nil {
				return err
			}
			client, err := dialAdmin(c)
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, stop := asking(c)
			defer stop()
			done, err := client.Reload(ctx)
			no, refused := errors.AsType[*admin.Refused](err)
			if err != nil && !refused {
				return explained(err)
			}
			problems := done.Problems
			if refused {
				problems = no.Answer.Problems
			}
			switch {
			case c.Bool("json") && refused:
				err = jsonTo(c.App.Writer, no.Answer)
			case c.Bool("json"):
				err = jsonTo(c.App.Writer, done)
			default:
				for _, p := range problems {
					fmt.Fprintln(c.App.ErrWriter, p.Text)
				}
				if !refused {
					_, err = fmt.Fprintln(c.App.Writer, "in effect")
				}
			}
			if refused {
				return explained(no)
			}
			return err
		},
	}
}
