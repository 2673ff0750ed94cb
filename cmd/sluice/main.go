// Command sluice is a Layer-4 load balancer for one job: it stands in front of a MinIO or AIStor
// cluster and gives it one address. `sluice help` lists its commands, `sluice demo` shows it at work.
//
// A command is a file here, named after it. The work itself is done elsewhere: configs says what may
// be configured, l4 moves the bytes, and the packages under cmd/internal serve one command each.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/urfave/cli/v2"
)

// Exit codes. There are no others: a command either did what it was asked to, or failed, or did not
// understand what it was asked.
const (
	exitOK     = 0
	exitFailed = 1
	exitUsage  = 2
)

func main() { os.Exit(run(context.Background(), os.Args, os.Stdin, os.Stdout, os.Stderr)) }

// run is the whole program but for the process around it. It returns the exit code. Cancelling ctx
// ends a command that serves, in the same way as SIGTERM.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	app := newApp(stdin, stdout, stderr)
	app.Metadata = map[string]any{"self": args[0]}
	if len(args) > 2 && args[1] == completeWord {
		return complete(stdout, app.Commands, args[2:])
	}
	err := app.RunContext(ctx, optionsFirst(app.Commands, args))
	return report(stderr, err)
}

// newApp builds the command tree. It is built anew for every run, since the library writes to it.
func newApp(stdin io.Reader, stdout, stderr io.Writer) *cli.App {
	app := &cli.App{
		Name:                  "sluice",
		Usage:                 "a Layer-4 load balancer for MinIO and AIStor clusters",
		Reader:                stdin,
		Writer:                stdout,
		ErrWriter:             stderr,
		HideHelpCommand:       true, // the library's own ends with codes that are not ours
		HideVersion:           true,
		CustomAppHelpTemplate: appHelp,
		Flags:                 []cli.Flag{&cli.BoolFlag{Name: "version"}, cli.HelpFlag},
		Action:                runRoot,
		OnUsageError:          usageErrorOf,
		ExitErrHandler:        func(*cli.Context, error) {}, // report does this
		Commands: []*cli.Command{
			runCommand(), checkCommand(), verifyCommand(), doctorCommand(), demoCommand(),
			statusCommand(), topCommand(), sessionsCommand(), drainCommand(), readyCommand(), maintCommand(), killCommand(), reloadCommand(),
			completionCommand(), versionCommand(), helpCommand(),
		},
	}
	for _, c := range app.Commands {
		c.HideHelpCommand = true
		c.Flags = append(c.Flags, cli.HelpFlag)
		c.CustomHelpTemplate = commandHelp
		c.OnUsageError = usageErrorOf
		c.Action = inContext(c.Action)
	}
	return app
}

// runRoot is what happens without a command, or with one that does not exist.
func runRoot(c *cli.Context) error {
	switch {
	case c.Bool("version"):
		return printVersion(c.App.Writer, readVersion(), false)
	case c.Args().Present():
		return noSuchCommand(c.App.Commands, c.Args().First())
	}
	cli.HelpPrinter(c.App.ErrWriter, appHelp, c.App)
	return errTold{exitUsage}
}

// inContext adds the command's name to the errors of its action: they are read alone, in a journal.
func inContext(action cli.ActionFunc) cli.ActionFunc {
	return func(c *cli.Context) error {
		err := action(c)
		if _, told := errors.AsType[errTold](err); err == nil || told {
			return err
		}
		return fmt.Errorf("%s: %w", c.Command.Name, err)
	}
}

// errTold ends the program with a code when everything there is to say has been said.
type errTold struct{ code int }

func (e errTold) Error() string { return fmt.Sprintf("exit code %d", e.code) }

// report prints what went wrong, if that has not been done, and chooses the exit code.
func report(stderr io.Writer, err error) int {
	if err == nil {
		return exitOK
	}
	if told, ok := errors.AsType[errTold](err); ok {
		return told.code
	}
	fmt.Fprintf(stderr, "sluice: %s\n", err)
	if usage, ok := errors.AsType[*usageError](err); ok {
		fmt.Fprintln(stderr, usage.hint())
		return exitUsage
	}
	return exitFailed
}
