//go:build linux

package main

import (
	"fmt"
	"io"
	"math"
	"strings"
)

// table is rows of cells under a heading, written as Markdown, which a terminal reader can read as well.
type table struct {
	head []string
	rows [][]string
	left bool // every column is text
}

func (t *table) add(cells ...string) { t.rows = append(t.rows, cells) }

// write sets the columns in line. The first is text, the others are numbers and stand to the right.
func (t *table) write(w io.Writer) {
	width := make([]int, len(t.head))
	for _, r := range append([][]string{t.head}, t.rows...) {
		for i, c := range r {
			width[i] = max(width[i], len([]rune(c)))
		}
	}
	line := func(r []string) {
		for i, c := range r {
			pad := strings.Repeat(" ", width[i]-len([]rune(c)))
			if i == 0 || t.left {
				fmt.Fprintf(w, "| %s%s ", c, pad)
			} else {
				fmt.Fprintf(w, "| %s%s ", pad, c)
			}
		}
		fmt.Fprintln(w, "|")
	}
	line(t.head)
	for i := range t.head {
		if i == 0 || t.left {
			fmt.Fprintf(w, "|%s", strings.Repeat("-", width[i]+2))
		} else {
			fmt.Fprintf(w, "|%s:", strings.Repeat("-", width[i]+1))
		}
	}
	fmt.Fprintln(w, "|")
	for _, r := range t.rows {
		line(r)
	}
}

// number shows x with three digits that mean something.
func number(x float64) string {
	switch a := math.Abs(x); {
	case math.IsNaN(x):
		return "-"
	case a >= 100:
		return fmt.Sprintf("%.0f", x)
	case a >= 10:
		return fmt.Sprintf("%.1f", x)
	case a >= 1:
		return fmt.Sprintf("%.2f", x)
	}
	return fmt.Sprintf("%.3f", x)
}

// ranged shows a median with its extremes.
func ranged(s spread) string {
	if math.IsNaN(s.Median) {
		return "-"
	}
	return fmt.Sprintf("%s (%s to %s)", number(s.Median), number(s.Min), number(s.Max))
}

// table shows what was found: a row for each peer. The figure that counts comes with its extremes and with the ratio of the base to
// the peer, the others as medians.
func (f findings) table() *table {
	figs := f.scenario.figures
	t := &table{head: []string{"peer", fmt.Sprintf("%s, %s", figs[0].title, figs[0].unit), f.base + " to it"}}
	for _, fig := range figs[1:] {
		t.head = append(t.head, fmt.Sprintf("%s, %s", fig.title, fig.unit))
	}
	for _, p := range f.peers {
		fig := figs[0]
		if p == "direct" {
			fig.added = false // there is nothing to take off: shown as it is
		}
		cells := []string{p, ranged(spreadOf(f.values(p, fig))), "-"}
		if p == "direct" && figs[0].added {
			cells[1] += " *"
		} else if p != f.base {
			cells[2] = ranged(f.ratio(p, figs[0]))
		}
		for _, fig := range figs[1:] {
			fig.added = fig.added && p != "direct"
			cells = append(cells, number(spreadOf(f.values(p, fig)).Median))
		}
		t.add(cells...)
	}
	return t
}
