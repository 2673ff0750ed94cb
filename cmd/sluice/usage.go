package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
	"github.com/xrash/smetrics"
)

// appHelp and commandHelp are templates of the library: the data are a *cli.App and a *cli.Command.
const (
	appHelp = `Sluice is a Layer-4 load balancer for one job: it stands in front of a MinIO or AIStor cluster.

Usage:
  sluice COMMAND [options]

Commands:{{range .VisibleCommands}}
  {{.Name}}{{"\t"}}{{.Usage}}{{end}}

Examples:
  sluice demo                                 see it work: four small nodes behind a real Sluice
  sluice check -c /etc/sluice/sluice.toml     every mistake in a configuration, with its line
  sluice run -c /etc/sluice/sluice.toml       serve
  sluice top                                  what goes on, live
  sluice verify https://s3.example.net        does a cluster behind a balancer do all it should?

"sluice help COMMAND" says more about one of them.
Exit codes: 0 well, 1 failed, 2 wrong use.
`
	commandHelp = `sluice {{.Name}}: {{.Usage}}

Usage:
  {{.UsageText}}
{{if .Description}}
{{.Description}}
{{end}}
Options:{{range .VisibleFlags}}
  {{.}}{{end}}
`
)

// usageError is a command line that makes no sense. It ends the program with code 2.
type usageError struct {
	command string // "" where the trouble is before any command
	what    string
	right   string // what would be right; may be empty
}

func (e *usageError) Error() string {
	if e.right == "" {
		return e.what
	}
	if strings.HasSuffix(e.what, "?") {
		return e.what + " " + e.right
	}
	return e.what + "; " + e.right
}

// hint says where to read on.
func (e *usageError) hint() string {
	if e.command == "" {
		return `"sluice help" lists the commands.`
	}
	return fmt.Sprintf(`"sluice help %s" lists its options, with examples.`, e.command)
}

// badUse is the usageError of a command's action.
func badUse(c *cli.Context, right, what string, args ...any) error {
	return &usageError{command: c.Command.Name, what: fmt.Sprintf(what, args...), right: right}
}

// wantArgs refuses arguments that a command has no use for.
func wantArgs(c *cli.Context, n int, right string) error {
	if c.NArg() <= n {
		return nil
	}
	return badUse(c, right, "unexpected argument %q", c.Args().Get(n))
}

// usageErrorOf translates what the flag parser says. The library calls it for every wrong option.
func usageErrorOf(c *cli.Context, err error, isSubcommand bool) error {
	e := &usageError{what: err.Error()}
	flags := c.App.Flags
	if isSubcommand {
		e.command, flags = c.Command.Name, c.Command.Flags
	}
	if name, ok := strings.CutPrefix(e.what, "flag provided but not defined: -"); ok {
		e.what, e.right = fmt.Sprintf("no option %q", dashed(name)), nearestFlag(flags, name)
		if with := commandsWith(c.App.Commands, name); !isSubcommand && len(with) > 0 {
			e.right = fmt.Sprintf("it belongs behind a command: sluice %s %s", strings.Join(with, "|"), dashed(name))
		}
	}
	if name, ok := strings.CutPrefix(e.what, "flag needs an argument: -"); ok {
		e.what = fmt.Sprintf("option %q needs a value", dashed(name))
	}
	if isSubcommand {
		return fmt.Errorf("%s: %w", e.command, e)
	}
	return e
}

// commandsWith lists the commands that know an option.
func commandsWith(commands []*cli.Command, option string) (names []string) {
	for _, c := range commands {
		for _, f := range c.Flags {
			if slices.Contains(f.Names(), option) {
				names = append(names, c.Name)
			}
		}
	}
	return names
}

func noSuchCommand(commands []*cli.Command, name string) error {
	var names []string
	for _, c := range commands {
		names = append(names, c.Names()...)
	}
	return &usageError{what: fmt.Sprintf("no command %q", name), right: didYouMean(name, names)}
}

func nearestFlag(flags []cli.Flag, name string) string {
	var names []string
	for _, f := range flags {
		names = append(names, f.Names()...)
	}
	if best := nearest(name, names); best != "" {
		return fmt.Sprintf("did you mean %q?", dashed(best))
	}
	return ""
}

func didYouMean(name string, candidates []string) string {
	if best := nearest(name, candidates); best != "" {
		return fmt.Sprintf("did you mean %q?", best)
	}
	return ""
}

// nearest is the candidate that name is the beginning of, else the one that takes the fewest edits to
// make from it: at most two, or a third of its letters if that is more, and never all of them. It is ""
// if there is none.
func nearest(name string, candidates []string) string {
	best, fewest := "", min(max(3, len(name)/3+1), len(name))
	for _, c := range candidates {
		if len(name) > 1 && strings.HasPrefix(c, name) {
			return c
		}
		if edits := smetrics.WagnerFischer(strings.ToLower(name), c, 1, 1, 1); edits < fewest {
			best, fewest = c, edits
		}
	}
	return best
}

// flag is an option without a value.
func flag(name, usage string) cli.Flag {
	return &cli.BoolFlag{Name: name, Usage: usage, DisableDefaultText: true}
}

// dashed writes an option as people do: -c, --config.
func dashed(name string) string {
	if len(name) == 1 {
		return "-" + name
	}
	return "--" + name
}

// optionsFirst moves a command's options in front of its arguments, because the flag parser stops at
// the first argument and people write `sluice verify URL --insecure` all the same. What stands behind
// "--" is left alone.
func optionsFirst(commands []*cli.Command, args []string) []string {
	if len(args) < 3 {
		return args
	}
	i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[1]) })
	if i < 0 {
		return args
	}

	options, rest := slices.Clone(args[:2]), []string{}
	for words := args[2:]; len(words) > 0; words = words[1:] {
		word := words[0]
		if word == "--" {
			rest = append(rest, words[1:]...)
			break
		}
		if len(word) < 2 || word[0] != '-' {
			rest = append(rest, word)
			continue
		}
		options = append(options, word)
		if takesValue(commands[i].Flags, strings.TrimLeft(word, "-")) {
			if len(words) == 1 {
				return options // the parser will say that the value is missing
			}
			options, words = append(options, words[1]), words[1:]
		}
	}
	return slices.Concat(options, []string{"--"}, rest)
}

// takesValue tells whether an option, as it was written, has its value in the next word.
func takesValue(flags []cli.Flag, name string) bool {
	for _, f := range flags {
		if _, isBool := f.(*cli.BoolFlag); slices.Contains(f.Names(), name) {
			return !isBool
		}
	}
	return false
}

func helpCommand() *cli.Command {
	return &cli.Command{
		Name:      "help",
		Usage:     "this list, or all about one command",
		UsageText: "sluice help [COMMAND]",
		Action: func(c *cli.Context) error {
			name := c.Args().First()
			if name == "" || name == c.Command.Name {
				cli.HelpPrinter(c.App.Writer, appHelp, c.App)
				return nil
			}
			command := c.App.Command(name)
			if command == nil {
				return noSuchCommand(c.App.Commands, name)
			}
			cli.HelpPrinter(c.App.Writer, commandHelp, command)
			return nil
		},
	}
}
