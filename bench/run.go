//go:build linux

package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"time"
)

// measureAll runs every scenario in interleaved rounds, shows what it finds, and writes it down if told to. A scenario in which
// a session failed does not keep the others from being measured, but makes the whole run an error.
func measureAll(ctx context.Context, o options, w io.Writer) error {
	c, err := openClock(o.own)
	if err != nil {
		return err
	}
	defer c.close()
	run := factsOf(o, c.cpus)
	var failed []error
	for _, s := range o.scenarios {
		fmt.Fprintf(w, "\n%s (%s)\n", s.title, s.name)
		if err := measureOne(ctx, c, s, run, o, w); err != nil {
			fmt.Fprintln(w, "FAILED:", err)
			failed = append(failed, err)
		}
		if ctx.Err() != nil {
			break
		}
	}
	if o.out != "" {
		failed = append(failed, report(o.out, o.base))
	}
	return errors.Join(failed...)
}

// measureOne measures one scenario, shows what it finds, and saves it. What an earlier run has saved is removed first, so that a
// scenario that fails has no results.
func measureOne(ctx context.Context, c *clock, s scenario, run facts, o options, w io.Writer) error {
	if o.out != "" {
		if err := forget(o.out, s.name); err != nil {
			return err
		}
	}
	who := takePart(s, o.peers, o.base)
	samples, err := measureScenario(ctx, c, s, who, o, w)
	if err != nil {
		return err
	}
	f := find(s, names(who), o.base, samples)
	printFindings(w, f)
	if o.out == "" {
		return nil
	}
	return resultsOf(f, run).save(o.out)
}

// takePart returns the peers of a scenario: those that can and are installed, and the base once more if it is to be held
// against itself.
func takePart(s scenario, all []peer, base string) []peer {
	var who []peer
	for _, p := range all {
		if s.includes(p) && p.installed() {
			who = append(who, p)
		}
	}
	twice := base + "#2"
	i := slices.IndexFunc(who, func(p peer) bool { return p.name == base })
	if s.twice && i >= 0 && len(who) > 2 && !slices.ContainsFunc(who, func(p peer) bool { return p.name == twice }) {
		again := who[i]
		again.name = twice
		who = slices.Insert(who, i+1, again)
	}
	return who
}

// measureScenario lets every peer do s in every round, in an order that is drawn anew for each (the same in every run): slow changes
// of the machine, and what one peer leaves behind for the next, meet all of them.
func measureScenario(ctx context.Context, c *clock, s scenario, who []peer, o options, w io.Writer) ([]sample, error) {
	var samples []sample
	for round := range o.rounds {
		for _, i := range rand.New(rand.NewPCG(uint64(round), 0)).Perm(len(who)) {
			p := who[i]
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			spec := bedSpec{
				clock: c,
				peer:  p,
				site:  site{mode: s.mode, bulk: s.bulk, checks: !s.quiet, watch: s.watch && !p.blind, blind: p.blind},
				count: s.memory,
				seed:  uint64(round + 1),
				scale: o.scale,
			}
			got, err := measureQuietly(ctx, spec, s, o, w)
			if err != nil {
				return nil, fmt.Errorf("%s, %s, round %d: %w", s.name, p.name, round+1, err)
			}
			got.Peer, got.Round = p.name, round
			samples = append(samples, got)
			printSample(w, s, got)
			time.Sleep(cooling)
		}
	}
	return samples, nil
}

// measureQuietly measures, and does so again if others used the machine meanwhile, or its hypervisor took it away: what was measured is thrown away then, also if
// a rate was not kept. On a machine that never is quiet the last attempt counts, unless its rate was not kept. A session that failed is an
// error at once.
func measureQuietly(ctx context.Context, spec bedSpec, s scenario, o options, w io.Writer) (sample, error) {
	for try := 1; ; try++ {
		var got sample
		err := inBed(spec, func(b *bed) (err error) {
			got, err = s.run(b)
			return err
		})
		used := got.Spent
		slow, isSlow := errors.AsType[notKept](err)
		if isSlow {
			used = slow.spent
		}
		noisy := !o.own && used.Wall > 0 && (100*used.others() > o.others || 100*used.share(used.Steal) > o.stolen)
		if err != nil && !isSlow || !noisy && !(isSlow && o.own) || try == attempts || ctx.Err() != nil {
			return got, err
		}
		fmt.Fprintf(w, "  again: others took %.0f %% of the machine, the hypervisor %.0f %%\n", 100*used.others(), 100*used.share(used.Steal))
		time.Sleep(time.Second)
	}
}

// attempts is how often a measurement is made before a machine that is not quiet is taken as it is.
const attempts = 4

// cooling is time for the kernel to clear away a namespace and its sockets.
const cooling = 200 * time.Millisecond

// printSample shows a measurement as it comes: what tells whether the machine was quiet enough is here too.
func printSample(w io.Writer, s scenario, x sample) {
	fmt.Fprintf(w, "  round %d  %-14s", x.Round+1, x.Peer)
	for _, f := range s.figures {
		fmt.Fprintf(w, " %8s %-8s", number(x.Figures[f.key]), strings.Fields(f.title)[0]+"/"+f.unit)
	}
	fmt.Fprintf(w, "  busy %3.0f%%, others %.1f%%, stolen %.1f%%, %.1f s\n", 100*x.Spent.share(x.Spent.Busy), 100*x.Spent.others(),
		100*x.Spent.share(x.Spent.Steal), x.Spent.Wall.Seconds())
}

// printFindings shows what was found, and whether it is what was asked for.
func printFindings(w io.Writer, f findings) {
	fmt.Fprintln(w)
	f.table().write(w)
	for _, v := range f.verdicts() {
		if v.known {
			fmt.Fprintln(w, v)
		}
	}
}

// names lists what peers are called.
func names(list []peer) []string {
	var out []string
	for _, p := range list {
		out = append(out, p.name)
	}
	return out
}
