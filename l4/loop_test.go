//go:build linux

package l4

import (
	"io"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/sluicelb/sluice/configs"
)

// sessionBudget is what an idle session may cost in a loop, in bytes: with two sockets in the kernel it is to
// stay below three quarters of what HAProxy needs for one.
const sessionBudget = 640

func TestIdleSessionIsSmall(t *testing.T) {
	if size := unsafe.Sizeof(loopSession{}); size > sessionBudget {
		t.Errorf("a session is %d bytes, want at most %d", size, sessionBudget)
	}
}

// An idle session holds two descriptors and nothing else: no pipe, no buffer.
func TestIdleSessionHoldsTwoDescriptors(t *testing.T) {
	leakCheck(t)
	srv := serve(t, plain(configs.RelayAuto, startNode(t, func(c *net.TCPConn) {
		c.Write(pattern(3<<20, 1))
		io.Copy(io.Discard, c)
	})))
	const n = 20
	clients := make([]*net.TCPConn, n)
	for i := range clients {
		clients[i] = dial(t, srv.addr("s3"))
		if _, err := io.ReadFull(clients[i], make([]byte, 3<<20)); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(50 * time.Millisecond)
	before := countFDs()
	stats := srv.Pipes()
	if stats.Busy != 0 {
		t.Errorf("%d pipes are held by idle sessions", stats.Busy)
	}
	for _, c := range clients {
		c.Close()
	}
	srv.wait(n)
	time.Sleep(50 * time.Millisecond)
	// A session is one end of the client's connection, both of the server's, and the node's.
	if got := before - countFDs(); got != 4*n {
		t.Errorf("%d idle sessions held %d descriptors with their clients and nodes, want %d", n, got, 4*n)
	}
	for _, r := range srv.wait(n) {
		if r.Path != "splice" {
			t.Errorf("3 MiB went by %q, want splice", r.Path)
		}
	}
}

// A client that does not read holds one pipe at most, and the bytes in it are not lost.
func TestSlowReaderHoldsOnePipe(t *testing.T) {
	leakCheck(t)
	const size = 24 << 20
	srv := serve(t, plain(configs.RelayAuto, startNode(t, func(c *net.TCPConn) { c.Write(pattern(size, 1)) })))
	c := dial(t, srv.addr("s3"))
	for range 500 {
		if srv.Pipes().Busy > 0 {
			break
		}
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	if stats := srv.Pipes(); stats.Busy != 1 {
		t.Errorf("%d pipes are held, want 1: %+v", stats.Busy, stats)
	}
	if got, err := io.ReadAll(c); err != nil || diff(got, pattern(size, 1)) != "" {
		t.Fatal(diff(got, pattern(size, 1)), err)
	}
	c.Close()
	srv.wait(1)
	if stats := srv.Pipes(); stats.Busy != 0 {
		t.Errorf("%d pipes are held after the end", stats.Busy)
	}
}

// Without pipes bulk is copied, whole and in order.
func TestBulkWithoutPipes(t *testing.T) {
	leakCheck(t)
	srv := serve(t, plain(configs.RelayAuto, startNode(t, echo)))
	pipes := srv.reactor.(*reactor).pipes
	pipes.mu.Lock()
	pipes.limit = 0
	pipes.mu.Unlock()
	c := dial(t, srv.addr("s3"))
	const size = 8 << 20
	go func() {
		c.Write(pattern(size, 1))
		c.CloseWrite()
	}()
	if got, err := io.ReadAll(c); err != nil || diff(got, pattern(size, 1)) != "" {
		t.Fatal(diff(got, pattern(size, 1)), err)
	}
	if r := srv.wait(1)[0]; r.Path != "copy" || r.BytesOut != size {
		t.Errorf("got %d bytes by %q", r.BytesOut, r.Path)
	}
}

// A pipe that a session died with is not given to another.
func TestDirtyPipeIsClosed(t *testing.T) {
	p := &pipePool{limit: 2}
	b := p.get()
	b.held = 5
	p.put(b)
	if s := p.stats(); s.Free != 0 || s.Busy != 0 {
		t.Errorf("got %+v, want none", s)
	}
	p.put(p.get())
	if s := p.stats(); s.Free != 1 || s.Busy != 0 {
		t.Errorf("got %+v, want one free", s)
	}
	p.close()
}

// One bulk stream and a slow reader do not hold up a small exchange.
func TestBulkDoesNotStarveOthers(t *testing.T) {
	leakCheck(t)
	node := startNode(t, func(c *net.TCPConn) {
		kind := make([]byte, 1)
		io.ReadFull(c, kind)
		if kind[0] == 'b' {
			for {
				if _, err := c.Write(pattern(1<<20, 1)); err != nil {
					return
				}
			}
		}
		echo(c)
	})
	srv := serve(t, plain(configs.RelayAuto, node))
	var wg sync.WaitGroup
	for i := range 5 {
		bulk := dial(t, srv.addr("s3"))
		bulk.Write([]byte("b"))
		if i < 4 {
			wg.Go(func() { io.Copy(io.Discard, bulk) })
		}
		defer func() {
			bulk.Close()
			wg.Wait()
		}()
	}
	c := dial(t, srv.addr("s3"))
	c.Write([]byte("e"))
	worst := time.Duration(0)
	for range 200 {
		began := time.Now()
		c.Write([]byte("x"))
		if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
			t.Fatal(err)
		}
		worst = max(worst, time.Since(began))
	}
	// Generous, because the machine is shared: a stream that is served to its end would take for ever.
	if worst > 2*time.Second {
		t.Errorf("an exchange took %v beside bulk", worst)
	}
	t.Logf("worst of 200 exchanges beside bulk: %v", worst)
}

// While nothing happens, nothing is done.
func TestIdleUsesNoProcessor(t *testing.T) {
	srv := serve(t, plain(configs.RelayAuto, startNode(t, echo)))
	for range 50 {
		c := dial(t, srv.addr("s3"))
		c.Write([]byte("x"))
		io.ReadFull(c, make([]byte, 1))
	}
	time.Sleep(2500 * time.Millisecond) // past the timers that every session has once
	before := threadSwitches(t)
	time.Sleep(time.Second)
	if n := threadSwitches(t) - before; n > 50 {
		t.Errorf("%d context switches in an idle second", n)
	}
}

// threadSwitches counts the times any thread of this process was put to sleep.
func threadSwitches(t *testing.T) (n int) {
	t.Helper()
	tasks, err := os.ReadDir("/proc/self/task")
	if err != nil {
		t.Fatal(err)
	}
	for _, task := range tasks {
		status, _ := os.ReadFile("/proc/self/task/" + task.Name() + "/status")
		for line := range strings.Lines(string(status)) {
			if rest, ok := strings.CutPrefix(line, "voluntary_ctxt_switches:"); ok {
				n += atoi(rest)
			}
		}
	}
	return n
}

func atoi(s string) (n int) {
	for _, r := range s {
		if r >= '0' && r <= '9' {
			n = 10*n + int(r-'0')
		}
	}
	return n
}

// A second loop helps when the first is short of time, is given sessions, and gives them back when there is
// little to do. The sessions notice nothing.
func TestLoopsShareWork(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds")
	}
	leakCheck(t)
	stop := make(chan struct{})
	node := startNode(t, func(c *net.TCPConn) {
		for i := byte(1); ; i++ {
			select {
			case <-stop:
				return
			default:
			}
			if _, err := c.Write(pattern(1<<20, i%8)); err != nil {
				return
			}
		}
	})
	cfg := plain(configs.RelayAuto, node)
	srv := serve(t, cfg, func(o *Options) { o.Loops = 2 })
	loops := srv.reactor.(*reactor).loops
	held := func(l *loop) (n int) {
		l.await(func(l *loop) { n = len(l.sessions) - 1 - len(l.indexes) })
		return n
	}
	var wg sync.WaitGroup
	for range 8 {
		c := dial(t, srv.addr("s3"))
		wg.Go(func() {
			defer c.Close()
			buf := make([]byte, 1<<20)
			for i := byte(1); ; i++ {
				if _, err := io.ReadFull(c, buf); err != nil {
					return // the node's end, at the border of a block
				}
				if d := diff(buf, pattern(1<<20, i%8)); d != "" {
					t.Error(d)
					return
				}
			}
		})
	}
	time.Sleep(200 * time.Millisecond)
	// Whether the machine lets one loop get short of time is not for a test to rely on: say that it is.
	gave := make(chan int)
	loops[0].post(func() {
		if to := loops[0].helper(); to != nil {
			loops[0].give(to, 500, 1000)
		}
		gave <- len(loops[0].sessions) - 1 - len(loops[0].indexes)
	})
	if n := <-gave; n == 8 || n == 0 {
		t.Errorf("the first loop kept %d of 8 sessions, want some", n)
	}
	if n := held(loops[1]); n == 0 {
		t.Error("the second loop has no sessions")
	}
	time.Sleep(300 * time.Millisecond)
	close(stop)
	wg.Wait()
	srv.wait(8)
	for range 60 {
		if !loops[1].helps.Load() {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Error("the second loop still helps, with nothing to do")
}
