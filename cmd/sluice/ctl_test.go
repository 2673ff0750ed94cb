package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/admin"
)

// A balancer is a running Sluice with an admin API on a socket of its own.
type balancer struct {
	*process
	path  string // of the configuration
	admin string // unix:/path
	s3    string // where clients connect
}

// balance starts Sluice in front of nodes, whose checks are as the text says.
func balance(t *testing.T, check string, nodes ...string) *balancer {
	t.Helper()
	b := &balancer{admin: "unix:" + filepath.Join(t.TempDir(), "a.sock")}
	b.path = file(t, fmt.Sprintf(`
[admin]
listen = %q
[[listener]]
name    = "s3"
address = "127.0.0.1:0"
pool    = "s3"
[[pool]]
name  = "s3"
nodes = ["%s"]
check = { %s }
`, b.admin, strings.Join(nodes, `", "`), check))
	b.process = launch(t, "run", "-c", b.path)
	b.s3 = listenerOf(t, b.line(t, "ready "), "s3")
	return b
}

// ask runs a command against it.
func (b *balancer) ask(t *testing.T, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	return sluice(t, append([]string{args[0], "--admin", b.admin}, args[1:]...)...)
}

// status is what it says of itself.
func (b *balancer) status(t *testing.T) (st admin.Status) {
	t.Helper()
	code, stdout, stderr := b.ask(t, "status", "--json")
	if code != exitOK {
		t.Fatalf("status: got exit code %d, %s", code, stderr)
	}
	if err := json.Unmarshal([]byte(stdout), &st); err != nil {
		t.Fatal(err)
	}
	return st
}

// says checks what a command did.
func saying(t *testing.T, code int, stdout, stderr string, wantCode int, want ...string) {
	t.Helper()
	if code != wantCode {
		t.Errorf("got exit code %d, want %d; stdout %q, stderr %q", code, wantCode, stdout, stderr)
	}
	for _, w := range want {
		if !strings.Contains(stdout+stderr, w) {
			t.Errorf("got stdout %q, stderr %q, want %q in it", stdout, stderr, w)
		}
	}
}

func TestStatusAndSessions(t *testing.T) {
	node := echo(t)
	b := balance(t, `type = "tcp", interval = "50ms"`, node, "127.0.0.1:1")
	c := converse(t, b.s3)
	until(t, "the dead node is down", func() bool { return b.status(t).Pools[0].Available == 1 })

	code, out, errs := b.ask(t, "status")
	saying(t, code, out, errs, exitOK, "ready\n", "1 session open", "s3", node, "DOWN", "connection refused", "LISTENER", "POOL")
	for line := range strings.Lines(out) {
		if strings.TrimRight(line, " \n") != strings.TrimRight(line, "\n") {
			t.Errorf("line %q ends in blanks", line)
		}
	}
	// Whom it asks: by the file, and by the environment.
	code, out, errs = sluice(t, "status", "-c", b.path)
	saying(t, code, out, errs, exitOK, node)
	t.Setenv("SLUICE_ADMIN", b.admin)
	code, out, errs = sluice(t, "sessions")
	saying(t, code, out, errs, exitOK, c.LocalAddr().String(), "s3 "+node, "relay", "1 of 1 session")
	code, out, errs = b.ask(t, "sessions", "--pool", "other")
	saying(t, code, out, errs, exitOK, "0 of 1 session")
	code, out, errs = b.ask(t, "sessions", "--sort", "sideways")
	saying(t, code, out, errs, exitUsage, `sort "sideways" is not known`)

	var list admin.Sessions
	_, out, _ = b.ask(t, "sessions", "--json")
	if err := json.Unmarshal([]byte(out), &list); err != nil || len(list.Sessions) != 1 || list.Sessions[0].BytesIn != 5 {
		t.Fatalf("got %s, %v, want one session", out, err)
	}
	id := fmt.Sprint(list.Sessions[0].ID)
	code, out, errs = b.ask(t, "kill", id, "9999")
	saying(t, code, out, errs, exitFailed, "1 session ended", "no session 9999")
	if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("the client sees %v, want a reset", err)
	}
	b.says(t, "cause=killed phase=relay")
}

func TestStatusWatches(t *testing.T) {
	b := balance(t, `type = "none"`, "127.0.0.1:1")
	w := launch(t, "status", "--admin", b.admin, "--watch", "200ms")
	for range 3 {
		w.line(t, "LISTENER")
	}
	w.signal(t, syscall.SIGINT)
	w.ends(t, exitOK)
	// It ends when there is nobody to watch any more.
	w = launch(t, "status", "--admin", b.admin, "--watch", "200ms")
	w.line(t, "LISTENER")
	b.signal(t, syscall.SIGTERM)
	b.ends(t, exitOK)
	w.ends(t, exitFailed)
}

func TestNobodyThere(t *testing.T) {
	for _, command := range [][]string{{"status"}, {"sessions"}, {"drain", "s3", "n"}, {"ready", "s3", "n"}, {"maint", "s3", "n"}, {"kill", "1"}, {"reload"}, {"drain", "--all"}} {
		for _, address := range []string{"unix:" + filepath.Join(t.TempDir(), "none"), "127.0.0.1:1"} {
			code, out, errs := sluice(t, append(command, "--admin", address)...)
			saying(t, code, out, errs, exitFailed, "sluice: "+command[0]+": admin "+address+": ", "is Sluice running")
			if strings.Count(errs, "\n") != 1 || out != "" {
				t.Errorf("%q: got stdout %q, stderr %q, want one line", command, out, errs)
			}
		}
	}
}

// TestSocketIsTaken: a second Sluice does not take the socket of the first.
func TestSocketIsTaken(t *testing.T) {
	b := balance(t, `type = "none"`, "127.0.0.1:1")
	second := launch(t, "run", "-c", b.path)
	second.ends(t, exitFailed)
	second.says(t, "another process serves it")
	code, out, errs := b.ask(t, "status")
	saying(t, code, out, errs, exitOK, "ready")
}

// minioNode is a node that answers MinIO's health questions; whether the cluster can do without it is settable.
func minioNode(t *testing.T) (address string, maintenance *atomic.Int32) {
	t.Helper()
	maintenance = new(atomic.Int32)
	maintenance.Store(200)
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/minio/health/cluster" {
			w.Header().Set("X-Minio-Write-Quorum", "3")
			w.WriteHeader(int(maintenance.Load()))
		}
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String(), maintenance
}

func TestDrainCommand(t *testing.T) {
	node, maintenance := minioNode(t)
	other, _ := minioNode(t)
	b := balance(t, `type = "minio", interval = "50ms"`, node, other)
	until(t, "both are up", func() bool { s := b.status(t).Pools[0].Nodes; return s[0].Health == "up" && s[1].Health == "up" })
	adminOf := func() string { return b.status(t).Pools[0].Nodes[0].Admin }

	maintenance.Store(412)
	code, out, errs := b.ask(t, "drain", "s3", node)
	saying(t, code, out, errs, exitFailed, "without it the cluster loses write quorum (write quorum 3)", "force drains it all the same")
	if adminOf() != "ready" {
		t.Errorf("the node is in %s though that was refused", adminOf())
	}
	code, out, errs = b.ask(t, "drain", "s3", node, "--force")
	saying(t, code, out, errs, exitOK, node+": ready -> drain, 0 sessions\n", "note: without it the cluster loses write quorum")
	maintenance.Store(200)
	_, port, _ := net.SplitHostPort(node)
	code, out, errs = b.ask(t, "ready", "s3", port)
	saying(t, code, out, errs, exitOK, "drain -> ready")
	code, out, errs = b.ask(t, "drain", "s3", node, "--json")
	saying(t, code, out, errs, exitOK, `"safe": true`, `"admin": "drain"`)
	code, out, errs = b.ask(t, "maint", "s3", node)
	saying(t, code, out, errs, exitOK, "drain -> maint")

	// It outlives a reload.
	code, out, errs = b.ask(t, "reload")
	saying(t, code, out, errs, exitOK, "in effect")
	if adminOf() != "maint" {
		t.Errorf("after a reload the node is in %s, want maint", adminOf())
	}

	for _, tt := range []struct{ pool, node, want string }{
		{"s33", node, `no pool "s33"; did you mean "s3"?`},
		{"s3", node + "0", fmt.Sprintf(`no node %q in pool "s3"; did you mean %q?`, node+"0", node)},
		{"s3", "xyz", `no node "xyz" in pool "s3"; there is ` + node + ", " + other},
		{"s3", "127.0.0.1", `pool "s3" has 2 nodes that "127.0.0.1" may mean; there is ` + node + ", " + other},
	} {
		code, out, errs = b.ask(t, "drain", tt.pool, tt.node)
		saying(t, code, out, errs, exitFailed, tt.want)
	}
}

func TestDrainWaits(t *testing.T) {
	node := echo(t)
	b := balance(t, `type = "none"`, node, "127.0.0.1:1")
	b.ask(t, "maint", "s3", "127.0.0.1:1")
	a, c := converse(t, b.s3), converse(t, b.s3)
	if n := b.status(t).Pools[0].Nodes[0].Sessions; n != 2 {
		t.Fatalf("the node has %d sessions, want 2", n)
	}

	// The sessions end by themselves.
	w := launch(t, "drain", "--admin", b.admin, "s3", node, "--wait")
	w.line(t, "s3 "+node+": ready -> drain, 2 sessions")
	a.say(t, "still here")
	a.Close()
	w.says(t, "1 session left")
	c.Close()
	w.line(t, "no session is left")
	w.ends(t, exitOK)

	// Or by force, at the deadline.
	b.ask(t, "ready", "s3", node)
	d := converse(t, b.s3)
	code, out, errs := b.ask(t, "drain", "s3", node, "--wait", "--deadline", "300ms")
	saying(t, code, out, errs, exitOK, "1 session had to be ended at the deadline")
	if _, err := d.Read(make([]byte, 1)); err == nil || err == io.EOF {
		t.Errorf("the client sees %v, want a reset", err)
	}

	// Or it is undone meanwhile; or nobody waits any more.
	b.ask(t, "ready", "s3", node)
	e := converse(t, b.s3)
	w = launch(t, "drain", "--admin", b.admin, "s3", node, "--wait")
	w.says(t, "1 session left")
	b.ask(t, "ready", "s3", node)
	w.ends(t, exitFailed)
	w.says(t, "somebody has undone it")
	w = launch(t, "drain", "--admin", b.admin, "s3", node, "--wait")
	w.says(t, "1 session left")
	w.signal(t, syscall.SIGINT)
	w.ends(t, exitFailed)
	w.says(t, "the node goes on draining")
	e.say(t, "all that is nothing to me")
}

// TestDrainAll: first not ready, then no new sessions, then the end.
func TestDrainAll(t *testing.T) {
	b := balance(t, `type = "none"`, echo(t))
	c := converse(t, b.s3)
	client := &http.Client{Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", strings.TrimPrefix(b.admin, "unix:"))
		},
		DisableKeepAlives: true,
	}}
	readyz := func() int {
		resp, err := client.Get("http://localhost/readyz")
		if err != nil {
			return 0
		}
		resp.Body.Close()
		return resp.StatusCode
	}
	if got := readyz(); got != 200 {
		t.Fatalf("got readyz %d, want 200", got)
	}
	code, out, errs := b.ask(t, "drain", "--all", "--grace", "1h")
	saying(t, code, out, errs, exitUsage, `grace "1h0m0s" is no duration from 0s to 10m0s`)
	code, out, errs = b.ask(t, "drain", "--all", "--grace", "1s")
	saying(t, code, out, errs, exitOK, "not ready from now on; no new sessions in 1.0s, and from then 30s for those that are open, now 1")
	if got := readyz(); got != 503 {
		t.Errorf("got readyz %d, want 503", got)
	}
	converse(t, b.s3).Close() // within the grace
	code, out, errs = b.ask(t, "drain", "--all")
	saying(t, code, out, errs, exitOK, "draining already")
	until(t, "no new sessions", func() bool {
		conn, err := net.Dial("tcp", b.s3)
		if err == nil {
			conn.Close()
		}
		return err != nil
	})
	c.say(t, "still here")
	if got := readyz(); got != 503 {
		t.Errorf("got readyz %d, want 503 to the end", got)
	}
	w := launch(t, "drain", "--admin", b.admin, "--all", "--wait")
	w.line(t, "it is draining already")
	c.Close()
	b.ends(t, exitOK)
	w.ends(t, exitOK)
}

func TestReloadCommand(t *testing.T) {
	b := balance(t, `type = "none"`, echo(t))
	config := string(readFile(t, b.path))
	rewrite(t, b.path, config+"\nblance = \"leastconn\"\n")
	code, out, errs := b.ask(t, "reload")
	saying(t, code, out, errs, exitFailed, `did you mean "balance"?`, "nothing has changed")
	if out != "" {
		t.Errorf("got stdout %q, want nothing", out)
	}
	code, out, errs = b.ask(t, "reload", "--json")
	saying(t, code, out, errs, exitFailed, `"problems": [`)
	code, out, errs = b.ask(t, "status")
	saying(t, code, out, errs, exitOK, "REFUSED")
	converse(t, b.s3).Close()

	// An admin table can be moved by its own API.
	moved := "unix:" + filepath.Join(t.TempDir(), "b.sock")
	rewrite(t, b.path, strings.Replace(config, b.admin, moved, 1))
	code, out, errs = b.ask(t, "reload")
	saying(t, code, out, errs, exitOK, "in effect")
	code, out, errs = sluice(t, "status", "--admin", moved)
	saying(t, code, out, errs, exitOK, "ready")
	code, _, _ = b.ask(t, "status")
	if code != exitFailed {
		t.Error("the old socket still answers")
	}

	// A port that is taken is no problem of the file, and changes nothing.
	rewrite(t, b.path, config+fmt.Sprintf("\n[[listener]]\nname = \"more\"\naddress = %q\npool = \"s3\"\n", b.s3))
	code, out, errs = sluice(t, "reload", "--admin", moved)
	saying(t, code, out, errs, exitFailed, "address already in use; nothing has changed")
	code, out, errs = sluice(t, "status", "--admin", moved)
	saying(t, code, out, errs, exitOK, "REFUSED", "address already in use")
}

func TestTokenInCommands(t *testing.T) {
	const token = "0123456789abcdef"
	socket := "unix:" + filepath.Join(t.TempDir(), "a.sock")
	path := file(t, strings.Replace(inFront("127.0.0.1:1", ""), `listen = ""`, fmt.Sprintf("listen = %q\ntoken = %q", socket, token), 1))
	p := launch(t, "run", "-c", path)
	p.line(t, "ready ")
	code, out, errs := sluice(t, "status", "--admin", socket)
	saying(t, code, out, errs, exitFailed, "a token is needed")
	for _, args := range [][]string{{"--admin", socket, "--token", token}, {"-c", path}} {
		code, out, errs = sluice(t, append([]string{"status"}, args...)...)
		saying(t, code, out, errs, exitOK, "ready")
	}
	t.Setenv("SLUICE_TOKEN", token)
	code, out, errs = sluice(t, "status", "--admin", socket)
	saying(t, code, out, errs, exitOK, "ready")
	if _, help, _ := sluice(t, "help", "status"); strings.Contains(help, token) {
		t.Error("the help shows the token")
	}
}

// TestOnDownClose: a node that its checks find dead loses its sessions where the pool says so.
func TestOnDownClose(t *testing.T) {
	node := echo(t)
	var sick atomic.Bool
	health := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		if sick.Load() {
			w.WriteHeader(500)
		}
	}))
	defer health.Close()
	for _, onDown := range []string{"keep", "close"} {
		t.Run(onDown, func(t *testing.T) {
			sick.Store(false)
			port := health.Listener.Addr().(*net.TCPAddr).Port
			b := balance(t, fmt.Sprintf("type = \"http\", path = \"/\", interval = \"50ms\", port = %d }\non_down = %q\neject = { failures = 0", port, onDown), node)
			c := converse(t, b.s3)
			sick.Store(true)
			until(t, "the node is down", func() bool { return b.status(t).Pools[0].Nodes[0].Health == "down" })
			if onDown == "keep" {
				c.say(t, "still here")
				return
			}
			if _, err := c.Read(make([]byte, 1)); err == nil || err == io.EOF {
				t.Errorf("the client sees %v, want a reset", err)
			}
			b.says(t, "cause=node_down phase=relay")
		})
	}
}
