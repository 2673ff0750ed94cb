//go:build interop && linux

package interop

import (
	"io"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

// The calls that can move a session's bytes. All but the first bring them into user space, or take them from there.
const moves = "splice,read,readv,pread64,recvfrom,recvmsg,recvmmsg,write,writev,pwrite64,sendto,sendmsg,sendmmsg,sendfile,vmsplice,io_uring_enter"

// traced runs Sluice under strace. The function ends it and returns how many bytes each call has moved.
func traced(t *testing.T, config string, pairs ...string) (*edge, func() map[string]int64) {
	t.Helper()
	out := filepath.Join(t.TempDir(), "strace")
	e := startBy(t, []string{need.Program(t, "strace"), "-f", "-qq", "-e", "signal=none", "-e", "trace=" + moves, "-o", out}, config, pairs...)
	begun := readTrace(t, out) // what the start has read, of files too
	return e, func() map[string]int64 {
		e.process.Kill()
		moved := readTrace(t, out)
		for call, n := range begun {
			moved[call] -= n
		}
		return moved
	}
}

// ended is the end of a call in strace's output: "123 read(4, ..., 8) = 8", or, where another thread came between,
// "123 <... read resumed>..., 8) = 8".
var ended = regexp.MustCompile(`^\d+ +(?:<\.\.\. )?(\w+)\b.* = (\d+)$`)

// readTrace adds up what calls have returned. The last line may be in the making.
func readTrace(t *testing.T, path string) map[string]int64 {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	moved := map[string]int64{}
	for line := range strings.Lines(string(text)) {
		if m := ended.FindStringSubmatch(strings.TrimSuffix(line, "\n")); m != nil && strings.HasSuffix(line, "\n") {
			n, err := strconv.ParseInt(m[2], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			moved[m[1]] += n
		}
	}
	return moved
}

// through is what went through user space, either way.
func through(moved map[string]int64) (sum int64) {
	for call, n := range moved {
		if call != "splice" {
			sum += n
		}
	}
	return sum
}

// bulk sends so many bytes up and gets as many down over one connection, both at a time.
func bulk(t *testing.T, c net.Conn, size int64) {
	t.Helper()
	var up sync.WaitGroup
	up.Go(func() {
		if n, err := io.CopyN(c, zeros{}, size); err != nil {
			t.Errorf("up: %d bytes, %v", n, err)
		}
	})
	if n, err := io.CopyN(io.Discard, c, size); err != nil {
		t.Errorf("down: %d bytes, %v", n, err)
	}
	up.Wait()
}

// supplier is the node for bulk.
func supplier(size int64) func(*net.TCPConn) {
	return func(c *net.TCPConn) {
		var down sync.WaitGroup
		down.Go(func() { io.CopyN(c, zeros{}, size) })
		io.Copy(io.Discard, c)
		down.Wait()
	}
}

type zeros struct{}

func (zeros) Read(b []byte) (int, error) { clear(b); return len(b), nil }

// Bulk never enters user space, with either engine: splice(2) takes it from one socket into a pipe and from there
// into the other, and what is read or written otherwise is next to nothing.
func TestBulkIsSpliced(t *testing.T) {
	const size = 256 << 20
	engines(t, func(t *testing.T, relay string) {
		e, end := traced(t, plainFront, "relay", relay, "node", node(t, supplier(size)))
		c := connect(t, e.at["edge"])
		c.SetDeadline(time.Time{})
		bulk(t, c, size)
		c.Close()
		s := e.sessions(1)[0]
		moved := end()
		if n := moved["splice"]; n < 2*2*size*99/100 { // both ways, into a pipe and out of it
			t.Errorf("splice moved %d bytes, want 99 %% of %d", n, 2*2*size)
		}
		if n := through(moved); n > 2*size/100 {
			t.Errorf("%d bytes went through user space, want 1 %% of %d at most: %v", n, 2*size, moved)
		}
		if s.text("path") != "splice" {
			t.Errorf("the record says that they went by %s", s.text("path"))
		}
		t.Log(moved)
	})
}

// The same count finds bytes in user space where they must be: in small exchanges, which the reactor moves by read
// and write because that is cheaper, and where TLS ends.
func TestSmallAndTLSAreNotSpliced(t *testing.T) {
	const exchanges, each = 500, 100
	t.Run("small", func(t *testing.T) {
		e, end := traced(t, plainFront, "relay", "auto", "node", node(t, echo))
		c := connect(t, e.at["edge"])
		b := make([]byte, each)
		for range exchanges {
			c.Write(b)
			if _, err := io.ReadFull(c, b); err != nil {
				t.Fatal(err)
			}
		}
		c.Close()
		s := e.sessions(1)[0]
		moved := end()
		if n := through(moved); moved["splice"] != 0 || n < 2*2*exchanges*each {
			t.Errorf("splice moved %d bytes, other calls %d, want none and all %d", moved["splice"], n, 2*2*exchanges*each)
		}
		if s.text("path") != "copy" {
			t.Errorf("the record says that they went by %s", s.text("path"))
		}
	})
	t.Run("TLS", func(t *testing.T) {
		const size = 16 << 20
		e, end := traced(t, `
[[listener]]
name    = "edge"
address = "127.0.0.1:0"
tls     = "terminate"
pool    = "nodes"
[[listener.certificate]]
cert = "{pair}"
key  = "{pair}"
[[pool]]
name  = "nodes"
nodes = ["{node}"]
check = { type = "none" }
`, "pair", pemFile(t, issue(t, shop, shop)), "node", node(t, supplier(size)))
		c := connectTLS(t, e.at["edge"], shop)
		c.SetDeadline(time.Time{})
		bulk(t, c, size)
		c.Close()
		s := e.sessions(1)[0]
		moved := end()
		if n := through(moved); moved["splice"] != 0 || n < 2*2*size {
			t.Errorf("splice moved %d bytes, other calls %d, want none and all %d", moved["splice"], n, 2*2*size)
		}
		if s.text("path") != "tls" {
			t.Errorf("the record says that they went by %s", s.text("path"))
		}
	})
}
