//go:build interop && linux

package interop

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// A load is clients that have short sessions one after the other, until it is ended.
type load struct {
	stop    chan struct{}
	clients sync.WaitGroup

	mu     sync.Mutex // guards the fields below
	served map[string]int
	failed []error
}

// startLoad starts clients of stubs.
func startLoad(address string, clients int) *load {
	l := &load{stop: make(chan struct{}), served: map[string]int{}}
	for range clients {
		l.clients.Go(func() { l.client(address) })
	}
	return l
}

func (l *load) client(address string) {
	for {
		select {
		case <-l.stop:
			return
		default:
		}
		node, err := once(address)
		l.mu.Lock()
		if err != nil {
			l.failed = append(l.failed, err)
		} else {
			l.served[node]++
		}
		l.mu.Unlock()
	}
}

// once is one short session.
func once(address string) (node string, err error) {
	c, err := dialer.Dial("tcp", address)
	if err != nil {
		return "", err
	}
	defer c.Close()
	return converse(c, "hello")
}

// count is how many sessions a node has served.
func (l *load) count(node string) int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.served[node]
}

// errors are those that clients have seen so far.
func (l *load) errors() []error {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.failed)
}

// end ends the load and returns how many sessions it had.
func (l *load) end() (total int) {
	close(l.stop)
	l.clients.Wait()
	for _, n := range l.served {
		total += n
	}
	return total
}

// A node that is killed under load costs at most the sessions that it had, and no later one; once it is back it
// is used again.
func TestNodeKilled(t *testing.T) {
	const clients = 16
	engines(t, func(t *testing.T, relay string) {
		a, b := newStub(t, ""), newStub(t, "")
		e := start(t, `
[[listener]]
name    = "edge"
address = "127.0.0.1:0"
relay   = "{relay}"
pool    = "nodes"
[[pool]]
name    = "nodes"
nodes   = ["{a}", "{b}"]
balance = "roundrobin"
check   = { type = "tcp", interval = "200ms", timeout = "200ms" }
eject   = { time = "500ms" }
`, "relay", relay, "a", a.address, "b", b.address)
		l := startLoad(e.at["edge"], clients)
		until(t, "both nodes serve", func() bool { return l.count(a.address) > 100 && l.count(b.address) > 100 })
		if failed := l.errors(); len(failed) > 0 {
			t.Fatalf("before anything happened: %v", failed)
		}

		b.process.Kill()
		time.Sleep(100 * time.Millisecond)
		early := len(l.errors())
		before := l.count(a.address)
		until(t, "the other node serves all", func() bool { return l.count(a.address) > before+500 })
		if failed := l.errors(); len(failed) > clients || len(failed) > early {
			t.Errorf("%d sessions failed, %d of them more than 100ms after the node was killed; want at most the %d it had at that time: %v",
				len(failed), len(failed)-early, clients, failed)
		}

		failed := len(l.errors())
		before = l.count(b.address)
		b.start()
		until(t, "the node serves again", func() bool { return l.count(b.address) > before+100 })
		total := l.end()
		if all := l.errors(); len(all) > failed {
			t.Errorf("%d sessions failed when the node came back: %v", len(all)-failed, all[failed:])
		}
		t.Logf("%d sessions, %d failed", total, failed)
	})
}

// A node that is stopped takes connections and hellos, since its kernel does, and says nothing. Behind a name
// another node gets the session after timeouts.first_byte, and the client notices nothing but the wait.
func TestNodeStopped(t *testing.T) {
	pair := pemFile(t, issue(t, shop, shop))
	engines(t, func(t *testing.T, relay string) {
		a, b := newStub(t, pair), newStub(t, pair)
		e := start(t, `
[timeouts]
first_byte = "200ms"
[[listener]]
name    = "edge"
address = "127.0.0.1:0"
tls     = "passthrough"
relay   = "{relay}"
[[listener.route]]
sni  = ["{shop}"]
pool = "nodes"
[[pool]]
name    = "nodes"
nodes   = ["{a}", "{b}"]
balance = "roundrobin"
check   = { type = "none" }
eject   = { failures = 0 }
`, "relay", relay, "shop", shop, "a", a.address, "b", b.address)
		b.signal(syscall.SIGSTOP)
		const sessions = 20
		slow := 0
		for range sessions {
			began := time.Now()
			c := connectTLS(t, e.at["edge"], shop)
			node, err := converse(c, "hello")
			if err != nil || node != a.address {
				t.Errorf("got node %s, %v, want the one that runs", node, err)
			}
			if took := time.Since(began); took >= 200*time.Millisecond {
				slow++
			}
			c.Close()
		}
		waited := 0
		for _, s := range e.sessions(sessions) {
			if s.text("node") != a.address || s.text("server_name") != shop {
				t.Errorf("the record has node %s and name %s", s.text("node"), s.text("server_name"))
			}
			if s["t_first_byte"].(float64) >= 0.2 {
				waited++
			}
		}
		if slow < sessions/4 || waited != slow {
			t.Errorf("%d of %d sessions took the time of first_byte, %d records say so: want many, since the stopped node has its turn", slow, sessions, waited)
		}
		b.signal(syscall.SIGCONT)
		until(t, "the node serves again", func() bool {
			c := connectTLS(t, e.at["edge"], shop)
			defer c.Close()
			node, err := converse(c, "hello")
			return err == nil && node == b.address
		})
	})
}

// What becomes of the sessions of a node that its checks mark down is for on_down to say. The node here still
// serves; what its checks ask is gone.
func TestOnDown(t *testing.T) {
	engines(t, func(t *testing.T, relay string) {
		for _, onDown := range []string{"keep", "close"} {
			t.Run(onDown, func(t *testing.T) {
				sick, well := newStub(t, ""), newStub(t, "")
				health := node(t, func(*net.TCPConn) {})
				_, port, _ := net.SplitHostPort(health)
				// One pool for each node, as all nodes of one are checked at one port.
				e := start(t, `
[[listener]]
name    = "sick"
address = "127.0.0.1:0"
relay   = "{relay}"
pool    = "sick"
[[listener]]
name    = "well"
address = "127.0.0.1:0"
relay   = "{relay}"
pool    = "well"
[[pool]]
name    = "sick"
nodes   = ["{sick}"]
on_down = "{on_down}"
check   = { type = "tcp", port = {sick_check}, interval = "50ms", timeout = "50ms", fall = 2 }
[[pool]]
name    = "well"
nodes   = ["{well}"]
on_down = "{on_down}"
check   = { type = "tcp", interval = "50ms", timeout = "1s" }
`, "relay", relay, "on_down", onDown, "sick", sick.address, "well", well.address, "sick_check", port)
				s, w := connect(t, e.at["sick"]), connect(t, e.at["well"])
				for _, c := range []net.Conn{s, w} {
					if _, err := converse(c, "hello"); err != nil {
						t.Fatal(err)
					}
				}
				until(t, "the node is marked down", func() bool { return e.log.contains(sick.address) && e.log.contains("down") })
				if onDown == "close" {
					if n, err := s.Read(make([]byte, 1)); n != 0 || !errors.Is(err, syscall.ECONNRESET) {
						t.Errorf("the session of the node that is down got %d bytes, %v, want a reset", n, err)
					}
					if r := e.sessions(1)[0]; r.text("cause") != "node_down" {
						t.Errorf("the record has cause %s, want node_down", r.text("cause"))
					}
				} else if _, err := converse(s, "still here"); err != nil {
					t.Errorf("the session of the node that is down: %v, want it to go on", err)
				}
				if _, err := converse(w, "still here"); err != nil {
					t.Errorf("the session of the node that is well: %v", err)
				}
			})
		}
	})
}

// A process without descriptors goes on with the sessions that it has, does not spin, says what would help, and
// serves those who wait once it has some again.
func TestOutOfDescriptors(t *testing.T) {
	engines(t, func(t *testing.T, relay string) {
		a := newStub(t, "")
		e := start(t, plainFront, "relay", relay, "node", a.address)
		c := connect(t, e.at["edge"])
		if _, err := converse(c, "hello"); err != nil {
			t.Fatal(err)
		}
		var before unix.Rlimit
		none := unix.Rlimit{Cur: 0, Max: 0}
		if err := unix.Prlimit(e.process.PID(), unix.RLIMIT_NOFILE, nil, &before); err != nil {
			t.Fatal(err)
		}
		none.Max = before.Max
		if err := unix.Prlimit(e.process.PID(), unix.RLIMIT_NOFILE, &none, nil); err != nil {
			t.Fatal(err)
		}
		var waiting []net.Conn
		for range 20 {
			waiting = append(waiting, connect(t, e.at["edge"]))
		}
		until(t, "a hint in the log", func() bool { return e.log.contains("raise LimitNOFILE") })
		began := e.processorTime()
		time.Sleep(time.Second)
		if used := e.processorTime() - began; used > 200*time.Millisecond {
			t.Errorf("used %v of processor time in a second without descriptors", used)
		}
		if _, err := converse(c, "still here"); err != nil {
			t.Errorf("the session that was there: %v", err)
		}
		if err := unix.Prlimit(e.process.PID(), unix.RLIMIT_NOFILE, &before, nil); err != nil {
			t.Fatal(err)
		}
		for _, c := range waiting {
			if _, err := converse(c, "hello"); err != nil {
				t.Errorf("one who waited: %v", err)
			}
		}
	})
}

// How a session may end: each side's end is passed on as what it was, and nothing is lost before it.
func TestEnds(t *testing.T) {
	body := bytes.Repeat([]byte("0123456789abcdef"), 64<<10) // 1 MiB
	reset := func(c *net.TCPConn) { c.SetLinger(0); c.Close() }
	tests := []struct {
		name   string
		node   func(*net.TCPConn)
		client func(t *testing.T, c *net.TCPConn)
		cause  string
	}{
		{"the client finishes first", func(c *net.TCPConn) {
			all, _ := io.ReadAll(c) // its end is seen before anything is sent
			c.Write(all)
		}, func(t *testing.T, c *net.TCPConn) {
			c.Write(body)
			c.CloseWrite()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, body) {
				t.Errorf("got %d bytes, %v, want what was sent", len(got), err)
			}
		}, "client"},
		{"the node finishes first", func(c *net.TCPConn) {
			c.Write(body)
			c.CloseWrite()
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, body) {
				reset(c)
			}
		}, func(t *testing.T, c *net.TCPConn) {
			if got, err := io.ReadAll(c); err != nil || !bytes.Equal(got, body) {
				t.Errorf("got %d bytes, %v", len(got), err)
			}
			if _, err := c.Write(body); err != nil {
				t.Errorf("after the node's end: %v", err)
			}
			c.CloseWrite()
		}, "node"},
		{"the node resets", func(c *net.TCPConn) {
			io.WriteString(c, "some")
			io.ReadFull(c, make([]byte, 4))
			reset(c)
		}, func(t *testing.T, c *net.TCPConn) {
			got := make([]byte, 4)
			io.ReadFull(c, got)
			c.Write(got)
			if n, err := c.Read(got); !errors.Is(err, syscall.ECONNRESET) {
				t.Errorf("got %d bytes, %v, want a reset", n, err)
			}
		}, "node_reset"},
		{"the client resets", func(c *net.TCPConn) {
			io.WriteString(c, "some")
			if _, err := io.ReadAll(c); !errors.Is(err, syscall.ECONNRESET) {
				panic(fmt.Sprintf("the node got %v, want a reset", err))
			}
		}, func(_ *testing.T, c *net.TCPConn) {
			io.ReadFull(c, make([]byte, 4))
			reset(c)
		}, "client_reset"},
		{"nobody says anything", func(c *net.TCPConn) { io.ReadAll(c) }, func(t *testing.T, c *net.TCPConn) {
			began := time.Now()
			n, err := c.Read(make([]byte, 1))
			if took := time.Since(began); n != 0 || err == nil || took < 900*time.Millisecond || took > 5*time.Second {
				t.Errorf("got %d bytes, %v after %v, want the end after the idle limit of 1s", n, err, took)
			}
		}, "timeout"},
		{"one side finishes, the other says nothing", func(c *net.TCPConn) { time.Sleep(3 * time.Second) }, func(t *testing.T, c *net.TCPConn) {
			c.CloseWrite()
			began := time.Now()
			n, err := c.Read(make([]byte, 1))
			if took := time.Since(began); n != 0 || err == nil || took < 400*time.Millisecond || took > 2*time.Second {
				t.Errorf("got %d bytes, %v after %v, want the end after the half-close limit of 500ms", n, err, took)
			}
		}, "timeout"},
	}
	engines(t, func(t *testing.T, relay string) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				e := start(t, "[timeouts]\nidle = \"1s\"\nhalf_close = \"500ms\"\n"+plainFront, "relay", relay, "node", node(t, tt.node))
				tt.client(t, connect(t, e.at["edge"]))
				if r := e.sessions(1)[0]; r.text("cause") != tt.cause {
					t.Errorf("the record has cause %s in phase %s, want %s", r.text("cause"), r.text("phase"), tt.cause)
				}
			})
		}
	})
}

// Reloads by the hundred under load: no session fails, nothing of them is left, and what the file says last holds.
func TestReloadStorm(t *testing.T) {
	const reloads, clients = 200, 8
	config := `
[[listener]]
name    = "edge"
address = "{address}"
relay   = "{relay}"
pool    = "nodes"
[[pool]]
name    = "nodes"
nodes   = [{nodes}]
balance = "{balance}"
check   = { type = "none" }
`
	engines(t, func(t *testing.T, relay string) {
		a, b := newStub(t, ""), newStub(t, "")
		address := loopback()
		both := fmt.Sprintf("%q, %q", a.address, b.address)
		e := start(t, config, "address", address, "relay", relay, "nodes", both, "balance", "roundrobin")
		held := connect(t, address)
		if _, err := converse(held, "hello"); err != nil {
			t.Fatal(err)
		}
		descriptors := e.descriptors()
		l := startLoad(address, clients)
		for i := range reloads {
			balance := []string{"roundrobin", "leastconn", "random"}[i%3]
			e.write(config, "address", address, "relay", relay, "nodes", both, "balance", balance)
			e.signal(syscall.SIGHUP)
			time.Sleep(5 * time.Millisecond)
		}
		e.write(config, "address", address, "relay", relay, "nodes", fmt.Sprintf("%q", a.address), "balance", "roundrobin")
		e.reload()
		before := l.count(b.address)
		until(t, "sessions after the last reload", func() bool {
			n := l.count(a.address)
			time.Sleep(100 * time.Millisecond)
			return l.count(a.address) > n
		})
		if now := l.count(b.address); now > before+clients {
			t.Errorf("%d sessions went to the node that the last reload took out", now-before)
		}
		total := l.end()
		if failed := l.errors(); len(failed) > 0 {
			t.Errorf("%d sessions failed: %v", len(failed), failed[:min(len(failed), 5)])
		}
		if _, err := converse(held, "still here"); err != nil {
			t.Errorf("the session that was there before them all: %v", err)
		}
		done := 0
		for _, r := range e.log.entries("reload") {
			if r.text("result") == "in effect" {
				done++
			}
		}
		t.Logf("%d sessions, %d of %d reloads took place", total, done, reloads+1)
		if done < reloads/10 {
			t.Errorf("%d reloads took place: nothing was shown", done)
		}
		e.sheds(descriptors)
	})
}

// A bad file changes nothing, neither what is bound nor where sessions go, and the log says what is wrong with it
// and where.
func TestBadReload(t *testing.T) {
	a := newStub(t, "")
	address, other := loopback(), loopback()
	config := `
[[listener]]
name    = "edge"
address = {address}
pool    = "{pool}"
[[pool]]
name  = "nodes"
nodes = ["{a}"]
check = { type = "none" }
`
	good := []string{"address", fmt.Sprintf("%q", address), "pool", "nodes", "a", a.address}
	e := start(t, config, good...)
	for _, bad := range []struct {
		name   string
		config string
		pairs  []string
		want   string // in the log
	}{
		{"an unknown pool", config, []string{"address", fmt.Sprintf("[%q, %q]", address, other), "pool", "noeds", "a", a.address},
			`sluice.toml:10:11: error: listener[0].pool (listener \"edge\"): no pool is named \"noeds\"; did you mean \"nodes\"?`},
		{"no TOML", "what is this", nil, "sluice.toml:6:"},
		{"an address that is taken", config, []string{"address", fmt.Sprintf("[%q, %q]", other, a.address), "pool", "nodes", "a", "127.0.0.1:1"},
			"the address is in use"},
	} {
		t.Run(bad.name, func(t *testing.T) {
			e.write(bad.config, bad.pairs...)
			if r := e.reload(); r.text("result") != "nothing has changed" {
				t.Errorf("the log says %v", r)
			}
			if !e.log.contains(bad.want) {
				t.Errorf("the log has no %q:\n%s", bad.want, e.log.tail(5))
			}
			if node, err := once(address); err != nil || node != a.address {
				t.Errorf("a session after it went to %s, %v", node, err)
			}
			if listening(other) {
				t.Errorf("it listens at %s, which only the bad file has", other)
			}
		})
	}
	e.write(strings.Replace(config, "edge", "renamed", 1), good...)
	if r := e.reload(); r.text("result") != "in effect" {
		t.Errorf("a good file after them: %v", r)
	}
}

// Ten thousand short sessions leave no descriptor and no memory behind.
func TestManyShortSessions(t *testing.T) {
	const sessions = 10_000
	engines(t, func(t *testing.T, relay string) {
		e := start(t, plainFront, "relay", relay, "node", node(t, teller("node")))
		var todo, failed atomic.Int64
		run := func(n int64) {
			todo.Store(n)
			var clients sync.WaitGroup
			for range 32 {
				clients.Go(func() {
					for todo.Add(-1) >= 0 {
						if err := tell(e.at["edge"]); err != nil && failed.Add(1) < 5 {
							t.Error(err)
						}
					}
				})
			}
			clients.Wait()
		}
		run(500) // what is opened once, and kept, is open then
		e.sessions(500)
		time.Sleep(100 * time.Millisecond)
		descriptors, memory := e.descriptors(), e.status("VmRSS")
		run(sessions)
		e.sessions(500 + sessions)
		if n := failed.Load(); n > 0 {
			t.Errorf("%d sessions failed", n)
		}
		e.sheds(descriptors)
		// Garbage may pile up to 32 MiB, and is given back when there is nothing to do.
		until(t, fmt.Sprintf("no more than 8 MiB of memory above the %d KiB before", memory), func() bool {
			return e.status("VmRSS") <= memory+8<<10
		})
		for _, s := range e.log.entries("session") {
			if s.text("cause") != "client" || s.text("bytes_in") != "4" || s.text("bytes_out") != "9" {
				t.Fatalf("a record: %v", s)
			}
		}
	})
}

// tell is one short session with a teller, ended by the client.
func tell(address string) error {
	c, err := dialer.Dial("tcp", address)
	if err != nil {
		return err
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(patience))
	io.WriteString(c, "ping")
	c.(*net.TCPConn).CloseWrite()
	got, err := io.ReadAll(c)
	if err == nil && string(got) != "node\nping" {
		err = fmt.Errorf("got %q, want the node's name and ping", got)
	}
	return err
}
