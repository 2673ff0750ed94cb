package admin

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/need"
	"github.com/sluicelb/sluice/configs"
)

func socketConfig(t *testing.T, mode configs.FileMode) configs.Admin {
	t.Helper()
	cfg := configs.Default().Admin
	cfg.Listen, cfg.Mode = "unix:"+filepath.Join(t.TempDir(), "admin.sock"), mode
	return cfg
}

func TestUnixSocket(t *testing.T) {
	cfg := socketConfig(t, 0o600)
	path := strings.TrimPrefix(cfg.Listen, "unix:")
	f := newFixture(t, []string{"127.0.0.1:1"}, func(c *configs.Config) { c.Admin = cfg })
	modeOf := func() fs.FileMode {
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		return info.Mode()
	}
	if got, want := modeOf(), fs.ModeSocket|0o600; got != want {
		t.Errorf("got mode %v, want %v", got, want)
	}
	client, err := NewClient(cfg.Listen, "")
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	if st, err := client.Status(t.Context()); err != nil || len(st.Pools) != 1 {
		t.Errorf("got %+v, %v, want one pool", st, err)
	}

	// A reload with another mode makes the socket anew, under requests.
	cfg.Mode = 0o660
	f.commit(cfg)
	if got, want := modeOf(), fs.ModeSocket|0o660; got != want {
		t.Errorf("after the reload: got mode %v, want %v", got, want)
	}
	client.Close()
	if _, err := client.Status(t.Context()); err != nil {
		t.Errorf("after the reload: %v", err)
	}

	f.Close()
	if _, err := os.Lstat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}

func TestUnixSocketGroup(t *testing.T) {
	need.Root(t) // to give a file to another group
	group, err := user.LookupGroup("daemon")
	if err != nil {
		need.Missing(t, "needs the group daemon: %v", err)
	}
	cfg := socketConfig(t, 0o660)
	cfg.Group = "daemon"
	newFixture(t, []string{"127.0.0.1:1"}, func(c *configs.Config) { c.Admin = cfg })
	info, err := os.Stat(strings.TrimPrefix(cfg.Listen, "unix:"))
	if err != nil {
		t.Fatal(err)
	}
	if got := strconv.Itoa(int(info.Sys().(*syscall.Stat_t).Gid)); got != group.Gid {
		t.Errorf("got group %s, want %s", got, group.Gid)
	}
}

func TestUnixSocketPlaces(t *testing.T) {
	bindAt := func(path string, group string) error {
		ln, err := bind(&configs.Admin{Listen: "unix:" + path, Mode: 0o600, Group: group})
		if err == nil {
			ln.Close()
		}
		return err
	}
	t.Run("stale", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		ln, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
		if err != nil {
			t.Fatal(err)
		}
		ln.SetUnlinkOnClose(false)
		ln.Close()
		if err := bindAt(path, ""); err != nil {
			t.Errorf("got %v, want the socket that nobody serves replaced", err)
		}
	})
	t.Run("file", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "s")
		if err := os.WriteFile(path, []byte("precious"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := bindAt(path, ""); err == nil || !strings.Contains(err.Error(), "no socket") {
			t.Errorf("got %v, want a refusal", err)
		}
		if text, _ := os.ReadFile(path); string(text) != "precious" {
			t.Errorf("the file has become %q", text)
		}
	})
	t.Run("group", func(t *testing.T) {
		dir := t.TempDir()
		if err := bindAt(filepath.Join(dir, "s"), "no-such-group"); err == nil || !strings.Contains(err.Error(), `admin.group "no-such-group"`) {
			t.Errorf("got %v, want the group named", err)
		}
		if left, _ := os.ReadDir(dir); len(left) > 0 {
			t.Errorf("left behind: %v", left)
		}
	})
	t.Run("folder", func(t *testing.T) {
		if err := bindAt(filepath.Join(t.TempDir(), "no", "s"), ""); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("got %v, want that there is no such folder", err)
		}
	})
}

func TestMoves(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	first := f.base
	cfg := f.cfg.Admin
	cfg.Listen = "127.0.0.2:0"
	f.commit(cfg)
	if f.base == first {
		t.Fatal("it did not move")
	}
	if status, _ := f.do("GET", "/healthz"); status != 200 {
		t.Errorf("at the new address: got %d, want 200", status)
	}
	if conn, err := net.Dial("tcp", strings.TrimPrefix(first, "http://")); err == nil {
		conn.Close()
		t.Error("the old address still listens")
	}
	// One that cannot be bound changes nothing.
	bad := cfg
	bad.Listen = strings.TrimPrefix(f.base, "http://")
	if _, err := f.Prepare(bad); !errors.Is(err, syscall.EADDRINUSE) || !strings.Contains(err.Error(), "admin.listen") {
		t.Errorf("got %v, want admin.listen: the address is in use", err)
	}
	if status, _ := f.do("GET", "/healthz"); status != 200 {
		t.Errorf("after a move that failed: got %d, want 200", status)
	}
	cfg.Listen = ""
	f.commit(cfg)
	if f.Address() != nil {
		t.Errorf("still at %v", f.Address())
	}
}

// TestConnectionsAreBounded holds more connections open than there may be: the next waits, and is served
// when one ends.
func TestConnectionsAreBounded(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	b := newBounded(ln, 2)
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { io.WriteString(w, "ok") })}
	go srv.Serve(b)
	defer srv.Close()
	var conns []net.Conn
	for range 3 {
		c, err := net.Dial("tcp", ln.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		defer c.Close()
		io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\n\r\n")
		conns = append(conns, c)
	}
	one := make([]byte, 1)
	for _, c := range conns[:2] {
		if _, err := io.ReadFull(c, one); err != nil {
			t.Fatal(err)
		}
	}
	conns[2].SetReadDeadline(time.Now().Add(50 * time.Millisecond))
	if _, err := conns[2].Read(one); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a third is served beside two: %v", err)
	}
	conns[0].Close()
	conns[2].SetReadDeadline(time.Now().Add(10 * time.Second))
	if _, err := io.ReadFull(conns[2], one); err != nil {
		t.Errorf("it is not served when there is room: %v", err)
	}
}

func TestClosedServerRefuses(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	f.Close()
	if _, err := f.Prepare(f.cfg.Admin); err == nil {
		t.Error("a closed server prepares")
	}
	f.Close() // twice does nothing
	client, err := NewClient(strings.TrimPrefix(f.base, "http://"), "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := client.Status(context.Background()); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("got %v, want it refused", err)
	}
}
