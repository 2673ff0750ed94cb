package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/cmd/internal/units"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

func drainCommand() *cli.Command {
	return &cli.Command{
		Name:      "drain",
		Usage:     "no new sessions for a node; those it has go on",
		UsageText: "sluice drain [options] POOL NODE\n  sluice drain --all [options]",
		Description: `Before a MinIO node is stopped, upgraded or rebooted. The node itself is asked whether its cluster keeps
write quorum without it; if it says no, nothing is drained. A node may be named in part, as long as
it is clear: 10.0.0.2, or minio2.

With --all the whole balancer leaves: /readyz says no at once, so that VRRP, anycast or a balancer in
front send clients elsewhere; after --grace it takes no new sessions, and when the last one is over
(at the latest after timeouts.drain of its configuration) the process ends.

` + adminHelp + `

Examples:
  sluice drain s3 10.0.0.2 --wait                 come back when it has no session left
  sluice drain s3 10.0.0.2 --wait --deadline 5m   and end those that are left after five minutes
  sluice ready s3 10.0.0.2                        undo it
  sluice drain --all --grace 10s

Exit codes: 0 done, 1 refused or failed, 2 wrong use.`,
		Flags: adminFlags(
			flag("force", "drain it even if the cluster would lose write quorum, or nobody can tell"),
			flag("wait", "wait until it has no session left"),
			&cli.DurationFlag{Name: "deadline", Usage: "with --wait: end the sessions that are left after `DURATION`", DefaultText: "never"},
			flag("all", "drain the whole balancer, which ends it"),
			&cli.DurationFlag{Name: "grace", Usage: "with --all: take sessions for `DURATION` more", Value: 5 * time.Second},
			flag("json", "the answer of the API, as one JSON object"),
		),
		Action: runDrain,
	}
}

func readyCommand() *cli.Command {
	return nodeCommand("ready", "let a node get sessions again, after drain or maint", "ready", `It undoes drain and maint, and takes back a node that was left out for a while because its sessions
failed (ejected). The node gets sessions as soon as its checks do not say that it is down.`)
}

func maintCommand() *cli.Command {
	return nodeCommand("maint", "no new sessions for a node, even in need, and no checks", "maint", `Like drain, but the node is not asked first and not checked any more, and gets no session even if there
is no other node. Sessions that it has go on. To wait for their end first: sluice drain --wait.`)
}

// nodeCommand is a command that has one word for a node.
func nodeCommand(name, usage, word, text string) *cli.Command {
	return &cli.Command{
		Name: name, Usage: usage, UsageText: "sluice " + name + " [options] POOL NODE",
		Description: text + "\n\n" + adminHelp + "\n\nExample:\n  sluice " + name + " s3 10.0.0.2:9000\n\nExit codes: 0 done, 1 failed, 2 wrong use.",
		Flags:       adminFlags(flag("json", "the answer of the API, as one JSON object")),
		Action: func(c *cli.Context) error {
			client, poolName, node, err := nodeAsked(c)
			if err != nil {
				return err
			}
			defer client.Close()
			ctx, stop := asking(c)
			defer stop()
			change, err := client.SetNode(ctx, poolName, node, word, false)
			if err != nil {
				return explained(err, poolName, node)
			}
			return sayChange(c, &change)
		},
	}
}

// nodeAsked reads POOL and NODE, and makes the client.
func nodeAsked(c *cli.Context) (client *admin.Client, poolName, node string, err error) {
	if c.NArg() < 2 {
		return nil, "", "", badUse(c, "name the pool and the node: sluice "+c.Command.Name+" s3 10.0.0.2:9000", "which node?")
	}
	if err := wantArgs(c, 2, ""); err != nil {
		return nil, "", "", err
	}
	client, err = dialAdmin(c)
	return client, c.Args().Get(0), c.Args().Get(1), err
}

// sayChange prints what became of a node.
func sayChange(c *cli.Context, change *admin.NodeChange) error {
	if c.Bool("json") {
		return jsonTo(c.App.Writer, change)
	}
	for _, n := range change.Notices {
		fmt.Fprintf(c.App.ErrWriter, "note: %s\n", n)
	}
	asked := ""
	if change.Answer != nil && change.Answer.Safe {
		asked = "; " + change.Answer.Text
	}
	_, err := fmt.Fprintf(c.App.Writer, "%s %s: %s -> %s, %s%s\n", change.Pool, change.Node, change.Was, change.Admin,
		units.Counted(change.Sessions, "session"), asked)
	return err
}

func runDrain(c *cli.Context) error {
	if c.IsSet("deadline") && !c.Bool("wait") {
		return badUse(c, "add --wait", "--deadline without --wait has no meaning")
	}
	if c.Bool("all") {
		return drainAll(c)
	}
	if c.IsSet("grace") {
		return badUse(c, "it goes with --all", "--grace has no meaning for a node")
	}
	client, poolName, node, err := nodeAsked(c)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := asking(c)
	defer stop()
	change, err := client.SetNode(ctx, poolName, node, "drain", c.Bool("force"))
	if err != nil {
		return explained(err, poolName, node)
	}
	if !c.Bool("wait") {
		return sayChange(c, &change)
	}
	if !c.Bool("json") {
		if err := sayChange(c, &change); err != nil {
			return err
		}
	}
	w := waiter{client: client, pool: change.Pool, node: change.Node, deadline: c.Duration("deadline"), show: newDrainBar(c, change.Sessions)}
	err = w.wait(ctx)
	w.show.done()
	if err != nil {
		return explained(err)
	}
	change.Sessions = 0
	if c.Bool("json") {
		return jsonTo(c.App.Writer, drained{change, w.killed})
	}
	if w.killed > 0 {
		_, err = fmt.Fprintf(c.App.Writer, "no session is left; %s had to be ended at the deadline\n", units.Counted(w.killed, "session"))
	} else {
		_, err = fmt.Fprintln(c.App.Writer, "no session is left")
	}
	return err
}

// drained is a change, and what waiting for it came to.
type drained struct {
	admin.NodeChange
	Killed int `json:"killed"`
}

// A waiter waits until a node has no sessions.
type waiter struct {
	client     *admin.Client
	pool, node string
	deadline   time.Duration // 0: none
	show       *drainBar
	killed     int
}

// waitInterval is how often a waiter looks.
const waitInterval = 500 * time.Millisecond

func (w *waiter) wait(ctx context.Context) error {
	var late <-chan time.Time
	if w.deadline > 0 {
		timer := time.NewTimer(w.deadline)
		defer timer.Stop()
		late = timer.C
	}
	tick := time.NewTicker(waitInterval)
	defer tick.Stop()
	for {
		left, err := w.left(ctx)
		if err != nil || left == 0 {
			return err
		}
		w.show.left(left)
		select {
		case <-tick.C:
		case <-late:
			k, err := w.client.KillNode(ctx, w.pool, w.node)
			if err != nil {
				return err
			}
			w.killed += k.Killed
			late = time.After(waitInterval) // and those that were on their way to it
		case <-ctx.Done():
			return errors.New("interrupted; the node goes on draining")
		}
	}
}

// left is how many sessions the node has.
func (w *waiter) left(ctx context.Context) (int64, error) {
	st, err := w.client.Status(ctx)
	if err != nil {
		if ctx.Err() != nil {
			return 0, errors.New("interrupted; the node goes on draining")
		}
		return 0, err
	}
	for _, p := range st.Pools {
		for _, n := range p.Nodes {
			if n.Pool != w.pool || n.Name != w.node {
				continue
			}
			if n.Admin == "ready" {
				return 0, fmt.Errorf("node %s is ready again: somebody has undone it", w.node)
			}
			return n.Sessions, nil
		}
	}
	for _, n := range st.Retired {
		if n.Pool == w.pool && n.Name == w.node {
			return n.Sessions, nil
		}
	}
	return 0, nil // it was taken out of the configuration and has none
}

// A drainBar shows how many sessions are left: a bar on a terminal, else a line whenever that changes.
type drainBar struct {
	out   io.Writer
	bar   *progressbar.ProgressBar // nil: there is no terminal
	most  int64
	last  int64
	quiet bool
}

func newDrainBar(c *cli.Context, most int64) *drainBar {
	d := &drainBar{out: c.App.ErrWriter, most: most, last: -1, quiet: c.Bool("json")}
	if f, ok := d.out.(*os.File); ok && !d.quiet && term.IsTerminal(int(f.Fd())) {
		d.bar = progressbar.NewOptions64(max(most, 1), progressbar.OptionSetWriter(f), progressbar.OptionSetWidth(30),
			progressbar.OptionShowCount(), progressbar.OptionSetDescription("sessions that ended"),
			progressbar.OptionClearOnFinish(), progressbar.OptionSetPredictTime(false))
	}
	return d
}

func (d *drainBar) left(n int64) {
	switch {
	case d.quiet || n == d.last:
	case d.bar != nil:
		if n > d.most { // they were on their way
			d.most = n
			d.bar.ChangeMax64(n)
		}
		d.bar.Set64(d.most - n)
	default:
		fmt.Fprintf(d.out, "%s left\n", units.Counted(n, "session"))
	}
	d.last = n
}

func (d *drainBar) done() {
	if d.bar != nil {
		d.bar.Clear()
	}
}

// drainAll ends the whole balancer.
func drainAll(c *cli.Context) error {
	if err := wantArgs(c, 0, "--all drains every node there is"); err != nil {
		return err
	}
	if c.IsSet("deadline") || c.Bool("force") {
		return badUse(c, "timeouts.drain is the deadline of a process", "--deadline and --force have no meaning with --all")
	}
	client, err := dialAdmin(c)
	if err != nil {
		return err
	}
	defer client.Close()
	ctx, stop := asking(c)
	defer stop()
	begun, err := client.Drain(ctx, c.Duration("grace"))
	if err != nil {
		return misused(c, err)
	}
	switch {
	case c.Bool("json"):
		err = jsonTo(c.App.Writer, begun)
	case begun.Already:
		_, err = fmt.Fprintf(c.App.Writer, "it is draining already, %s left\n", units.Counted(begun.Sessions, "session"))
	default:
		_, err = fmt.Fprintf(c.App.Writer, "not ready from now on; no new sessions in %s, and from then %s for those that are open, now %s\n",
			units.Age(begun.Grace), units.Age(begun.Timeout), units.Count(begun.Sessions))
	}
	if err != nil || !c.Bool("wait") {
		return err
	}
	return waitForEnd(ctx, c, client, begun.Sessions)
}

// waitForEnd waits until the process does not answer any more.
func waitForEnd(ctx context.Context, c *cli.Context, client *admin.Client, most int64) error {
	show := newDrainBar(c, most)
	defer show.done()
	tick := time.NewTicker(waitInterval)
	defer tick.Stop()
	for {
		st, err := client.Status(ctx)
		if ctx.Err() != nil {
			return errors.New("interrupted; the balancer goes on draining")
		}
		if err != nil {
			return nil // it has ended
		}
		show.left(st.Sessions.Open)
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}
