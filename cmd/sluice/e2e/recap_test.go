//go:build e2e && linux

package e2e

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"strings"
)

const (
	recapLines = 8   // shown again of one test; what it said last, which is why it ended
	recapAll   = 40  // of all tests together: CI shows the end of what this prints
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
	said   map[string][]string // by test
	failed []string            // tests, in the order of their verdicts
}

// startRecap puts a recap in the place of os.Stdout. The caller finishes it.
func startRecap() (*recap, error) {
	from, to, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	r := &recap{stdout: os.Stdout, pipe: to, done: make(chan struct{}), said: map[string][]string{}}
	os.Stdout = to
	go func() {
		defer close(r.done)
		r.read(from)
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

// read is everything that tests print, line by line: what begins with white space is of the test that was
// named last.
func (r *recap) read(from io.Reader) {
	lines := bufio.NewReader(from)
	test := ""
	for {
		line, err := lines.ReadString('\n')
		fmt.Fprint(r.stdout, line)
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
		case strings.HasPrefix(line, "    ") && len(words) > 0:
			r.said[test] = append(r.said[test], line)
		}
	}
}

// repeat prints the end of what each failed test said.
func (r *recap) repeat(to io.Writer) {
	left := recapAll
	for _, test := range r.failed {
		lines := r.said[test]
		lines = lines[max(0, len(lines)-recapLines):]
		if len(lines) == 0 || left < len(lines) {
			continue // failed because a part of it did, or too much failed
		}
		left -= len(lines)
		fmt.Fprintf(to, "=== FAILED %s, which said at the end:\n", test)
		for _, line := range lines {
			line = strings.TrimRight(line, "\n")
			fmt.Fprintln(to, line[:min(len(line), recapWidth)])
		}
	}
}
