//go:build linux

package main

import (
	"context"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// measureAll runs every scenario in interleaved rounds and reports.
func measureAll(ctx context.Context, o options, w io.Writer) error {
	c, err := openClock(o.own)
	if err != nil {
		return err
	}
	defer c.close()
	var all []sample
	for _, s := range o.scenarios {
		fmt.Fprintf(w, "\n%s (%s)\n", s.title, s.name)
		samples, err := measureScenario(ctx, c, s, o, w)
		if err != nil {
			return err
		}
		all = append(all, samples...)
		printScenario(w, find(s, names(o.peers), o.base, samples))
	}
	return nil
}

// measureScenario lets every peer do s in every round. The order turns by one from round to round: a peer has another before
// it each time, and slow changes of the machine meet all of them.
func measureScenario(ctx context.Context, c *clock, s scenario, o options, w io.Writer) ([]sample, error) {
	var who []peer
	for _, p := range o.peers {
		if !p.can(s.mode) || s.peers != nil && !slices.Contains(s.peers, p.name) {
			continue
		}
		if p.binary != "" {
			if _, err := exec.LookPath(p.binary); err != nil {
				fmt.Fprintf(w, "  %s: not measured: %v\n", p.name, err)
				continue
			}
		}
		who = append(who, p)
	}
	var samples []sample
	for round := range o.rounds {
		for i := range who {
			p := who[(i+round)%len(who)]
			if err := ctx.Err(); err != nil {
				return nil, err
			}
			var got sample
			err := inBed(bedSpec{clock: c, peer: p, site: site{mode: s.mode, bulk: s.bulk, checks: !s.idle}, seed: uint64(round + 1), scale: o.scale}, func(b *bed) (err error) {
				got, err = s.run(b)
				return err
			})
			if err != nil {
				return nil, fmt.Errorf("%s, %s, round %d: %w", s.name, p.name, round+1, err)
			}
			got.Scenario, got.Peer, got.Round = s.name, p.name, round
			samples = append(samples, got)
			printSample(w, s, got, c.cpus)
			time.Sleep(200 * time.Millisecond)
		}
	}
	return samples, nil
}

// printSample shows a measurement as it comes: what tells whether the machine was quiet enough is here too.
func printSample(w io.Writer, s scenario, x sample, cpus int) {
	fmt.Fprintf(w, "  round %d  %-14s", x.Round+1, x.Peer)
	for _, f := range s.figures {
		fmt.Fprintf(w, " %8s %-8s", number(x.Figures[f.key]), strings.Fields(f.title)[0]+"/"+f.unit)
	}
	fmt.Fprintf(w, "  busy %3.0f%%, others %.1f%%, stolen %.1f%%, %.1f s\n", 100*x.Spent.share(x.Spent.Busy, cpus), 100*x.Spent.others(cpus),
		100*x.Spent.share(x.Spent.Steal, cpus), x.Spent.Wall.Seconds())
}

// printScenario shows what was found, and whether it is what was asked for.
func printScenario(w io.Writer, f findings) {
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

func absolute(path string) (string, error) { return filepath.Abs(path) }
