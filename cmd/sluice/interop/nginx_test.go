//go:build interop && linux

package interop

import (
	"bytes"
	"io"
	"net"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

// nginx in front: its stream module ends TLS and announces the client by version 1.
func TestNginxInFront(t *testing.T) {
	server := pemFile(t, issue(t, shop, shop))
	engines(t, func(t *testing.T, relay string) {
		for _, tt := range []struct{ host, proxy string }{
			{"127.0.0.1", "v1"}, {"127.0.0.1", "v2"}, {"127.0.0.1", "passthrough"}, {"::1", "v2"}, {"::1", "passthrough"},
		} {
			t.Run(tt.host+" "+tt.proxy, func(t *testing.T) {
				node := newRecorder(t, "127.0.0.1:0")
				e := start(t, headerFront, "relay", relay, "node", node.address, "proxy", tt.proxy)
				front := free(t, tt.host)
				nginx(t, front, `
stream {
  server {
    listen {front} ssl;
    ssl_certificate {server};
    ssl_certificate_key {server};
    proxy_protocol on;
    proxy_pass {sluice};
  }
}
`, "front", front, "server", server, "sluice", e.at["edge"])
				c := connectTLS(t, front, shop)
				if got := ask(t, c); got != answer {
					t.Errorf("the client got %q, want %q", got, answer)
				}
				got := node.next(t)
				h, err := readHeader(got.sent)
				if err != nil {
					t.Fatal(err)
				}
				from, to := addrPort(c.LocalAddr().String()), addrPort(c.RemoteAddr().String())
				if h.src != from || h.dst != to || !bytes.Equal(got.sent[len(h.raw):], []byte(request)) {
					t.Errorf("the node got %q, want %v to %v, and the request", got.sent, from, to)
				}
				if s := e.sessions(1)[0]; s.text("client") != from.String() {
					t.Errorf("the record has client %s, want %v", s.text("client"), from)
				}
			})
		}
	})
}

// nginxHeaderMax is the longest header that nginx 1.22 takes.
const nginxHeaderMax = 107

// nginx behind: it understands the headers that Sluice makes. Of version 2 nginx 1.22 takes short ones only; what
// Sluice sends for a session routed by port is short enough, TLVs that were passed on or a long name need not be.
func TestNginxBehind(t *testing.T) {
	server := pemFile(t, issue(t, shop, shop))
	long := strings.Repeat("x", 40) + ".shop.test"
	tests := []struct {
		name   string
		listen string
		tls    string
		proxy  string
		asked  string // the name
		ok     bool
	}{
		{"v1", "127.0.0.1:0", "", "v1", "", true},
		{"v2", "127.0.0.1:0", "", "v2", "", true},
		{"v1 of IPv6", "[::1]:0", "", "v1", "", true},
		{"v2 of IPv6", "[::1]:0", "", "v2", "", true},
		{"v1 by name", "127.0.0.1:0", "passthrough", "v1", shop, true},
		{"v2 by name", "127.0.0.1:0", "passthrough", "v2", shop, true},
		{"v1 by a long name of IPv6", "[::1]:0", "passthrough", "v1", long, true},
		{"v2 by a long name of IPv6", "[::1]:0", "passthrough", "v2", long, false},
	}
	engines(t, func(t *testing.T, relay string) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				node := loopback()
				ends := ""
				if tt.tls != "" {
					ends = "ssl"
				}
				nginx(t, node, `
http {
  access_log off;
  server {
    listen {node} proxy_protocol {ends};
    ssl_certificate {server};
    ssl_certificate_key {server};
    return 200 "src=$proxy_protocol_addr:$proxy_protocol_port dst=$proxy_protocol_server_addr:$proxy_protocol_server_port";
  }
}
`, "node", node, "ends", ends, "server", server)
				wire := tapped(t, node)
				e := start(t, `
[[listener]]
name    = "edge"
address = "{listen}"
tls     = "{tls}"
relay   = "{relay}"
pool    = "nodes"
[[pool]]
name  = "nodes"
nodes = ["{node}"]
proxy = "{proxy}"
check = { type = "none" }
`, "listen", tt.listen, "tls", tt.tls, "relay", relay, "node", wire.address, "proxy", tt.proxy)
				var c net.Conn = connect(t, e.at["edge"])
				if tt.tls != "" {
					c = clientTLS(c, tt.asked)
				}
				want := "src=" + bare(addrPort(c.LocalAddr().String())) + " dst=" + bare(addrPort(c.RemoteAddr().String()))
				io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
				all, err := io.ReadAll(c)
				c.Close()
				h, bad := readHeader(wire.next(t).sent)
				if bad != nil {
					t.Fatal(bad)
				}
				if fits := tt.proxy == "v1" || len(h.raw) <= nginxHeaderMax; fits != tt.ok {
					t.Errorf("Sluice sent a header of %d bytes, want it to fit nginx: %t", len(h.raw), tt.ok)
				}
				if ok := err == nil && strings.HasSuffix(string(all), want); ok != tt.ok {
					t.Errorf("behind a header of %d bytes: got %q, %v, want %q: %t", len(h.raw), all, err, want, tt.ok)
				}
			})
		}
	})
}

// curl --haproxy-protocol is a client that sends a header of its own.
func TestCurlSendsHeader(t *testing.T) {
	curl := need.Program(t, "curl")
	engines(t, func(t *testing.T, relay string) {
		for _, proxy := range []string{"passthrough", "v1", "v2", "off"} {
			t.Run(proxy, func(t *testing.T) {
				node := newRecorder(t, "127.0.0.1:0")
				e := start(t, headerFront, "relay", relay, "node", node.address, "proxy", proxy)
				if out := output(t, curl, "--silent", "--show-error", "--max-time", "10", "--haproxy-protocol", "http://"+e.at["edge"]+"/"); out != "hello" {
					t.Errorf("curl got %q, want hello", out)
				}
				sent := node.next(t).sent
				client := e.sessions(1)[0].text("client")
				if proxy == "off" {
					if !bytes.HasPrefix(sent, []byte("GET / HTTP/1.1\r\n")) {
						t.Errorf("the node got %q, want a request and nothing before it", sent)
					}
					return
				}
				h, err := readHeader(sent)
				if err != nil || h.src.String() != client || h.dst.String() != e.at["edge"] || !bytes.HasPrefix(sent[len(h.raw):], []byte("GET / HTTP/1.1\r\n")) {
					t.Errorf("the node got %q, %v, want %s to %s, and a request", sent, err, client, e.at["edge"])
				}
			})
		}
	})
}
