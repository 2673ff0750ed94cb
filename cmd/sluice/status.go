package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/cmd/internal/units"
	"github.com/urfave/cli/v2"
)

func statusCommand() *cli.Command {
	return &cli.Command{
		Name:      "status",
		Usage:     "what a running Sluice does: listeners, pools, nodes",
		UsageText: "sluice status [options]",
		Description: `Rates are not shown: they are in the metrics, on the page and in ` + "`sluice top`" + `.

` + adminHelp + `

Examples:
  sluice status
  sluice status --watch 2s
  sluice status --json | jq '.pools[].nodes[] | select(.available | not) | .name'

Exit codes: 0 it answered, whatever it said, 1 it did not, 2 wrong use.`,
		Flags: adminFlags(flag("json", "the answer of the API, as one JSON object"), watchFlag()),
		Action: func(c *cli.Context) error {
			if err := wantArgs(c, 0, ""); err != nil {
				return err
			}
			client, err := dialAdmin(c)
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, stop := asking(c)
			defer stop()
			return watched(ctx, c, func(w io.Writer) error {
				st, err := client.Status(ctx)
				if err != nil {
					return explained(err)
				}
				if c.Bool("json") {
					return jsonTo(w, st)
				}
				_, err = io.WriteString(w, statusText(&st))
				return err
			})
		},
	}
}

// statusText is the status for people.
func statusText(st *admin.Status) string {
	var b strings.Builder
	state := "ready"
	if !st.Ready {
		state = "NOT READY: " + strings.Join(st.NotReady, "; ")
	}
	fmt.Fprintf(&b, "sluice %s, up %s, pid %d, %s\n", st.Build.Version, units.Age(st.Uptime), st.PID, state)
	fmt.Fprintf(&b, "%s\n", configLine(st))
	fmt.Fprintf(&b, "%s open (%s pending) of %s, %s ended; %s in, %s out\n",
		units.Counted(st.Sessions.Open, "session"), units.Count(st.Sessions.Pending), units.Count(st.Sessions.Capacity),
		units.Count(st.Sessions.Ended), units.Size(st.Bytes.In), units.Size(st.Bytes.Out))
	if lost := st.Records.Dropped; lost > 0 {
		fmt.Fprintf(&b, "%s session records were lost: whoever reads them is too slow\n", units.Count(lost))
	}

	listeners := newGrid("LISTENER", "ADDRESS", "TLS", "SESSIONS", "ENDED", "IN", "OUT", "REJECTED")
	for _, ln := range st.Listeners {
		listeners.row(ln.Name, units.OrDash(strings.Join(ln.Addresses, " ")), units.OrDash(ln.TLS),
			units.Count(ln.Sessions), units.Count(ln.Ended), units.Size(ln.Bytes.In), units.Size(ln.Bytes.Out), rejected(ln.Rejected))
	}
	nodes := newGrid("POOL", "NODE", "STATE", "SINCE", "SESSIONS", "PICKED", "IN", "OUT", "DIAL P50/P99", "CHECK", "REASON")
	for _, p := range st.Pools {
		for i := range p.Nodes {
			nodeRow(nodes, &p.Nodes[i], st.Time)
		}
	}
	for i := range st.Retired {
		nodeRow(nodes, &st.Retired[i], st.Time)
	}
	fmt.Fprintf(&b, "\n%s\n%s", listeners, nodes)
	for _, cert := range st.Certificates {
		fmt.Fprintf(&b, "\ncertificate %s of listener %s expires %s\n", cert.File, cert.Listener, cert.NotAfter.Format(time.DateOnly))
	}
	return b.String()
}

// configLine says which configuration is in effect, and whether the file has another by now.
func configLine(st *admin.Status) string {
	last := &st.Config.LastReload
	ago := units.Age(st.Time.Sub(last.Time).Seconds())
	if last.OK {
		return fmt.Sprintf("%s, read %s ago", st.Config.Path, ago)
	}
	why := last.Error
	for _, p := range last.Problems {
		if why == "" && !p.Warning {
			why = p.Text
		}
	}
	return fmt.Sprintf("%s: the reload %s ago was REFUSED, what was read before is in effect: %s", st.Config.Path, ago, why)
}

func rejected(by map[string]uint64) string {
	var all []string
	for _, why := range slices.Sorted(maps.Keys(by)) {
		all = append(all, fmt.Sprintf("%s %s", units.Count(by[why]), why))
	}
	return units.OrDash(strings.Join(all, ", "))
}

func nodeRow(g *grid, n *admin.Node, now time.Time) {
	dial, check := "-", "-"
	if n.Dial.Count > 0 {
		dial = units.Latency(n.Dial.P50) + " / " + units.Latency(n.Dial.P99)
	}
	if n.Check != nil {
		check = n.Check.Verdict + " " + units.Latency(n.Check.Took)
	}
	g.row(n.Pool, n.Name, n.State(), units.Age(now.Sub(n.Since).Seconds()), units.Count(n.Sessions), units.Count(n.Picks),
		units.Size(n.Bytes.In), units.Size(n.Bytes.Out), dial, check, units.OrDash(units.Plain(n.Reason)))
}
