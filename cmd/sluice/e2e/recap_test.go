//go:build e2e && linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
	"testing"
)

const (
	recapSaid  = 8   // how often one test is heard again: what it said last, which is why it ended
	recapEach  = 4   // lines of what it said each time: the ends of logs can be long
	recapAll   = 50  // lines of all tests together: CI shows the end of what this prints
	recapWidth = 300 // bytes of a line
)

// A recap passes on what the tests print and repeats, at the very end, what those that failed had to say.
// Without it that is far up: the testing package prints the verdicts of a tree of tests when the whole tree
// is done.
type recap struct {
	stdout *os.File // where everything goes
	pipe   *os.File // what os.Stdout is meanwhile
	done   chan struct{}

	// Of the goroutine that reads, until done is closed.
	said   map[string][][]string // by test: lines, of each time
	failed []string              // tests, in the order of their verdicts
}

// startRecap puts a recap in the place of os.Stdout. The caller finishes it.
func startRecap() (*recap, error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	r := &recap{stdout: os.Stdout, pipe: to, done: make(chan struct{}), said: map[string][][]string{}}
	os.Stdout = to
	go func() {
		defer close(r.done)
		r.read(from, r.stdout)
	}()
	return r, nil
}

// finish gives os.Stdout back and repeats what matters.
func (r *recap) finish() {
	os.Stdout = r.stdout
	r.pipe.Close()
	<-r.done
	r.repeat(r.stdout)
}

// read passes on everything that tests print, line by line: what begins with white space is of the test that
// was named last.
func (r *recap) read(from io.Reader, to io.Writer) {
	lines := bufio.NewReader(from)
	test := ""
	for {
		line, err := lines.ReadString('\n')
		fmt.Fprint(to, line)
		if err != nil {
			return
		}
		words := strings.Fields(line)
		switch {
		case len(words) >= 3 && words[0] == "===": // RUN, NAME, PAUSE, CONT
			test = words[2]
		case len(words) >= 3 && words[0] == "---":
			if test = words[2]; words[1] == "FAIL:" {
				r.failed = append(r.failed, test)
			}
		case len(words) > 1 && strings.Contains(words[0], "_test.go:"): // a message begins with its place
			r.said[test] = append(r.said[test], []string{line})
		case strings.HasPrefix(line, "    ") && len(r.said[test]) > 0:
			last := &r.said[test][len(r.said[test])-1]
			*last = append(*last, line)
		}
	}
}

// repeat prints the end of what each failed test said.
func (r *recap) repeat(to io.Writer) {
	left := recapAll
	for _, test := range r.failed {
		said := r.said[test]
		said = said[max(0, len(said)-recapSaid):]
		if len(said) == 0 { // it failed because a part of it did
			continue
		}
		lines := []string{fmt.Sprintf("=== FAILED %s, which said at the end:", test)}
		for _, once := range said {
			lines = append(lines, once[:min(len(once), recapEach)]...)
		}
		for _, line := range lines[:min(len(lines), left)] {
			line = strings.TrimRight(line, "\n")
			fmt.Fprintln(to, line[:min(len(line), recapWidth)])
			left--
		}
	}
}

func TestRecap(t *testing.T) {
	r := recap{said: map[string][][]string{}}
	r.read(strings.NewReader(`=== RUN   TestA
=== RUN   TestA/x
    a_test.go:1: one
        more of one
        more
        more
        too much
    a_test.go:2: two
=== RUN   TestA/y
    a_test.go:3: nobody needs this
--- FAIL: TestA (1.00s)
    --- FAIL: TestA/x (0.50s)
    --- PASS: TestA/y (0.50s)
`), io.Discard)
	var got strings.Builder
	r.repeat(&got)
	want := `=== FAILED TestA/x, which said at the end:
    a_test.go:1: one
        more of one
        more
        more
    a_test.go:2: two
`
	if got.String() != want {
		t.Errorf("got\n%s\nwant\n%s", got.String(), want)
	}
}
