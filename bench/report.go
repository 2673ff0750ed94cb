//go:build linux

package main

import (
	"bytes"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// report makes RESULTS.md and the plots from the files in dir/results.
func report(dir, base string) error {
	all, err := loadResults(dir)
	if err != nil {
		return err
	}
	var found []findings
	for _, r := range all {
		found = append(found, r.findings(base))
	}
	drawn, err := plots(filepath.Join(dir, "plots"), found)
	if err != nil {
		return err
	}
	var b bytes.Buffer
	writeReport(&b, all, found, drawn)
	return os.WriteFile(filepath.Join(dir, "RESULTS.md"), b.Bytes(), 0o644)
}

const preface = `# Results

How these figures came about, and what they do not say, is in [README.md](README.md). Each is the median of rounds in which all peers took turns,
with the lowest and the highest round. *Added* means: less what the same work costs without a balancer in the same round. A ratio is
Sluice's figure divided by the peer's, round by round; below 1, Sluice is the better. A peer that ran with one and with two threads
counts with the better of the two.

`

// writeReport writes the page. drawn are the names of the plots of each scenario.
func writeReport(w io.Writer, all []results, found []findings, drawn map[string][]string) {
	fmt.Fprint(w, preface)
	writeFacts(w, all)
	fmt.Fprint(w, "\n## What was asked for\n\n")
	bars := table{left: true, head: []string{"scenario", "figure", "asked for", "found", "met"}}
	for _, f := range found {
		for _, v := range f.verdicts() {
			bars.add(v.cells()...)
		}
	}
	bars.write(w)
	if slices.Contains(drawn[""], overview) {
		fmt.Fprintf(w, "\n![Sluice against the better of HAProxy and of nginx](plots/%s.svg)\n", overview)
	}
	for i, f := range found {
		fmt.Fprintf(w, "\n## %s\n\n`%s`: %s\n\n", f.scenario.title, f.scenario.name, f.scenario.what)
		f.table().write(w)
		if slices.Contains(f.peers, "direct") && slices.ContainsFunc(f.scenario.figures, func(x figure) bool { return x.added }) {
			fmt.Fprint(w, "\n\\* direct is shown in full, all others less direct.\n")
		}
		if all[i].Run.Date != all[0].Run.Date {
			fmt.Fprintf(w, "\nMeasured %s, %d rounds.\n", all[i].Run.Date.Format("2006-01-02 15:04 MST"), all[i].Run.Rounds)
		}
		for _, name := range drawn[f.scenario.name] {
			fmt.Fprintf(w, "\n![%s](plots/%s.svg)\n", f.scenario.title, name)
		}
	}
}

// writeFacts writes where and of what the figures are, and how quiet it was.
func writeFacts(w io.Writer, all []results) {
	run := all[0].Run
	fact := func(name, format string, args ...any) {
		fmt.Fprintf(w, "- %s: %s\n", name, fmt.Sprintf(format, args...))
	}
	fact("measured", "%s, `%s`, %d rounds", run.Date.Format("2006-01-02 15:04 MST"), run.Command, run.Rounds)
	fact("machine", "%s; Linux %s; at most %d open files", run.Machine, run.Kernel, run.Files)
	for _, name := range slices.Sorted(maps.Keys(run.Versions)) {
		fact(name, "%s", run.Versions[name])
	}
	fact("clients and nodes", "%s", run.Go)
	if run.Clock != "machine" {
		fact("**clock**", "processor time of the benchmark's own processes (-own), not of the machine")
	}
	if run.Scale != 1 {
		fact("**scale**", "%g of the usual work: a quick look", run.Scale)
	}
	var others, stolen []float64
	for _, r := range all {
		for _, s := range r.Samples {
			others = append(others, 100*s.Spent.others())
			stolen = append(stolen, 100*s.Spent.share(s.Spent.Steal))
		}
	}
	o, st := spreadOf(others), spreadOf(stolen)
	fact("others at work", "%s %% of the machine in the median measurement, %s %% in the worst", number(o.Median), number(o.Max))
	fact("stolen by a hypervisor", "%s %% in the median measurement, %s %% in the worst", number(st.Median), number(st.Max))
}

// cells is the verdict as a row of the table of bars.
func (v verdict) cells() []string {
	asked := "at most " + number(v.bar.most)
	switch {
	case v.bar.least > 0:
		asked = "at least " + number(v.bar.least)
	case v.bar.below:
		asked = "below " + number(v.bar.most)
	}
	met := "no"
	switch {
	case !v.known:
		met = "not measured"
	case v.met:
		met = "**yes**"
	}
	return []string{v.scenario, v.what(), asked, ranged(v.ratio), met}
}

// what names the figure, and what it is compared with.
func (v verdict) what() string {
	switch {
	case v.bar.value:
		return fmt.Sprintf("%s, %s", v.figure.title, v.figure.unit)
	case v.against == "":
		return fmt.Sprintf("%s, to %s", v.figure.title, v.bar.peer)
	}
	return fmt.Sprintf("%s, to %s", v.figure.title, strings.TrimSpace(v.against))
}
