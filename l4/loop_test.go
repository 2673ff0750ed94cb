//go:build linux

package l4

import (
	"io"
	"net"
	"os"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unsafe"

	"github.com/sluicelb/sluice/configs"
)

// sessionBudget is what an idle session may cost in a loop, in bytes: a size class of the runtime's. With two sockets in
// the kernel it is to stay below three quarters of what HAProxy needs for one.
const sessionBudget = 416

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

// What happens to the reactor's sockets wakes its loops and no other thread: the runtime's poller watches
// neither a listening socket nor a loop's own epoll set, only the one around it.
func TestNobodyElseIsWoken(t *testing.T) {
	srv := serve(t, plain(configs.RelayAuto, startNode(t, echo)))
	dial(t, srv.addr("s3"))
	r := srv.reactor.(*reactor)
	around := map[string]bool{}
	loops := map[string]bool{}
	for _, l := range r.loops {
		loops[strconv.Itoa(int(l.ep))] = true
		around[strconv.Itoa(int(l.parked.file.Fd()))] = true
	}
	listening := map[string]bool{}
	srv.mu.Lock()
	for _, sk := range srv.sockets {
		listening[strconv.Itoa(int(sk.fd))] = true
	}
	srv.mu.Unlock()
	if len(listening) == 0 {
		t.Fatal("no listening socket")
	}
	seen := 0
	for set, members := range epollSets(t) {
		for _, fd := range members {
			switch {
			case listening[fd] && !loops[set]:
				t.Errorf("epoll set %s watches listening socket %s", set, fd)
			case loops[fd] && !around[set]:
				t.Errorf("epoll set %s watches the loop's set %s", set, fd)
			case listening[fd], loops[fd]:
				seen++
			}
		}
	}
	if seen < 1+len(loops) {
		t.Errorf("%d of the sockets and sets were found in any set: nothing was shown", seen)
	}
}

// epollSets lists the epoll sets of this process and what is in each, all by descriptor.
func epollSets(t *testing.T) map[string][]string {
	t.Helper()
	files, err := os.ReadDir("/proc/self/fdinfo")
	if err != nil {
		t.Fatal(err)
	}
	sets := map[string][]string{}
	for _, f := range files {
		text, _ := os.ReadFile("/proc/self/fdinfo/" + f.Name())
		for line := range strings.Lines(string(text)) {
			if rest, ok := strings.CutPrefix(line, "tfd:"); ok {
				sets[f.Name()] = append(sets[f.Name()], strings.Fields(rest)[0])
			}
		}
	}
	return sets
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
