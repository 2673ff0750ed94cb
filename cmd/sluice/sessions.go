package main

import (
	"fmt"
	"io"
	"net/url"
	"strconv"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/cmd/internal/units"
	"github.com/urfave/cli/v2"
)

func sessionsCommand() *cli.Command {
	filters := []cli.Flag{
		&cli.StringFlag{Name: "listener", Usage: "only of the listener `NAME`"},
		&cli.StringFlag{Name: "pool", Usage: "only of the pool `NAME`"},
		&cli.StringFlag{Name: "node", Usage: "only of the node `NAME`"},
		&cli.StringFlag{Name: "client", Usage: "only of clients in `NETWORK`: an address, or a CIDR"},
		&cli.StringFlag{Name: "phase", Usage: "only in `PHASE`: accept, header, hello, dial, relay or linger"},
		&cli.StringFlag{Name: "search", Usage: "only with `TEXT` in client, server name or node"},
		&cli.StringFlag{Name: "min-age", Usage: "only those that are at least `DURATION` old"},
		&cli.StringFlag{Name: "min-idle", Usage: "only those that have been idle for at least `DURATION`"},
		&cli.StringFlag{Name: "sort", Usage: "sort by `KEY`: id, dur, idle, bytes, bytes_in or bytes_out", Value: "id"},
		&cli.IntFlag{Name: "limit", Usage: "show at most `N`", Value: 100},
	}
	return &cli.Command{
		Name:      "sessions",
		Usage:     "list the live sessions",
		UsageText: "sluice sessions [options]",
		Description: `Filters add up: a session is shown if it passes all of them. The phase says how far a session
is: accept (limits and rules), header (waits for a PROXY header), hello (for the TLS name or handshake),
dial (for a node), relay (both sides may send), linger (one side has finished).

` + adminHelp + `

Examples:
  sluice sessions --sort bytes --limit 20
  sluice sessions --node 10.0.0.2:9000 --min-idle 10m
  sluice sessions --client 192.0.2.0/24 --json

Exit codes: 0 it answered, 1 it did not, 2 wrong use.`,
		Flags: adminFlags(append(filters, flag("json", "the answer of the API, as one JSON object"), watchFlag())...),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, "filters are options: --search TEXT"); err != nil {
				return err
			}
			client, err := dialAdmin(c)
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, stop := asking(c)
			defer stop()
			query := sessionQuery(c)
			return watched(ctx, c, func(w io.Writer) error {
				list, err := client.Sessions(ctx, query)
				if err != nil {
					return misused(c, err)
				}
				if c.Bool("json") {
					return jsonTo(w, list)
				}
				_, err = io.WriteString(w, sessionsText(&list))
				return err
			})
		},
	}
}

// sessionQuery is what the options ask for.
func sessionQuery(c *cli.Context) url.Values {
	query := url.Values{"limit": {strconv.Itoa(c.Int("limit"))}, "sort": {c.String("sort")}}
	for option, key := range map[string]string{
		"listener": "listener", "pool": "pool", "node": "node", "client": "client", "phase": "phase",
		"search": "search", "min-age": "min_age", "min-idle": "min_idle",
	} {
		if c.IsSet(option) {
			query.Set(key, c.String(option))
		}
	}
	return query
}

// sessionsText is a list of sessions for people.
func sessionsText(list *admin.Sessions) string {
	g := newGrid("ID", "AGE", "IDLE", "CLIENT", "LISTENER", "NODE", "SERVER NAME", "PHASE", "IN", "OUT", "PATH")
	for i := range list.Sessions {
		s := &list.Sessions[i]
		node := units.OrDash(s.Node)
		if s.Pool != "" {
			node = s.Pool + " " + node
		}
		g.row(strconv.FormatUint(s.ID, 10), units.Age(s.Dur), units.Age(s.Idle), s.Client, s.Listener, node,
			units.OrDash(units.Plain(s.ServerName)), s.Phase, units.Size(s.BytesIn), units.Size(s.BytesOut), units.OrDash(s.Path))
	}
	if shown := len(list.Sessions); shown < list.Matched {
		return fmt.Sprintf("%s\n%s of %s that match are shown; --limit shows more\n", g, units.Count(shown), units.Count(list.Matched))
	}
	return fmt.Sprintf("%s\n%s of %s\n", g, units.Count(list.Matched), units.Counted(list.Total, "session"))
}
