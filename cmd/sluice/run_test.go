package main

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inFront is a configuration with an echo behind it. The admin API is off: tests run beside each other.
func inFront(node, more string) string {
	return fmt.Sprintf(`
[admin]
listen = ""
%s
[[listener]]
name    = "s3"
address = "127.0.0.1:0"
pool    = "s3"

[[pool]]
name  = "s3"
nodes = [%q]
check = { type = "none" }
`, more, node)
}

func TestRunServesAndDrains(t *testing.T) {
	path := file(t, inFront(echo(t), ""))
	p := launch(t, "run", "-c", path)
	address := listenerOf(t, p.line(t, "ready "), "s3")
	c := converse(t, address)

	p.signal(t, syscall.SIGTERM)
	p.says(t, "msg=drain")
	until(t, "the listener is closed", func() bool {
		conn, err := net.Dial("tcp", address)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	c.say(t, "still here")
	c.Close()
	p.ends(t, exitOK)
}

func TestRunStopsAtOnce(t *testing.T) {
	p := launch(t, "run", "-c", file(t, inFront(echo(t), "")))
	c := converse(t, listenerOf(t, p.line(t, "ready "), "s3"))
	p.signal(t, syscall.SIGINT)
	p.says(t, "msg=drain")
	c.say(t, "still here")
	began := time.Now()
	p.signal(t, syscall.SIGTERM)
	p.ends(t, exitFailed)
	if took := time.Since(began); took > 10*time.Second {
		t.Errorf("the second signal took %v, the drain limit is 30 s", took)
	}
	p.says(t, "sluice: run: drain: 1 sessions left: told again: stopping now")
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("the session ended with %v, want a reset: it was cut", err)
	}
}

func TestRunDrainHasALimit(t *testing.T) {
	p := launch(t, "run", "-c", file(t, inFront(echo(t), "[timeouts]\ndrain = \"200ms\"\n")))
	converse(t, listenerOf(t, p.line(t, "ready "), "s3"))
	p.signal(t, syscall.SIGTERM)
	p.ends(t, exitFailed)
	p.says(t, "sluice: run: drain: 1 sessions left: timeouts.drain, 200ms, is over")
}

func TestReload(t *testing.T) {
	node := echo(t)
	config := inFront(node, "")
	path := file(t, config)
	p := launch(t, "run", "-c", path)
	address := listenerOf(t, p.line(t, "ready "), "s3")
	c := converse(t, address)

	rewrite(t, path, config+"\nblance = \"leastconn\"\n")
	p.signal(t, syscall.SIGHUP)
	p.says(t, `result="nothing has changed"`)
	p.says(t, `did you mean \"balance\"`)
	c.say(t, "a bad file changes nothing")
	converse(t, address).Close()

	// The port of the new listener has to be known, and may be taken by then: try a few.
	for i := 1; ; i++ {
		other := freePort(t)
		rewrite(t, path, config+fmt.Sprintf("\n[[listener]]\nname = \"more\"\naddress = %q\npool = \"s3\"\n", other))
		p.signal(t, syscall.SIGHUP)
		until(t, "an answer to the reload", func() bool {
			text := p.stderr.String()
			return strings.Contains(text, `result="in effect"`) || strings.Count(text, `result="nothing has changed"`) > i
		})
		if strings.Contains(p.stderr.String(), `result="in effect"`) {
			converse(t, other).Close()
			break
		}
		if i == 5 {
			t.Fatal("no reload succeeded")
		}
	}
	c.say(t, "and a good one no session")
	converse(t, address).Close()
	p.signal(t, syscall.SIGTERM)
	c.Close()
	p.ends(t, exitOK)
}

func rewrite(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

func TestRunRefusesABadFile(t *testing.T) {
	path := file(t, inFront("127.0.0.1:9", "[log]\nlevel = \"loud\"\nformt = \"json\"\n[timeouts]\nhello = \"5\"\n[limits]\npending = -1\n[tiemouts]\n"))
	_, _, checked := sluice(t, "check", "-c", path)
	p := launch(t, "run", "-c", path)
	p.ends(t, exitFailed)
	if got := p.stderr.String(); got != checked || strings.Count(got, ": error: ") != 5 {
		t.Errorf("run says %q, check %q, want the same five problems", got, checked)
	}
}

// TestWarningsAreRecords starts with a warning: where records are JSON, so is all on stderr.
func TestWarningsAreRecords(t *testing.T) {
	admin := "unix:" + filepath.Join(t.TempDir(), "a.sock")
	config := strings.Replace(inFront(echo(t), "[log]\nformat = \"json\"\n"), `listen = ""`, fmt.Sprintf("listen = %q", admin), 1) +
		"[[pool]]\nname = \"spare\"\nnodes = [\"127.0.0.1:9\"]\n"
	p := launch(t, "run", "-c", file(t, config))
	p.line(t, "ready ")
	p.says(t, `"level":"WARN","msg":"configuration","problem":`)
	for line := range strings.Lines(p.stderr.String()) {
		if !json.Valid([]byte(line)) {
			t.Errorf("%q is no JSON", line)
		}
	}
	if code, stdout, stderr := sluice(t, "status", "--json", "--admin", admin); code != exitOK || !strings.Contains(stdout, "no route uses this pool") {
		t.Errorf("status does not show the warning: %d\n%s%s", code, stdout, stderr)
	}
}

func TestRunWithoutItsPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	config := strings.Replace(inFront("127.0.0.1:9", ""), "127.0.0.1:0", ln.Addr().String(), 1)
	p := launch(t, "run", "-c", file(t, config))
	p.ends(t, exitFailed)
	if got := p.stderr.String(); !strings.Contains(got, ln.Addr().String()) || !strings.Contains(got, "address already in use") ||
		!strings.HasPrefix(got, `sluice: run: listener "s3"`) {
		t.Errorf("got %q, want which listener, which address, and why", got)
	}
}

// TestSessionRecord reads the one line that a session leaves, in both formats.
func TestSessionRecord(t *testing.T) {
	words := []string{"time", "level", "msg", "id", "listener", "route", "pool", "node", "client", "server_name", "alpn", "cause", "phase",
		"bytes_in", "bytes_out", "t_header", "t_hello", "t_dial", "t_first_byte", "dur", "retries", "path"}
	for _, format := range []string{"text", "json"} {
		t.Run(format, func(t *testing.T) {
			node := echo(t)
			p := launch(t, "run", "-c", file(t, inFront(node, fmt.Sprintf("[log]\nformat = %q\n", format))))
			c := converse(t, listenerOf(t, p.line(t, "ready "), "s3"))
			client := c.LocalAddr().String()
			c.Close()
			until(t, "a record", func() bool { return strings.Contains(p.stderr.String(), client) })
			p.signal(t, syscall.SIGTERM)
			p.ends(t, exitOK)

			var record string
			for line := range strings.Lines(p.stderr.String()) {
				if strings.Contains(line, client) {
					record = line
				}
			}
			if format == "text" {
				at := 0
				for _, w := range words {
					i := strings.Index(record[at:], w+"=")
					if i < 0 {
						t.Errorf("no %s= behind byte %d of %q", w, at, record)
						continue
					}
					at += i
				}
				for _, want := range []string{"node=" + node, "cause=client", "phase=relay", "bytes_in=5", "bytes_out=5"} {
					if !strings.Contains(record, " "+want+" ") {
						t.Errorf("no %s in %q", want, record)
					}
				}
				return
			}
			var got map[string]any
			if err := json.Unmarshal([]byte(record), &got); err != nil {
				t.Fatal(err)
			}
			for _, w := range words {
				if _, ok := got[w]; !ok {
					t.Errorf("no %q in %s", w, record)
				}
			}
			if dur, ok := got["dur"].(float64); len(got) != len(words) || !ok || dur <= 0 || dur > 20 || got["bytes_in"] != 5.0 {
				t.Errorf("got %s, want %d words, dur in seconds", record, len(words))
			}
		})
	}
}
