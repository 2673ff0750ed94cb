package pool

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"log/slog"
	"net/netip"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// poolConfig is a pool of nodes that are not checked and not ejected, changed by edit.
func poolConfig(nodes string, edit ...func(*configs.Pool)) *configs.Pool {
	c := configs.DefaultPool()
	c.Name = "s3"
	c.Nodes = strings.Fields(nodes)
	c.Check.Type = configs.CheckNone
	c.Check.Jitter = 0
	c.Eject.Failures = 0
	for _, e := range edit {
		e(c)
	}
	return c
}

func checked(c *configs.Pool) { c.Check.Type = configs.CheckTCP }

func balanced(b configs.Balance) func(*configs.Pool) {
	return func(c *configs.Pool) { c.Balance = b }
}

// recorder keeps the events of a set.
type recorder struct {
	mu     sync.Mutex
	events []Event
}

func (r *recorder) add(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.events = append(r.events, e)
}

// take returns "node kind old new" of the events of one kind since the last take of it.
func (r *recorder) take(kind Kind) []string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var got []string
	var rest []Event
	for _, e := range r.events {
		if e.Kind != kind {
			rest = append(rest, e)
			continue
		}
		got = append(got, e.Name+" "+e.Old+">"+e.New)
	}
	r.events = rest
	return got
}

// newSet returns a set that fails the test if it leaves goroutines behind.
func newSet(t testing.TB) (*Set, *recorder) {
	t.Helper()
	r := &recorder{}
	s := NewSet(slog.New(slog.NewTextHandler(t.Output(), nil)), r.add)
	s.lookup = func(context.Context, string) ([]netip.Addr, error) {
		t.Error("looked up a name")
		return nil, nil
	}
	t.Cleanup(func() {
		s.Close()
		var left []string
		for range 100 { // a goroutine that is done may need a moment to end
			if left = ours(); len(left) == 0 {
				return
			}
			time.Sleep(10 * time.Millisecond)
		}
		t.Errorf("goroutines after Close:\n%s", strings.Join(left, "\n\n"))
	})
	return s, r
}

// ours lists the goroutines that this package started, or net/http for it.
func ours() []string {
	buf := make([]byte, 1<<20)
	var found []string
	for g := range strings.SplitSeq(string(buf[:runtime.Stack(buf, true)]), "\n\n") {
		_, creator, _ := strings.Cut(g, "created by ")
		if strings.HasPrefix(creator, "github.com/sluicelb/sluice/pool.(") ||
			strings.HasPrefix(creator, "sync.(*WaitGroup).Go") ||
			strings.HasPrefix(creator, "net/http.(*Transport)") {
			found = append(found, g)
		}
	}
	return found
}

// commit makes cfgs current and returns the first pool.
func commit(t testing.TB, s *Set, cfgs ...*configs.Pool) *Pool {
	t.Helper()
	next, err := s.Prepare(cfgs)
	if err != nil {
		t.Fatal(err)
	}
	next.Commit()
	return s.Pools()[0]
}

// nodes makes a pool of its own set.
func newTestPool(t testing.TB, c *configs.Pool) *Pool {
	t.Helper()
	s, _ := newSet(t)
	return commit(t, s, c)
}

// force sets the facts of a node without their causes.
func (n *Node) force(change func(state) state) { n.state.Store(uint32(change(n.load()))) }

func (n *Node) forceHealth(h Health) { n.force(func(s state) state { return s.withHealth(h) }) }

// node finds a node by a part of its name.
func node(t testing.TB, p *Pool, name string) *Node {
	t.Helper()
	for _, n := range p.Nodes() {
		if strings.Contains(n.Name(), name) {
			return n
		}
	}
	t.Fatalf("no node %q", name)
	return nil
}

var client = netip.MustParseAddr("192.0.2.7")

// pick wants a node.
func pick(t testing.TB, p *Pool, tried ...*Node) *Node {
	t.Helper()
	n, err := p.Pick(client, tried)
	if err != nil {
		t.Fatalf("Pick: %v", err)
	}
	return n
}

// writePair writes a certificate and its key into files.
func writePair(t *testing.T, pair tls.Certificate) (certFile, keyFile string) {
	t.Helper()
	key, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	certFile, keyFile = filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
	for file, block := range map[string]*pem.Block{
		certFile: {Type: "CERTIFICATE", Bytes: pair.Certificate[0]},
		keyFile:  {Type: "PRIVATE KEY", Bytes: key},
	} {
		if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return certFile, keyFile
}

// words are collected by a server's goroutines.
type words struct {
	mu   sync.Mutex
	list []string
}

func (w *words) add(s string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.list = append(w.list, s)
}

// take returns the words since the last take.
func (w *words) take() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	got := strings.Join(w.list, " ")
	w.list = nil
	return got
}
