//go:build interop && linux

package interop

import (
	"errors"
	"io"
	"maps"
	"net"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// Whoever is turned away is so at once and without reaching a node, and is counted by one reason, the right one. By access
// rules and limits it is before anything is read: those clients say nothing, and wait for no time to run out.
func TestRefusals(t *testing.T) {
	hello := string(helloFor(shop).bytes())
	const passthrough, announced = `tls = "passthrough"`, `proxy_from = ["127.0.0.0/8"]`
	tests := []struct {
		reason string
		limits string
		keys   string
		held   []string // what clients send that are let in, and stay
		sent   string   // by the one that is refused
		slow   bool     // it is refused after the second that it has, not at once
	}{
		{"denied", ``, `deny = ["127.0.0.0/8"]`, nil, "", false},
		{"denied", ``, `allow = ["192.0.2.0/24"]`, nil, "", false},
		{"sessions", `sessions = 2`, ``, []string{"a", "b"}, "", false},
		{"listener_sessions", ``, `sessions = 2`, []string{"a", "b"}, "", false},
		{"sessions_per_client", `sessions_per_client = 2`, ``, []string{"a", "b"}, "", false},
		{"rate_per_client", "rate_per_client = 0.01\nburst_per_client = 2", ``, []string{"a", "b"}, "", false},
		{"pending", `pending = 2`, passthrough, []string{hello[:9], hello[:9]}, "", false},

		{"bad_header", ``, announced, nil, "PROXY TCP4 192.0.2.1\r\n", false},
		{"header_timeout", ``, announced, nil, "PROXY TCP4 192.0.2.1", true},
		{"denied", ``, announced + "\n" + `deny = ["192.0.2.1/32"]`, nil, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", false},
		{"not_tls", ``, passthrough, nil, request, false},
		{"bad_hello", ``, passthrough, nil, "\x16\x03\x01\x00\x00", false},
		{"hello_timeout", ``, passthrough, nil, hello[:9], true},
		{"no_route", ``, passthrough, nil, hello, false},
	}
	engines(t, func(t *testing.T, relay string) {
		for _, tt := range tests {
			t.Run(tt.reason, func(t *testing.T) {
				t.Parallel()
				var reached atomic.Int64
				pool := `pool = "nodes"`
				if tt.keys == passthrough {
					pool = "" // nobody serves the name
				}
				e := start(t, `
[admin]
listen = "127.0.0.1:0"
[limits]
{limits}
[timeouts]
header = "2s"
hello  = "2s"
[[listener]]
name    = "edge"
address = "127.0.0.1:0"
relay   = "{relay}"
{pool}
{keys}
{route}
[[pool]]
name  = "nodes"
nodes = ["{node}"]
check = { type = "none" }
`, "relay", relay, "limits", tt.limits, "keys", tt.keys, "pool", pool, "route", map[bool]string{
					true: "[[listener.route]]\nsni = [\"another.test\"]\npool = \"nodes\"",
				}[pool == ""], "node", node(t, func(c *net.TCPConn) { reached.Add(1); echo(c) }))
				for _, text := range tt.held {
					c := connect(t, e.at["edge"])
					io.WriteString(c, text)
					if pool != "" {
						if _, err := io.ReadFull(c, make([]byte, 1)); err != nil {
							t.Fatalf("one of those who are let in: %v", err)
						}
					}
				}
				if pool == "" && tt.held != nil {
					time.Sleep(100 * time.Millisecond) // until they are accepted: nothing tells
				}
				before := reached.Load()
				began := time.Now()
				if err := endOf(e.at["edge"], tt.sent); err != nil {
					t.Errorf("got %v, want the end", err)
				}
				if took := time.Since(began); tt.slow != (took > 1500*time.Millisecond) {
					t.Errorf("it was over after %v", took)
				}
				want := map[string]float64{`listener="edge",reason="` + tt.reason + `"`: 1}
				if got := e.counters("sluice_rejected_total"); !maps.Equal(got, want) {
					t.Errorf("counted %v, want %v", got, want)
				}
				if n := reached.Load() - before; n != 0 {
					t.Errorf("it reached a node")
				}
			})
		}
	})
}

// endOf waits for the end of a client that sends a text. A reset may come before its connection is there.
func endOf(address, sent string) error {
	c, err := dialer.Dial("tcp", address)
	if err == nil {
		defer c.Close()
		c.SetDeadline(time.Now().Add(patience))
		io.WriteString(c, sent)
		_, err = io.ReadAll(c)
	}
	if errors.Is(err, syscall.ECONNRESET) {
		return nil
	}
	return err
}
