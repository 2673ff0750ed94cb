package top

import (
	"slices"
	"strings"
	"unicode/utf8"
)

// A column of a table.
type column struct {
	title string
	right bool // figures
	least int  // its width does not go below, so that figures that change do not move the others
	give  int  // the higher, the sooner it is left out where there is no room; 0: never
}

// A table is columns and the rows under them.
type table struct {
	columns []column
	rows    [][]span
}

// gap is between two columns.
const gap = "  "

// layout says how wide each column is; 0 is left out. Columns are as wide as what is in them. Where that is too
// much, those that give way are left out, and then the widest gets narrower; what remains goes to the last.
func (t *table) layout(width int) []int {
	widths := make([]int, len(t.columns))
	for i, c := range t.columns {
		widths[i] = max(c.least, utf8.RuneCountInString(c.title))
		for _, row := range t.rows {
			widths[i] = max(widths[i], utf8.RuneCountInString(row[i].text))
		}
	}
	for sum(widths) > width {
		worst := -1
		for i, c := range t.columns {
			if widths[i] > 0 && c.give > 0 && (worst < 0 || c.give >= t.columns[worst].give) {
				worst = i
			}
		}
		if worst < 0 {
			break
		}
		widths[worst] = 0
	}
	for over := sum(widths) - width; over > 0; over-- {
		widest := slices.Index(widths, slices.Max(widths))
		if widths[widest] <= 1 {
			break
		}
		widths[widest]--
	}
	for i := len(widths) - 1; i >= 0; i-- {
		if widths[i] > 0 {
			widths[i] += max(0, width-sum(widths))
			break
		}
	}
	return widths
}

// sum is how wide columns are with the gaps between them.
func sum(widths []int) (n int) {
	for _, w := range widths {
		if w > 0 {
			n += w + len(gap)
		}
	}
	return n - len(gap)
}

// head is the line of the titles.
func (t *table) head(widths []int) line {
	row := make([]span, len(t.columns))
	for i, c := range t.columns {
		row[i] = span{c.title, faint}
	}
	return t.line(row, widths)
}

// line is one row.
func (t *table) line(row []span, widths []int) (out line) {
	for i, w := range widths {
		if w == 0 {
			continue
		}
		if len(out) > 0 {
			out = append(out, span{gap, plain})
		}
		s := row[i]
		if t.columns[i].right {
			s.text = cut(s.text, w)
			s.text = strings.Repeat(" ", w-utf8.RuneCountInString(s.text)) + s.text
		} else {
			s.text = clip(s.text, w)
		}
		out = append(out, s)
	}
	return out
}
