package main

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

func TestDemoConfig(t *testing.T) {
	code, text, _ := sluice(t, "demo", "--print-config", "--port-base", "19000")
	if code != exitOK || !strings.Contains(text, `nodes = ["127.0.1.{1...4}:19000"]`) {
		t.Errorf("got exit code %d, %q", code, text)
	}
	path := file(t, text)
	code, stdout, stderr := sluice(t, "check", "-c", path)
	if want := path + ": ok, 3 listeners, 4 pools\n"; code != exitOK || stdout != want || stderr != "" {
		t.Errorf("check: got exit code %d, stdout %q, stderr %q, want %q and not a warning", code, stdout, stderr, want)
	}
}

func TestDemoWrongUse(t *testing.T) {
	for args, want := range map[string]string{
		"--port-base 65000": "--port-base 65000: out of range, 1 to 64545",
		"--port-base 0":     "out of range",
		"--port-base x":     `invalid value "x"`,
		"--port 1":          `did you mean "--port-base"?`,
		"now":               `unexpected argument "now"`,
	} {
		code, _, stderr := sluice(t, append([]string{"demo"}, strings.Fields(args)...)...)
		if code != exitUsage || !strings.Contains(stderr, want) {
			t.Errorf("%s: got exit code %d, stderr %q, want 2, %q", args, code, stderr, want)
		}
	}
}

// startDemo starts the demo on ports that are free, in a folder of its own.
func startDemo(t *testing.T) (p *process, base int) {
	t.Helper()
	requireLoopback(t)
	for range 20 {
		base = 10_000 + rand.IntN(20_000)
		p = launch(t, "demo", "--port-base", fmt.Sprint(base))
		first, ok := <-p.lines
		if ok && strings.HasPrefix(first, "Four toy nodes") {
			return p, base
		}
		<-p.exited
		if !strings.Contains(p.stderr.String(), "--port-base") {
			t.Fatalf("got %q, want the demo", p.stderr.String())
		}
	}
	t.Fatal("no twenty ports in a row are free")
	return nil, 0
}

// requireLoopback skips where only 127.0.0.1 of the loopback network is there, as on macOS.
func requireLoopback(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.1.1:0")
	if err != nil {
		t.Skipf("the demo's nodes have addresses of their own: %v", err)
	}
	ln.Close()
}

// TestDemo types everything that the demo says one may type.
func TestDemo(t *testing.T) {
	t.Parallel()
	for _, tool := range []string{"bash", "curl"} {
		need.Program(t, tool) // the lines are for a shell and curl
	}
	p, base := startDemo(t)
	s3 := listenerOf(t, p.line(t, "ready "), "s3")
	if want := fmt.Sprintf("127.0.0.1:%d", base); s3 != want {
		t.Errorf("got S3 at %s, want %s", s3, want)
	}

	typed := 0
	for line := range p.lines {
		if strings.HasPrefix(line, "1 to 4 and Enter") {
			break
		}
		command, ok := strings.CutPrefix(line, "  ")
		if !ok || strings.HasPrefix(command, "#") {
			continue
		}
		typed++
		if strings.HasPrefix(command, "curl ") || strings.HasPrefix(command, "for ") {
			command = strings.Replace(command, "curl ", "curl -f --no-progress-meter ", 1) // a status of 400 and more is an error
		}
		cmd := exec.CommandContext(t.Context(), "bash", "-o", "pipefail", "-c", command)
		cmd.Env = append(os.Environ(), asProgram+"=1")
		if out, err := cmd.CombinedOutput(); err != nil || len(out) == 0 && strings.Contains(command, "hello") && !strings.Contains(command, "-T") {
			t.Errorf("%s\n%s%v", command, out, err)
		}
	}
	if typed != 10 {
		t.Errorf("typed %d lines, want 10", typed)
	}

	p.signal(t, syscall.SIGINT)
	p.ends(t, exitOK)
	p.leftNothing(t)
	if conn, err := net.Dial("tcp", s3); err == nil {
		conn.Close()
		t.Error("something still listens")
	}
}

// TestDemoPlug pulls the plug of a node: everybody is served all the same, and the node has its share
// again when it is back.
func TestDemoPlug(t *testing.T) {
	t.Parallel()
	p, base := startDemo(t)
	p.line(t, "1 to 4 and Enter")
	answers := func(n int) map[string]int {
		seen := map[string]int{}
		for range n {
			resp, err := http.Get(fmt.Sprintf("http://127.0.0.1:%d/api/node", base+1))
			if err != nil {
				t.Fatal(err)
			}
			body, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil {
				t.Fatal(err)
			}
			_, rest, _ := strings.Cut(string(body), `"node":"`)
			node, _, _ := strings.Cut(rest, `"`)
			seen[node]++
		}
		return seen
	}
	if seen := answers(8); len(seen) != 4 {
		t.Errorf("got %v, want all four", seen)
	}
	fmt.Fprintln(p.stdin, "2")
	p.line(t, "node 2 is unplugged")
	if seen := answers(20); seen["node 2"] != 0 || len(seen) != 3 {
		t.Errorf("got %v, want the other three", seen)
	}
	fmt.Fprintln(p.stdin, "five\n 2 ")
	p.line(t, "a number from 1 to 4, please")
	p.line(t, "node 2 is plugged in")
	until(t, "node 2 answers again", func() bool { return answers(4)["node 2"] > 0 })
	p.stdin.Close()
	if seen := answers(4); len(seen) == 0 {
		t.Error("it ended with its input")
	}
	p.signal(t, syscall.SIGTERM)
	p.ends(t, exitOK)
}

func TestDemoPortTaken(t *testing.T) {
	requireLoopback(t)
	ln, err := net.Listen("tcp", "127.0.1.3:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	base := ln.Addr().(*net.TCPAddr).Port
	if base > 64_545 {
		t.Skipf("port %d is no base", base)
	}
	p := launch(t, "demo", "--port-base", fmt.Sprint(base))
	p.ends(t, exitFailed)
	got := p.stderr.String()
	if want := fmt.Sprintf("node 3: another program listens at 127.0.1.3:%d", base); !strings.Contains(got, want) || !strings.Contains(got, "choose other ports") {
		t.Errorf("got %q, want %q and what to do", got, want)
	}
	p.leftNothing(t)
}
