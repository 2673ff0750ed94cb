package main

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"
)

// asProgram makes the test binary be the program, for tests that need a process: signals, exit codes.
const asProgram = "SLUICE_TEST_AS_PROGRAM"

func TestMain(m *testing.M) {
	if os.Getenv(asProgram) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process is the program, running.
type process struct {
	*exec.Cmd
	tmp    string // its TMPDIR
	stdin  io.WriteCloser
	lines  chan string // of stdout
	stderr buffer
	exited chan struct{}
}

// launch starts the program. It is killed at the end of the test, if it still runs then.
func launch(t *testing.T, args ...string) *process {
	t.Helper()
	p := &process{Cmd: exec.Command(os.Args[0], args...), tmp: t.TempDir(), lines: make(chan string, 1000), exited: make(chan struct{})}
	p.Env = append(os.Environ(), asProgram+"=1", "TMPDIR="+p.tmp)
	p.Stderr = &p.stderr
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if p.stdin, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	go func() {
		for s := bufio.NewScanner(stdout); s.Scan(); {
			p.lines <- s.Text()
		}
		close(p.lines)
		p.Wait()
		close(p.exited)
	}()
	t.Cleanup(func() {
		p.Process.Kill()
		for range p.lines {
		}
		<-p.exited
		if t.Failed() {
			t.Logf("stderr of %q:\n%s", args, &p.stderr)
		}
	})
	return p
}

// line returns the first line that begins so, and drops those before it.
func (p *process) line(t *testing.T, begin string) string {
	t.Helper()
	limit := time.After(20 * time.Second)
	for {
		select {
		case line, ok := <-p.lines:
			if !ok {
				t.Fatalf("it ended without a line that begins with %q", begin)
			}
			if strings.HasPrefix(line, begin) {
				return line
			}
		case <-limit:
			t.Fatalf("no line that begins with %q", begin)
		}
	}
}

func (p *process) signal(t *testing.T, s os.Signal) {
	t.Helper()
	if err := p.Process.Signal(s); err != nil {
		t.Fatal(err)
	}
}

// ends waits for the end and checks the exit code.
func (p *process) ends(t *testing.T, code int) {
	t.Helper()
	select {
	case <-p.exited:
		if got := p.ProcessState.ExitCode(); got != code {
			t.Errorf("got exit code %d, want %d; stderr:\n%s", got, code, &p.stderr)
		}
	case <-time.After(20 * time.Second):
		t.Fatalf("it does not end")
	}
}

// leftNothing checks that its temporary files are gone.
func (p *process) leftNothing(t *testing.T) {
	t.Helper()
	if left, err := os.ReadDir(p.tmp); err != nil || len(left) > 0 {
		t.Errorf("files left: %v, error %v", left, err)
	}
}

// says waits until stderr has a text in it.
func (p *process) says(t *testing.T, text string) {
	t.Helper()
	until(t, "stderr has "+text, func() bool { return strings.Contains(p.stderr.String(), text) })
}

// until waits for a condition.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	for end := time.Now().Add(20 * time.Second); !is(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("it never came: %s", what)
		}
	}
}

// listenerOf finds the address of a listener in a line that says ready.
func listenerOf(t *testing.T, ready, name string) string {
	t.Helper()
	for word := range strings.FieldsSeq(ready) {
		if address, ok := strings.CutPrefix(word, name+"="); ok {
			return address
		}
	}
	t.Fatalf("no listener %q in %q", name, ready)
	return ""
}

// buffer is a bytes.Buffer for more than one goroutine.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}

// echo is a node that sends back what it gets. It returns its address.
func echo(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	t.Cleanup(func() { cancel(); ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			go func() {
				defer context.AfterFunc(ctx, func() { conn.Close() })()
				defer conn.Close()
				io.Copy(conn, conn)
			}()
		}
	}()
	return ln.Addr().String()
}

// conversation is a session with an echo behind it.
type conversation struct{ net.Conn }

func converse(t *testing.T, address string) conversation {
	t.Helper()
	conn, err := net.DialTimeout("tcp", address, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	conn.SetDeadline(time.Now().Add(20 * time.Second))
	c := conversation{conn}
	c.say(t, "hello")
	return c
}

// say sends a text and waits for it to come back.
func (c conversation) say(t *testing.T, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(c, got); err != nil || string(got) != text {
		t.Fatalf("got %q, error %v, want %q", got, err, text)
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
