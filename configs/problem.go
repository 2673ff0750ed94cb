package configs

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing about a configuration file that its author should know.
type Problem struct {
	Pos     Position // of the value that is wrong, or of the key if that is; of the table if a key is missing
	Warning bool     // the file can be used all the same
	Key     string   // listener[1].route[0].pool, counted from 0; "" if it is about the file
	Owner   string   // whose key that is, by name, if it has one: listener "s3"
	What    string   // what is wrong
	Right   string   // what would be right
}

// String is the problem on one line, in the form that editors and compilers understand:
//
//	FILE:LINE:COL: error: KEY (OWNER): what is wrong; what would be right
func (p Problem) String() string {
	var b strings.Builder
	if p.Pos != (Position{}) {
		b.WriteString(p.Pos.String() + ": ")
	}
	if p.Warning {
		b.WriteString("warning: ")
	} else {
		b.WriteString("error: ")
	}
	if p.Key != "" {
		b.WriteString(p.Key)
		if p.Owner != "" {
			b.WriteString(" (" + p.Owner + ")")
		}
		b.WriteString(": ")
	}
	b.WriteString(p.What)
	if p.Right != "" {
		b.WriteString("; " + p.Right)
	}
	return b.String()
}

// Report is everything that [Load] has to say about a file, in the order of the file. It is an error
// that prints one problem a line; use [Report.Err] to find out whether it is one.
type Report struct {
	Problems []Problem
}

// Err returns the report if it holds an error, and nil if it holds nothing but warnings.
func (r *Report) Err() error {
	if len(r.Errors()) == 0 {
		return nil
	}
	return r
}

// Error prints the errors, one a line, without the warnings.
func (r *Report) Error() string {
	var lines []string
	for _, p := range r.Errors() {
		lines = append(lines, p.String())
	}
	return strings.Join(lines, "\n")
}

// Errors returns the problems that keep the file from being used.
func (r *Report) Errors() []Problem { return r.where(false) }

// Warnings returns the problems that do not.
func (r *Report) Warnings() []Problem { return r.where(true) }

func (r *Report) where(warning bool) (found []Problem) {
	for _, p := range r.Problems {
		if p.Warning == warning {
			found = append(found, p)
		}
	}
	return found
}

func (r *Report) sort() {
	slices.SortStableFunc(r.Problems, func(a, b Problem) int {
		return cmp.Or(cmp.Compare(a.Pos.Line, b.Pos.Line), cmp.Compare(a.Pos.Col, b.Pos.Col),
			cmp.Compare(a.Key, b.Key), cmp.Compare(a.What, b.What))
	})
}

// suggest says what word may have been meant for, given what could have been written.
func suggest(word string, have []string) string {
	if best, ok := closest(word, have); ok {
		return fmt.Sprintf("did you mean %q?", best)
	}
	if len(have) == 0 {
		return ""
	}
	return "have " + list(have)
}

// oneOf is suggest for values of a fixed set. What is short, such as "1.1", is no slip.
func oneOf(word string, have []string) string {
	if best, ok := closest(word, have); ok && (len(word) > 3 || strings.EqualFold(word, best)) {
		return fmt.Sprintf("did you mean %q?", best)
	}
	quoted := make([]string, len(have))
	for i, h := range have {
		quoted[i] = fmt.Sprintf("%q", h)
	}
	return "one of " + strings.Join(quoted, ", ")
}

// list joins names for a message, the first 16 of them.
func list(names []string) string {
	const most = 16
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most], ", "), len(names)-most)
}
