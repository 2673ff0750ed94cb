//go:build linux

// Command bench measures Sluice against its peers, as a black box. It imports no package of Sluice.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"text/tabwriter"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	os.Exit(run(ctx, os.Args[1:], os.Stdin, os.Stdout, os.Stderr))
}

// run is main with its surroundings passed in. It returns the exit code.
func run(ctx context.Context, args []string, stdin io.Reader, stdout, stderr io.Writer) int {
	err := dispatch(ctx, args, stdin, stdout)
	switch {
	case err == nil || errors.Is(err, flag.ErrHelp):
		return 0
	case errors.Is(err, errUsage):
		fmt.Fprintln(stderr, "bench:", err)
		return 2
	}
	fmt.Fprintln(stderr, "bench:", err)
	return 1
}

const usageText = `bench measures Sluice against its peers: HAProxy, nginx, plain Go, and nobody at all (direct).

What counts is the time the whole machine is busy for one unit of work, less what the same work takes without a
balancer ("added"). Every measurement starts its own nodes, peer and load; the peers take turns within each round.
README.md in this folder says how and why.

    bench -list                                         what there is
    bench -scenario short                               one scenario, every peer that is installed
    bench -scenario short,reqresp -peers direct,sluice,haproxy-1 -rounds 3
    bench -scenario short -peers direct,haproxy-1,haproxy-1 -base haproxy-1
                                                        a peer against itself: how far figures can be trusted
    bench -out bench                                    everything, into RESULTS.md, results/ and plots/

A scenario that adds to direct needs direct among its peers. A session that fails, or a rate that is not kept, ends
the benchmark with exit code 1. Run it as root: then each measurement has a network namespace of its own, memory is
counted by cgroup, and others at work on the machine are seen.

Flags:
`

var errUsage = errors.New("wrong use")

func dispatch(ctx context.Context, args []string, stdin io.Reader, stdout io.Writer) error {
	if len(args) > 0 {
		switch args[0] {
		case cmdNode, cmdLoad:
			runtime.LockOSThread()
			return runChild(args[0], stdin, stdout)
		case cmdIOCopy:
			return runIOCopy(args[1:])
		case cmdExec:
			return runExec(args[1:])
		}
	}
	o, err := parseOptions(args, stdout)
	if err != nil {
		return err
	}
	if o.list {
		return printList(o, stdout)
	}
	if o.report {
		return report(o.out, o.base)
	}
	return measureAll(ctx, o, stdout)
}

// options are what the command line says.
type options struct {
	scenarios []scenario
	peers     []peer
	rounds    int
	scale     float64
	out       string
	base      string
	own       bool
	others    float64
	stolen    float64
	report    bool
	list      bool
	args      []string
}

func parseOptions(args []string, stdout io.Writer) (options, error) {
	o := options{args: args}
	var names, who, sluice string
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stdout)
	f.StringVar(&names, "scenario", "", "comma-separated `names` of scenarios, or prefixes with a trailing *; all when empty")
	f.StringVar(&who, "peers", "", "comma-separated `names` of peers; haproxy stands for haproxy-1 and haproxy-2; all that are installed when empty")
	f.IntVar(&o.rounds, "rounds", 5, "how often every peer does every scenario")
	f.Float64Var(&o.scale, "scale", 1, "share of the work of a scenario, for a quick look")
	f.StringVar(&sluice, "sluice", "bin/sluice", "the `binary` to measure")
	f.StringVar(&o.out, "out", "", "`directory` to write results into (RESULTS.md, results/, plots/); none when empty")
	f.StringVar(&o.base, "base", "sluice", "the `peer` whose ratio to the others is shown")
	f.BoolVar(&o.own, "own", false, "count the processor time of the benchmark's own processes instead of the machine's: for a machine that others use")
	f.Float64Var(&o.others, "others", 5, "measure again when others took more than so many `percent` of the machine meanwhile")
	f.Float64Var(&o.stolen, "stolen", 5, "the same when the hypervisor took so many `percent` of it")
	f.BoolVar(&o.report, "report", false, "measure nothing: make RESULTS.md and plots again from what is in -out")
	f.BoolVar(&o.list, "list", false, "list scenarios and peers, and stop")
	f.Usage = func() {
		fmt.Fprint(stdout, usageText)
		f.PrintDefaults()
	}
	if err := f.Parse(args); err != nil {
		if errors.Is(err, flag.ErrHelp) {
			return o, err
		}
		return o, fmt.Errorf("%w: %w", errUsage, err)
	}
	if f.NArg() > 0 {
		return o, fmt.Errorf("%w: %q is not a flag; see -help", errUsage, f.Arg(0))
	}
	if path, err := exec.LookPath(sluice); err == nil {
		sluice, _ = filepath.Abs(path)
	}
	var err error
	if o.scenarios, err = choose(scenarios(), func(s scenario) string { return s.name }, names); err != nil {
		return o, fmt.Errorf("%w: -scenario: %w", errUsage, err)
	}
	if o.peers, err = choose(peers(sluice), func(p peer) string { return p.name }, who); err != nil {
		return o, fmt.Errorf("%w: -peers: %w", errUsage, err)
	}
	again(o.peers)
	if o.rounds < 1 || o.scale <= 0 {
		return o, fmt.Errorf("%w: -rounds is at least 1 and -scale above 0", errUsage)
	}
	return o, nil
}

// choose returns the items whose name, or family, is among the comma-separated ones; all when there are none.
func choose[T any](all []T, name func(T) string, wanted string) ([]T, error) {
	if wanted == "" {
		return all, nil
	}
	var out []T
	for w := range strings.SplitSeq(wanted, ",") {
		prefix, isPrefix := strings.CutSuffix(w, "*")
		n := len(out)
		for _, item := range all {
			have := name(item)
			if have == w || isPrefix && strings.HasPrefix(have, prefix) || family(have) == w && !slices.ContainsFunc(all, func(x T) bool { return name(x) == w }) {
				out = append(out, item)
			}
		}
		if len(out) == n {
			return nil, fmt.Errorf("no %q; see -list", w)
		}
	}
	return out, nil
}

// again renames peers that are chosen more than once, so that a peer can be measured against itself.
func again(list []peer) {
	for i := range list {
		for j := range i {
			if list[j].name == list[i].name {
				list[i].name += "#2"
			}
		}
	}
}

func printList(o options, w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "SCENARIO\tWHAT")
	for _, s := range o.scenarios {
		fmt.Fprintf(t, "%s\t%s\n", s.name, s.what)
	}
	fmt.Fprintln(t, "\nPEER\tWHAT")
	for _, p := range o.peers {
		what := p.what
		if !p.installed() {
			what += " (not installed)"
		}
		fmt.Fprintf(t, "%s\t%s\n", p.name, what)
	}
	return t.Flush()
}
