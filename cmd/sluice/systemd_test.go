package main

import (
	"net"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestServiceManager stands in for systemd: what it hears, in which order, and that a watchdog hears it too
// while sessions are drained.
func TestServiceManager(t *testing.T) {
	path := filepath.Join(t.TempDir(), "notify.sock")
	socket, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	defer socket.Close()
	hears := func(want string) string {
		t.Helper()
		socket.SetReadDeadline(time.Now().Add(20 * time.Second))
		for b := make([]byte, 4096); ; {
			n, err := socket.Read(b)
			if err != nil {
				t.Fatalf("waiting for %s: %v", want, err)
			}
			switch got := string(b[:n]); {
			case strings.HasPrefix(got, want):
				return got
			case got != "WATCHDOG=1":
				t.Fatalf("got %q, want %s", got, want)
			}
		}
	}
	t.Setenv("NOTIFY_SOCKET", path)
	t.Setenv("WATCHDOG_USEC", "100000")
	p := launch(t, "run", "-c", file(t, inFront(echo(t), "[timeouts]\ndrain = \"20s\"\n")))
	if got := hears("READY=1"); !strings.Contains(got, "\nSTATUS=ready s3=127.0.0.1:") {
		t.Errorf("got %q, want where it listens", got)
	}
	c := converse(t, listenerOf(t, p.line(t, "ready "), "s3"))
	hears("WATCHDOG=1")
	p.signal(t, syscall.SIGHUP)
	if got := hears("RELOADING=1"); !strings.Contains(got, "\nMONOTONIC_USEC=") {
		t.Errorf("got %q, want the time as well: Type=notify-reload needs it", got)
	}
	hears("READY=1")
	p.signal(t, syscall.SIGTERM)
	hears("STOPPING=1")
	hears("WATCHDOG=1")
	c.say(t, "still here")
	c.Close()
	p.ends(t, exitOK)
}
