package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

// A terminal is one of tmux, with a program in it.
type terminal struct {
	t      *testing.T
	socket string
}

// newTerminal runs a shell command in a terminal of a size, and ends both with the test.
func newTerminal(t *testing.T, width, height int, command string) *terminal {
	t.Helper()
	term := &terminal{t: t, socket: filepath.Join(t.TempDir(), "tmux")}
	term.tmux("-f", "/dev/null", "new-session", "-d", "-x", fmt.Sprint(width), "-y", fmt.Sprint(height), command)
	t.Cleanup(func() { exec.Command("tmux", "-S", term.socket, "kill-server").Run() })
	return term
}

func (term *terminal) tmux(args ...string) string {
	term.t.Helper()
	out, err := exec.Command("tmux", append([]string{"-S", term.socket}, args...)...).CombinedOutput()
	if err != nil {
		term.t.Fatalf("tmux %q: %v\n%s", args, err, out)
	}
	return string(out)
}

// keys presses keys, by tmux's names for them.
func (term *terminal) keys(keys ...string) {
	term.t.Helper()
	for _, k := range keys {
		term.tmux("send-keys", k)
	}
}

func (term *terminal) text() string { return term.tmux("capture-pane", "-p") }

// shows waits until all texts are on the terminal.
func (term *terminal) shows(texts ...string) {
	term.t.Helper()
	end := time.Now().Add(20 * time.Second)
	for _, want := range texts {
		for !strings.Contains(term.text(), want) {
			if time.Now().After(end) {
				term.t.Fatalf("the terminal never shows %q:\n%s", want, term.text())
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
}

// shellCommand is how a shell runs this program.
func shellCommand(env string, args ...string) string {
	quoted := make([]string, len(args))
	for i, a := range args {
		quoted[i] = "'" + a + "'"
	}
	return fmt.Sprintf("env %s=1 %s '%s' %s", asProgram, env, os.Args[0], strings.Join(quoted, " "))
}

// TestTop uses `sluice top` as a person at a terminal of 80 columns and 24 lines does, on a demo with 2,000
// sessions: looks, drains, kills, makes the window larger, loses the connection, leaves.
func TestTop(t *testing.T) {
	t.Parallel()
	need.Program(t, "tmux")
	demo, base := startDemo(t)
	demo.line(t, "ready")
	admin := fmt.Sprintf("127.0.0.1:%d", base+990)
	for range 2000 {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", base), 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
	}
	node := func(i, port int) string { return fmt.Sprintf("127.0.1.%d:%d", i, base+port) }

	term := newTerminal(t, 80, 24, shellCommand("", "top", "--admin", admin, "--interval", "500ms")+"; echo left with $?; sleep 100")
	term.shows("ready", "2,000 sessions", "1 Nodes", node(1, 0), node(2, 0), node(3, 0), node(4, 0), "q quit")
	for l := range strings.Lines(term.text()) {
		if n := len([]rune(strings.TrimRight(l, "\n"))); n > 80 {
			t.Errorf("a line of %d columns: %q", n, l)
		}
	}

	pulled := time.Now()
	io.WriteString(demo.stdin, "3\n")
	demo.line(t, "node 3 is unplugged")
	term.shows("DOWN", fmt.Sprintf("s3 %s is DOWN (connect: connection refused)", node(3, 0)))
	// The demo checks every second: three that fail in a row, the later ones at a faster pace.
	if took := time.Since(pulled); took > 4*time.Second {
		t.Errorf("a dead node was shown after %v", took)
	}
	io.WriteString(demo.stdin, "3\n")
	demo.line(t, "node 3 is plugged in")
	term.shows(fmt.Sprintf("s3 %s is up", node(3, 0)))

	term.keys("Down", "d")
	term.shows("Drain "+node(2, 0)+" of pool s3?", "Safe: the cluster keeps write quorum without it (write quorum 3).", "y drain", "in pool console, s3-tls, console-tls too")
	term.keys("a", "y")
	term.shows(fmt.Sprintf("s3 %s: ready -> drain", node(2, 0)), "up drain")
	term.keys("x")
	term.shows("sessions of "+node(2, 0), "see a reset")
	term.keys("y")
	term.shows("sessions of s3 " + node(2, 0) + " ended")
	drained := regexp.MustCompile(regexp.QuoteMeta(node(2, 0)) + ` +up drain +0 `)
	until(t, "the node is drained to zero", func() bool { return drained.MatchString(term.text()) })
	term.keys("r")
	term.shows("Put " + node(2, 0) + " of pool s3 back?")
	term.keys("y")
	term.shows(fmt.Sprintf("s3 %s: drain -> ready", node(2, 0)))

	term.keys("2")
	term.shows("oldest first", "CLIENT", "── session ")
	before := count(t, term.text())
	term.keys("x")
	term.shows("Kill session ")
	term.keys("y")
	until(t, "one session less", func() bool { return count(t, term.text()) == before-1 })
	term.keys("/", "nobody")
	term.shows("nothing has that in it")
	term.keys("Escape")
	term.shows("── session ")

	term.tmux("resize-window", "-x", "200", "-y", "50")
	term.keys("1")
	term.shows("P99", "CHECKED", "WHY")

	demo.signal(t, os.Kill)
	term.shows("CONNECTION LOST since ", node(1, 0))
	term.keys("q")
	term.shows("left with 0")
	if text := term.text(); strings.Contains(text, "Nodes") {
		t.Errorf("the screen stays when it is left:\n%s", text)
	}
}

// count is the number of sessions that the second line shows.
func count(t *testing.T, text string) int {
	t.Helper()
	m := regexp.MustCompile(`(?m)^([0-9,]+) sessions? \(room`).FindStringSubmatch(text)
	if m == nil {
		return -1
	}
	n := 0
	fmt.Sscan(strings.ReplaceAll(m[1], ",", ""), &n)
	return n
}

// TestTopNoColor: NO_COLOR is heeded, and what is under the cursor shows all the same.
func TestTopNoColor(t *testing.T) {
	t.Parallel()
	need.Program(t, "tmux")
	demo, base := startDemo(t)
	demo.line(t, "ready")
	admin := fmt.Sprintf("127.0.0.1:%d", base+990)
	for _, tt := range []struct {
		env     string
		colours bool
	}{{"NO_COLOR=yes", false}, {"NO_COLOR=", true}} {
		term := newTerminal(t, 80, 24, shellCommand(tt.env, "top", "--admin", admin))
		var styled string
		until(t, "all is drawn, and something reversed", func() bool {
			styled = term.tmux("capture-pane", "-p", "-e")
			return strings.Contains(styled, "q quit") && regexp.MustCompile(`\x1b\[(?:\d+;)*7m`).MatchString(styled)
		})
		if got := regexp.MustCompile(`\x1b\[(?:\d+;)*3[0-7]m`).MatchString(styled); got != tt.colours {
			t.Errorf("%s: colours %v, want %v:\n%q", tt.env, got, tt.colours, styled)
		}
	}
}

// TestTopPlain: without a terminal there is a table, once; without a Sluice there is an error.
func TestTopPlain(t *testing.T) {
	demo, base := startDemo(t)
	demo.line(t, "ready")
	admin := fmt.Sprintf("127.0.0.1:%d", base+990)
	code, stdout, stderr := sluice(t, "top", "--admin", admin)
	if code != exitOK || !strings.Contains(stdout, "POOL") || !strings.Contains(stdout, fmt.Sprintf("127.0.1.4:%d", base)) || strings.Contains(stdout, "\x1b") {
		t.Errorf("code %d, stdout:\n%s\nstderr:\n%s", code, stdout, stderr)
	}
	code, stdout, stderr = sluice(t, "top", "--json", "--admin", admin)
	if code != exitOK || !json.Valid([]byte(stdout)) || !strings.Contains(stdout, `"pools": [`) {
		t.Errorf("--json: code %d, stdout:\n%s\nstderr:\n%s", code, stdout, stderr)
	}
	code, _, stderr = sluice(t, "top", "--admin", "127.0.0.1:1")
	if code != exitFailed || !strings.Contains(stderr, "is Sluice running") {
		t.Errorf("without a Sluice: code %d, stderr %q", code, stderr)
	}
	code, _, stderr = sluice(t, "top", "--interval", "1ms")
	if code != exitUsage || !strings.Contains(stderr, "too short") {
		t.Errorf("--interval 1ms: code %d, stderr %q", code, stderr)
	}
}
