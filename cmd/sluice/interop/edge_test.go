//go:build interop && linux

package interop

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// An edge is a bin/sluice that runs.
type edge struct {
	t       *testing.T
	process *cluster.Process
	config  string // its file
	at      map[string]string
	log     *logbook
}

// preamble is what no story has to say: no admin API unless it has one, since tests run beside each other and the API
// takes a port, and a log that can be read.
const (
	noAdmin = `
[admin]
listen = ""`
	preamble = `
[log]
format = "json"
`
)

// plainFront is a configuration with one listener and one node, and headerFront one whose clients announce themselves by
// PROXY header.
const (
	plainFront = `
[[listener]]
name    = "edge"
address = "127.0.0.1:0"
relay   = "{relay}"
pool    = "nodes"
[[pool]]
name  = "nodes"
nodes = ["{node}"]
check = { type = "none" }
`
	headerFront = `
[[listener]]
name       = "edge"
address    = "127.0.0.1:0"
proxy_from = ["127.0.0.0/8"]
relay      = "{relay}"
pool       = "nodes"
[[pool]]
name  = "nodes"
nodes = ["{node}"]
proxy = "{proxy}"
check = { type = "none" }
`
)

// start runs Sluice with a configuration, in which {key} stands for the value that follows key in pairs, and
// waits until it is ready. It is killed at the end of the test.
func start(t *testing.T, config string, pairs ...string) *edge {
	t.Helper()
	return startBy(t, nil, config, pairs...)
}

// startBy has a command start it that takes Sluice's command line behind its own.
func startBy(t *testing.T, by []string, config string, pairs ...string) *edge {
	t.Helper()
	e := launch(t, by, config, pairs...)
	select {
	case ready := <-e.log.ready:
		for word := range strings.FieldsSeq(ready) {
			if name, address, ok := strings.Cut(word, "="); ok {
				e.at[name] = address
			}
		}
	case <-e.process.Exited():
		t.Fatal("sluice ended before it was ready")
	case <-time.After(patience):
		t.Fatal("sluice is not ready")
	}
	return e
}

// launch does not wait.
func launch(t *testing.T, by []string, config string, pairs ...string) *edge {
	t.Helper()
	e := &edge{t: t, config: filepath.Join(t.TempDir(), "sluice.toml"), at: map[string]string{}, log: newLogbook()}
	e.write(config, pairs...)
	args := append(by[:len(by):len(by)], sluice, "run", "-c", e.config)
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Stdout, cmd.Stderr = &lines{each: e.log.said}, &lines{each: e.log.wrote}
	var err error
	if e.process, err = launcher.Start("sluice", cmd); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		e.process.Kill()
		if t.Failed() {
			t.Logf("the end of what sluice wrote:\n%s", e.log.tail(12))
		}
	})
	return e
}

// write puts a configuration where Sluice reads it.
func (e *edge) write(config string, pairs ...string) {
	e.t.Helper()
	config = preamble + fill(config, pairs...)
	if !strings.Contains(config, "[admin]") {
		config = noAdmin + config
	}
	if err := os.WriteFile(e.config, []byte(config), 0o644); err != nil {
		e.t.Fatal(err)
	}
}

// reload makes it read its file again, and waits until it says what came of it.
func (e *edge) reload() entry {
	e.t.Helper()
	before := len(e.log.entries("reload"))
	e.signal(syscall.SIGHUP)
	var last entry
	until(e.t, "a reload with a result", func() bool {
		for _, r := range e.log.entries("reload")[before:] {
			if r["result"] != nil {
				last = r
			}
		}
		return last != nil
	})
	return last
}

func (e *edge) signal(s syscall.Signal) {
	e.t.Helper()
	if err := e.process.Signal(s); err != nil {
		e.t.Fatal(err)
	}
}

// proc reads a file of the process under /proc.
func (e *edge) proc(name string) string {
	e.t.Helper()
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", e.process.PID(), name))
	if err != nil {
		e.t.Fatal(err)
	}
	return string(text)
}

// status is a number of /proc/PID/status, in KiB where it is a size.
func (e *edge) status(key string) (n int) {
	e.t.Helper()
	for line := range strings.Lines(e.proc("status")) {
		if rest, ok := strings.CutPrefix(line, key+":"); ok {
			fmt.Sscan(rest, &n)
			return n
		}
	}
	e.t.Fatalf("no %s in /proc/%d/status", key, e.process.PID())
	return 0
}

// descriptors lists what the process has open, but for pipes: both engines keep some for the next session, the
// copy engine (the standard library) as many as it ever needed at a time until it collects garbage.
func (e *edge) descriptors() (open []string) {
	e.t.Helper()
	all, err := os.ReadDir(fmt.Sprintf("/proc/%d/fd", e.process.PID()))
	if err != nil {
		e.t.Fatal(err)
	}
	for _, d := range all {
		to, err := os.Readlink(fmt.Sprintf("/proc/%d/fd/%s", e.process.PID(), d.Name()))
		if err == nil && !strings.HasPrefix(to, "pipe:") {
			open = append(open, to)
		}
	}
	return open
}

// sheds waits until the process has no more descriptors than it once had.
func (e *edge) sheds(once []string) {
	e.t.Helper()
	for end := time.Now().Add(patience / 2); ; time.Sleep(10 * time.Millisecond) {
		now := e.descriptors()
		if len(now) <= len(once) {
			return
		}
		if time.Now().After(end) {
			e.t.Fatalf("%d descriptors are open, want %d as before: %q", len(now), len(once), now)
		}
	}
}

// processorTime is what the process has used since its start.
func (e *edge) processorTime() time.Duration {
	e.t.Helper()
	var user, system int64 // proc_pid_stat(5): fields 14 and 15, in hundredths of a second
	_, rest, _ := strings.Cut(e.proc("stat"), ") ")
	fields := strings.Fields(rest)
	fmt.Sscan(fields[11], &user)
	fmt.Sscan(fields[12], &system)
	return time.Duration(user+system) * 10 * time.Millisecond
}

// counters are the metrics of a name that are not 0, by their labels.
func (e *edge) counters(name string) map[string]float64 {
	e.t.Helper()
	var admin []entry
	until(e.t, "the log says where the admin API is", func() bool {
		admin = e.log.entries("admin")
		return len(admin) > 0
	})
	r, err := http.Get("http://" + admin[0].text("listen") + "/metrics")
	if err != nil {
		e.t.Fatal(err)
	}
	defer r.Body.Close()
	all := map[string]float64{}
	for s := bufio.NewScanner(r.Body); s.Scan(); {
		if labels, ok := strings.CutPrefix(s.Text(), name+"{"); ok {
			labels, value, _ := strings.Cut(labels, "} ")
			if n, err := strconv.ParseFloat(value, 64); err != nil || n != 0 {
				all[labels] = n
			}
		}
	}
	return all
}

// sessions waits until n sessions have ended, and returns their records.
func (e *edge) sessions(n int) (all []entry) {
	e.t.Helper()
	until(e.t, fmt.Sprintf("%d sessions have ended", n), func() bool {
		all = e.log.entries("session")
		return len(all) >= n
	})
	return all
}

// fill replaces {key} by what follows key in pairs.
func fill(text string, pairs ...string) string {
	for i := 0; i < len(pairs); i += 2 {
		text = strings.ReplaceAll(text, "{"+pairs[i]+"}", pairs[i+1])
	}
	return text
}

// An entry is one line of the log.
type entry map[string]any

// text is a value as text.
func (e entry) text(key string) string {
	switch v := e[key].(type) {
	case nil:
		return ""
	case string:
		return v
	default:
		return fmt.Sprint(v)
	}
}

// A logbook keeps what Sluice writes.
type logbook struct {
	ready chan string // the line that says so

	mu   sync.Mutex // guards the fields below
	raw  []string
	read []entry
}

func newLogbook() *logbook { return &logbook{ready: make(chan string, 1)} }

// said takes a line of stdout.
func (l *logbook) said(line string) {
	if strings.HasPrefix(line, "ready") {
		l.ready <- line
	}
}

// wrote takes a line of stderr.
func (l *logbook) wrote(line string) {
	e := entry{}
	json.Unmarshal([]byte(line), &e) // what is no JSON has no msg either
	l.mu.Lock()
	defer l.mu.Unlock()
	l.raw, l.read = append(l.raw, line), append(l.read, e)
}

// entries are those so far with a message.
func (l *logbook) entries(msg string) (all []entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range l.read {
		if e["msg"] == msg {
			all = append(all, e)
		}
	}
	return all
}

// tail is the last lines, of which few are records of sessions.
func (l *logbook) tail(n int) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var tail []string
	sessions := 0
	for i := len(l.raw) - 1; i >= 0 && len(tail) < n; i-- {
		if l.read[i]["msg"] == "session" {
			if sessions++; sessions > 5 {
				continue
			}
		}
		tail = append(tail, l.raw[i])
	}
	slices.Reverse(tail)
	return strings.Join(tail, "\n")
}

// contains tells whether a text was written.
func (l *logbook) contains(text string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, line := range l.raw {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// lines is a writer that hands over whole lines.
type lines struct {
	each func(string)
	rest []byte
}

func (l *lines) Write(b []byte) (int, error) {
	l.rest = append(l.rest, b...)
	for {
		line, rest, found := bytes.Cut(l.rest, []byte("\n"))
		if !found {
			return len(b), nil
		}
		l.each(string(line))
		l.rest = rest
	}
}

// listening tells whether somebody takes connections at an address.
func listening(address string) bool {
	conn, err := dialer.Dial("tcp", address)
	if err != nil {
		return false
	}
	conn.Close()
	return true
}

func addrPort(address string) netip.AddrPort { return netip.MustParseAddrPort(address) }

// all is all lines.
func (l *logbook) all() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return strings.Join(l.raw, "\n")
}
