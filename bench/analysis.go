//go:build linux

package main

import (
	"fmt"
	"math"
	"slices"
)

// findings are the samples of one scenario, in order: what tables, bars and plots are made from.
type findings struct {
	scenario scenario
	peers    []string            // in the order of peers()
	samples  map[string][]sample // by peer, in the order of rounds
	base     string              // the peer whose ratio to the others is shown: sluice
	merged   map[string]*hist    // latencies read back from a file, where samples have none
}

// find sorts samples of one scenario. Peers come in the order given.
func find(s scenario, order []string, base string, samples []sample) findings {
	f := findings{scenario: s, base: base, samples: map[string][]sample{}}
	for _, x := range samples {
		f.samples[x.Peer] = append(f.samples[x.Peer], x)
	}
	for _, p := range order {
		if len(f.samples[p]) > 0 {
			f.peers = append(f.peers, p)
		}
	}
	return f
}

// values returns one figure of a peer, a value for each round; with added, less what direct had in that round.
func (f findings) values(peer string, fig figure) []float64 {
	var v []float64
	for i, s := range f.samples[peer] {
		x, ok := s.Figures[fig.key]
		if !ok {
			return nil
		}
		if fig.added {
			direct := f.samples["direct"]
			if i >= len(direct) {
				return nil
			}
			x -= direct[i].Figures[fig.key]
		}
		v = append(v, x)
	}
	return v
}

// ratio compares the base with a peer, round by round.
func (f findings) ratio(peer string, fig figure) spread {
	return spreadOf(ratios(f.values(f.base, fig), f.values(peer, fig)))
}

// best returns the member of a family with the lowest median, of haproxy and nginx together for "best"; "" if none was measured.
func (f findings) best(fam string, fig figure) string {
	best, low := "", math.Inf(1)
	for _, p := range f.peers {
		member := p == fam || family(p) == fam || fam == "best" && slices.Contains([]string{"haproxy", "nginx"}, family(p))
		if !member || p == f.base+"#2" {
			continue
		}
		if m := spreadOf(f.values(p, fig)).Median; m < low {
			best, low = p, m
		}
	}
	return best
}

// latency returns all latencies of a peer, of every round.
func (f findings) latency(peer string) *hist {
	if h := f.merged[peer]; h != nil {
		return h
	}
	var h hist
	for _, s := range f.samples[peer] {
		if s.Latency != nil {
			h.merge(s.Latency)
		}
	}
	return &h
}

// verdict is a bar held against what was found.
type verdict struct {
	bar      bar
	scenario string
	figure   figure
	against  string // the peer that was the better of its family, or whatever the ratio is to
	ratio    spread
	known    bool // both were measured
	met      bool
}

// holds reports whether x is what the bar asks for.
func (b bar) holds(x float64) bool {
	switch {
	case b.least > 0:
		return x >= b.least
	case b.below:
		return x < b.most
	}
	return x <= b.most
}

// verdicts holds every bar of the scenario against the findings.
func (f findings) verdicts() []verdict {
	var out []verdict
	for _, b := range f.scenario.bars {
		v := verdict{bar: b, scenario: f.scenario.name, figure: f.scenario.figure(b.figure)}
		switch {
		case b.value:
			v.ratio = spreadOf(f.values(f.base, v.figure))
		case b.over != "":
			v.against = f.scenario.figure(b.over).title
			v.ratio = spreadOf(ratios(f.values(f.base, v.figure), f.values(f.base, f.scenario.figure(b.over))))
		default:
			v.against = f.best(b.peer, v.figure)
			v.ratio = f.ratio(v.against, v.figure)
		}
		v.known = !math.IsNaN(v.ratio.Median)
		v.met = v.known && b.holds(v.ratio.Median)
		out = append(out, v)
	}
	return out
}

// String is a line for a terminal: the bar, what was found, and the verdict.
func (v verdict) String() string {
	c := v.cells()
	word := "NOT MET"
	if v.met {
		word = "met"
	}
	return fmt.Sprintf("%s: %s: %s %s: %s", word, c[0], c[1], c[2], c[3])
}
