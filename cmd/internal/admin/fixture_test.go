package admin

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
	"github.com/sluicelb/sluice/pool"
)

// A fixture is an admin server around a real data plane, on a port of its own.
type fixture struct {
	*Server
	t       *testing.T
	cfg     *configs.Config
	base    string // of URLs
	grace   chan time.Duration
	mu      sync.Mutex // guards the fields below
	leaving bool
	last    Reload
	certs   []l4.Certificate
}

// newFixture serves listeners "s3" (plain) and "tls" (passthrough, s3.test goes to the pool) in front of
// the given nodes, after change has had its way with the configuration.
func newFixture(t *testing.T, nodes []string, change func(*configs.Config)) *fixture {
	t.Helper()
	goroutines := runtime.NumGoroutine()
	t.Cleanup(func() {
		for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > goroutines; time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				buf := make([]byte, 1<<20)
				t.Errorf("left behind: %d goroutines\n%s", runtime.NumGoroutine()-goroutines, buf[:runtime.Stack(buf, true)])
				return
			}
		}
	})
	f := &fixture{t: t, cfg: config(nodes), grace: make(chan time.Duration, 1), last: NewReload(time.Now(), nil, nil)}
	if change != nil {
		change(f.cfg)
	}
	log := slog.New(slog.NewTextHandler(t.Output(), nil))
	events := NewEvents()
	pools := pool.NewSet(log, events.PublishPool)
	data, err := l4.New(l4.Options{Log: log, Pools: pools})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		data.Close()
		pools.Close()
	})
	if err := data.Apply(f.cfg); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	f.Server = New(Process{
		Log: log, Build: Build{Version: "v1.2.3", Commit: "abc", Go: "go1.26"}, L4: data, Pools: pools, Events: events,
		Config:     func() *configs.Config { return f.cfg },
		Reload:     f.lastReload,
		LastReload: f.lastReload,
		InEffect:   func() time.Time { return began },
		Drain:      f.leave,
		Draining:   func() bool { f.mu.Lock(); defer f.mu.Unlock(); return f.leaving },
		Records:    func() RecordCounts { return RecordCounts{Dropped: 3, LeftOut: 4} },
		Certificates: func() []l4.Certificate {
			f.mu.Lock()
			defer f.mu.Unlock()
			return f.certs
		},
	})
	t.Cleanup(f.Close)
	f.commit(f.cfg.Admin)
	return f
}

// config has listeners and a pool for nodes that are not checked.
func config(nodes []string) *configs.Config {
	cfg := configs.Default()
	cfg.Path = "test.toml"
	cfg.Admin.Listen = "127.0.0.1:0"
	plain, byName := configs.DefaultListener(), configs.DefaultListener()
	plain.Name, plain.Address, plain.Pool = "s3", []string{"127.0.0.1:0"}, "s3"
	byName.Name, byName.Address, byName.TLS = "tls", []string{"127.0.0.2:0"}, configs.Passthrough
	byName.Routes = []*configs.Route{{SNI: []string{"s3.test"}, Pool: "s3"}}
	cfg.Listeners = []*configs.Listener{plain, byName}
	p := configs.DefaultPool()
	p.Name, p.Nodes, p.Check.Type = "s3", nodes, configs.CheckNone
	cfg.Pools = []*configs.Pool{p}
	return cfg
}

func (f *fixture) lastReload() Reload {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.last
}

func (f *fixture) leave(grace time.Duration) bool {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.leaving {
		return false
	}
	f.leaving = true
	f.grace <- grace
	return true
}

// commit puts an [admin] table into effect.
func (f *fixture) commit(cfg configs.Admin) {
	f.t.Helper()
	next, err := f.Prepare(cfg)
	if err != nil {
		f.t.Fatal(err)
	}
	next.Commit()
	if at := f.Address(); at != nil && at.Network() == "tcp" {
		f.base = "http://" + at.String()
	}
}

// address is where a listener of the data plane is bound.
func (f *fixture) address(listener string) string {
	f.t.Helper()
	for _, b := range f.proc.L4.Addresses() {
		if b.Listener == listener {
			return b.Address.String()
		}
	}
	f.t.Fatalf("no listener %q", listener)
	return ""
}

// do asks, and returns the status and the body. Headers are "Name: value".
func (f *fixture) do(method, path string, headers ...string) (status int, body string) {
	f.t.Helper()
	resp, body := f.exchange(method, path, headers...)
	return resp.StatusCode, body
}

func (f *fixture) exchange(method, path string, headers ...string) (*http.Response, string) {
	f.t.Helper()
	req, err := http.NewRequestWithContext(f.t.Context(), method, f.base+path, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	for _, h := range headers {
		name, value, _ := strings.Cut(h, ": ")
		if name == "Host" {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}, Timeout: 30 * time.Second}
	resp, err := client.Do(req)
	if err != nil {
		f.t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		f.t.Fatal(err)
	}
	return resp, string(body)
}

// decoded reads a body as JSON.
func decoded[T any](t *testing.T, body string) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("%v in %s", err, body)
	}
	return v
}

// listen serves connections with handle until the test ends, and returns the address.
func listen(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	var wg sync.WaitGroup
	ctx, cancel := context.WithCancel(context.Background())
	wg.Go(func() {
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			wg.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { c.Close() })()
				handle(c)
			})
		}
	})
	t.Cleanup(func() {
		cancel()
		ln.Close()
		wg.Wait()
	})
	return ln.Addr().String()
}

// echo returns everything, through a small buffer: two thousand of them with pipes would be too many
// descriptors.
func echo(c net.Conn) {
	buf := make([]byte, 512)
	for {
		n, err := c.Read(buf)
		if n > 0 {
			c.Write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// session opens one through the data plane, and has it moved five bytes each way.
func (f *fixture) session(listener string) net.Conn {
	f.t.Helper()
	c, err := net.Dial("tcp", f.address(listener))
	if err != nil {
		f.t.Fatal(err)
	}
	f.t.Cleanup(func() { c.Close() })
	c.SetDeadline(time.Now().Add(30 * time.Second))
	c.Write([]byte("hello"))
	if _, err := io.ReadFull(c, make([]byte, 5)); err != nil {
		f.t.Fatal(err)
	}
	return c
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

func timeout(t *testing.T, d time.Duration) (context.Context, context.CancelFunc) {
	t.Helper()
	return context.WithTimeout(t.Context(), d)
}
