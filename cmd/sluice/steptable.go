package main

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/schollz/progressbar/v3"
	"github.com/sluicelb/sluice/cmd/internal/verify"
	"golang.org/x/term"
)

// stepTable prints steps as the rows of a table, each when it has ended. On a terminal the step that
// runs has a row too, with a bar if bytes move; it is overwritten. A stepTable is used by one Run, and
// progress by all that move its bytes.
type stepTable struct {
	w     io.Writer
	width int // of the terminal; 0: it is none

	mu   sync.Mutex // guards the fields below
	name string     // of the step that runs, "" between steps
	done int64
	bar  *progressbar.ProgressBar // nil until bytes move
}

func newStepTable(w io.Writer) *stepTable {
	return &stepTable{w: w, width: terminalWidth(w)}
}

// The columns: name, result, time, detail.
const (
	row      = "%-16s%-9s%9s  %s\n"
	detailAt = 16 + 9 + 9 + 2
)

// clearLine moves to the beginning of the line and empties it (ECMA-48: CR, EL).
const clearLine = "\r\x1b[K"

func (t *stepTable) head(o verify.Options) {
	fmt.Fprintf(t.w, "verify %s\n\n", o.URL)
	fmt.Fprintf(t.w, row, "STEP", "RESULT", "TIME", "WHAT WAS SEEN")
}

func (t *stepTable) begin(name string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.name = name
	if t.width > 0 {
		fmt.Fprintf(t.w, "%-16s…", name)
	}
}

func (t *stepTable) progress(done, total int64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.width == 0 || t.name == "" || done < t.done { // late, of a part that failed or was overtaken
		return
	}
	t.done = done
	if t.bar == nil {
		t.bar = progressbar.NewOptions64(total,
			progressbar.OptionSetWriter(t.w), progressbar.OptionSetDescription(fmt.Sprintf("%-16s", t.name)),
			progressbar.OptionShowBytes(true), progressbar.OptionShowCount(), progressbar.OptionUseIECUnits(true),
			progressbar.OptionSetWidth(min(30, t.width-55)), // name, percentage, bytes and rate take the rest
			progressbar.OptionThrottle(100*time.Millisecond), progressbar.OptionSetElapsedTime(false))
	}
	t.bar.Set64(done)
}

func (t *stepTable) end(s verify.Step) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.width > 0 {
		fmt.Fprint(t.w, clearLine)
	}
	t.name, t.done, t.bar = "", 0, nil
	result, took := string(s.Status), ""
	switch s.Status {
	case verify.Passed:
		result, took = "ok", t.took(s.Took)
	case verify.Failed:
		result, took = "FAILED", t.took(s.Took)
	}
	fmt.Fprintf(t.w, row, s.Name, result, took, t.fold(s.Detail))
	if s.Advice != "" {
		fmt.Fprintf(t.w, "%s%s\n", strings.Repeat(" ", detailAt), t.fold(s.Advice))
	}
}

// took rounds a time to what matters.
func (t *stepTable) took(d time.Duration) string {
	if d < time.Second {
		return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

// fold breaks a text into lines that fit into the last column.
func (t *stepTable) fold(text string) string { return fold(text, t.width, detailAt) }

// fold breaks a text into lines for a column that begins at indent, on a terminal of that width (0: it is none).
func fold(text string, terminal, indent int) string {
	width := max(terminal, 110) - indent
	if terminal > 0 {
		width = max(terminal-indent, 30)
	}
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(text) {
		if line != "" && len(line)+1+len(word) > width {
			lines, line = append(lines, line), ""
		}
		line = strings.TrimLeft(line+" "+word, " ")
	}
	return strings.Join(append(lines, line), "\n"+strings.Repeat(" ", indent))
}

// terminalWidth is that of the terminal that w is, 0 if it is none. On a narrower one than 60 it is untidy.
func terminalWidth(w io.Writer) int {
	if f, ok := w.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		if width, _, err := term.GetSize(int(f.Fd())); err == nil {
			return max(width, 60)
		}
	}
	return 0
}

// sum is the last word.
func (t *stepTable) sum(r *verify.Report) error {
	passed, failed, skipped := r.With(verify.Passed), r.With(verify.Failed), r.With(verify.Skipped)
	line := fmt.Sprintf("%d passed", len(passed))
	if len(failed) > 0 {
		line += fmt.Sprintf(", %d FAILED (%s)", len(failed), namesOf(failed))
	}
	if len(skipped) > 0 {
		line += fmt.Sprintf(", %d skipped (%s)", len(skipped), namesOf(skipped))
	}
	_, err := fmt.Fprintf(t.w, "\n%s\n", line)
	return err
}

func namesOf(steps []verify.Step) string {
	var names []string
	for _, s := range steps {
		names = append(names, s.Name)
	}
	return strings.Join(names, ", ")
}
