package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/admin"
	"github.com/sluicelb/sluice/configs"
	"github.com/urfave/cli/v2"
	"golang.org/x/term"
)

// What the commands share that ask a running Sluice: status, sessions, drain, ready, maint, kill, reload.

// adminFlags say which Sluice is meant.
func adminFlags(more ...cli.Flag) []cli.Flag {
	return append(more,
		&cli.StringFlag{Name: "admin", Usage: "the `ADDRESS` of its admin API: host:port or unix:/path (SLUICE_ADMIN)"},
		&cli.StringFlag{Name: "config", Aliases: []string{"c"}, Usage: "take address and token from its configuration, `FILE`"},
		&cli.StringFlag{Name: "token", Usage: "the `TOKEN` of its admin API (SLUICE_TOKEN)", DefaultText: "hidden"},
	)
}

// adminHelp explains these flags; it is the end of each description.
const adminHelp = `Which Sluice is asked: --admin, else admin.listen of the file that -c names, else SLUICE_ADMIN, else
127.0.0.1:9990. SLUICE_TOKEN does not show in the process list, --token does.`

// asking is the context of a command that asks: the first signal ends it.
func asking(c *cli.Context) (context.Context, context.CancelFunc) {
	return signal.NotifyContext(c.Context, os.Interrupt, syscall.SIGTERM)
}

// dialAdmin makes the client of the Sluice that is meant. The caller closes it.
func dialAdmin(c *cli.Context) (*admin.Client, error) {
	address, token := c.String("admin"), cmp.Or(c.String("token"), os.Getenv("SLUICE_TOKEN"))
	if path := c.String("config"); path != "" {
		cfg, problems := configs.Load(path)
		switch {
		case problems.Err() != nil && address == "":
			return nil, fmt.Errorf("%s has problems, so it does not say whom to ask (sluice check names them); use --admin ADDRESS", path)
		case problems.Err() == nil && address == "" && cfg.Admin.Listen == "":
			return nil, fmt.Errorf(`%s turns the admin API off: admin.listen is ""`, path)
		case problems.Err() == nil:
			address, token = cmp.Or(address, cfg.Admin.Listen), cmp.Or(token, string(cfg.Admin.Token))
		}
	}
	address = cmp.Or(address, os.Getenv("SLUICE_ADMIN"), configs.Default().Admin.Listen)
	client, err := admin.NewClient(address, token)
	if err != nil {
		return nil, badUse(c, `write it like 127.0.0.1:9990 or unix:/run/sluice/admin.sock`, "admin address %q is neither host:port nor unix:/path", address)
	}
	return client, nil
}

// explained adds to an error of the API what a person can do about it. Words are what was named.
func explained(err error, words ...string) error {
	if err == nil {
		return nil
	}
	if no, ok := errors.AsType[*admin.Refused](err); ok {
		if len(no.Answer.Have) == 0 {
			return err
		}
		for _, w := range words {
			// Among several that may be meant, there is no nearest.
			if best := nearest(w, no.Answer.Have); best != "" && strings.HasPrefix(no.Answer.Error, "no ") && strings.Contains(no.Answer.Error, fmt.Sprintf("%q", w)) {
				return fmt.Errorf("%w; did you mean %q?", err, best)
			}
		}
		return fmt.Errorf("%w; there is %s", err, strings.Join(no.Answer.Have, ", "))
	}
	op, isOp := errors.AsType[*net.OpError](err)
	switch {
	case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
		return fmt.Errorf("%w; is Sluice running, and is this its admin.listen? (--admin, -c FILE or SLUICE_ADMIN say otherwise)", err)
	case errors.Is(err, syscall.EACCES) && isOp && op.Net == "unix":
		return fmt.Errorf("%w; admin.mode and admin.group say who may (sudo helps)", err)
	}
	return err
}

// misused is explained for a command whose options go to the API as they are: what it calls a bad request is wrong use.
func misused(c *cli.Context, err error) error {
	if no, ok := errors.AsType[*admin.Refused](err); ok && no.Status == http.StatusBadRequest {
		return badUse(c, no.Answer.Hint, "%s", no.Answer.Error)
	}
	return explained(err)
}

// jsonTo writes an answer as one indented JSON object.
func jsonTo(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// A grid is a table of plain, aligned columns.
type grid struct {
	out bytes.Buffer
	tab *tabwriter.Writer
}

func newGrid(columns ...string) *grid {
	g := &grid{}
	g.tab = tabwriter.NewWriter(&g.out, 0, 0, 2, ' ', 0)
	g.row(columns...)
	return g
}

// row adds a row. Cells must not hold tabs: what comes from outside is quoted before.
func (g *grid) row(cells ...string) {
	fmt.Fprintln(g.tab, strings.Join(cells, "\t"))
}

// String is the table, without blanks at the ends of its lines.
func (g *grid) String() string {
	g.tab.Flush()
	var b strings.Builder
	for line := range strings.Lines(g.out.String()) {
		b.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return b.String()
}

// watchFlag makes a command repeat itself.
func watchFlag() cli.Flag {
	return &cli.DurationFlag{Name: "watch", Aliases: []string{"w"}, Usage: "show it again every `DURATION`, until interrupted", DefaultText: "once"}
}

// minWatch is how often a command may repeat itself.
const minWatch = 200 * time.Millisecond

// watched runs show once or, with --watch, again and again until the first signal: each time on an empty
// screen if there is one. An error ends it.
func watched(ctx context.Context, c *cli.Context, show func(io.Writer) error) error {
	every := c.Duration("watch")
	if !c.IsSet("watch") {
		return show(c.App.Writer)
	}
	if every < minWatch {
		return badUse(c, "write it like --watch 2s", "--watch %s is too short", every)
	}
	f, isFile := c.App.Writer.(*os.File)
	screen := isFile && term.IsTerminal(int(f.Fd()))
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		var page bytes.Buffer
		if err := show(&page); err != nil {
			if ctx.Err() != nil {
				return nil
			}
			return err
		}
		if screen {
			fmt.Fprint(c.App.Writer, clearScreen)
		}
		if _, err := c.App.Writer.Write(page.Bytes()); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if !screen {
			fmt.Fprintln(c.App.Writer)
		}
	}
}

// clearScreen moves to the top left and empties the screen (ECMA-48: CUP, ED).
const clearScreen = "\x1b[H\x1b[2J"
