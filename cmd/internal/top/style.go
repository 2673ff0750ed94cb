package top

import (
	"strings"
	"unicode/utf8"
)

// A style is the parameter of SGR (ECMA-48 section 8.3.117). Colours are those that the person's terminal has
// for these names; where NO_COLOR is set the library leaves them out. Nothing is said by colour alone.
type style string

const (
	plain   style = ""
	bold    style = "1"
	faint   style = "2"
	reverse style = "7"
	red     style = "1;31"
	green   style = "32"
	yellow  style = "33"
	magenta style = "35"
	cyan    style = "36"
)

// A span is a text in one style. The text has no control characters in it.
type span struct {
	text  string
	style style
}

// A line is what one row of the screen shows. All its text is in characters of one column: what comes from
// outside is ASCII (see clean), and so is nearly all that does not.
type line []span

func text(s string) line { return line{{s, plain}} }

// dim is the same, all of it faint.
func (l line) dim() line {
	out := make(line, len(l))
	for i, s := range l {
		out[i] = span{s.text, faint}
	}
	return out
}

// under is the same, with the cursor on it over so many columns.
func (l line) under(width int) line {
	return line{{clip(l.String(), width), reverse}}
}

// String is the text alone.
func (l line) String() string {
	var b strings.Builder
	for _, s := range l {
		b.WriteString(s.text)
	}
	return b.String()
}

// render writes the line for the terminal, never wider than width.
func (l line) render(width int) string {
	var b strings.Builder
	for _, s := range l {
		n := utf8.RuneCountInString(s.text)
		if n > width {
			s.text, n = cut(s.text, width), width
		}
		width -= n
		if s.style == plain || s.text == "" {
			b.WriteString(s.text)
			continue
		}
		b.WriteString("\x1b[" + string(s.style) + "m" + s.text + "\x1b[m")
	}
	return b.String()
}

// clip makes a text exactly so wide: longer ones end in an ellipsis.
func clip(s string, width int) string {
	s = cut(s, width)
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// cut makes a text at most so wide.
func cut(s string, width int) string {
	if utf8.RuneCountInString(s) <= width {
		return s
	}
	if width < 1 {
		return ""
	}
	return string([]rune(s)[:width-1]) + "…"
}
