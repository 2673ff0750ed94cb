//go:build interop && linux

package interop

import (
	"bytes"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

const shop = "s3.shop.test" // the name that clients ask for

// tlvOptions is all that HAProxy 2.6 can put into a header of version 2.
const tlvOptions = "ssl,cert-cn,ssl-cipher,cert-sig,cert-key,authority,crc32c,unique-id"

// HAProxy in front: it ends the TLS of a client with a certificate and announces the client in a header. A wire
// between keeps what it sent, so that what the node got can be held against it.
func TestHAProxyInFront(t *testing.T) {
	server, client := issue(t, shop, shop), issue(t, "client one")
	tests := []struct {
		name    string
		client  string // where HAProxy listens for it
		send    string // what HAProxy sends
		proxy   string // what Sluice sends
		version int    // of what the node gets
	}{
		{"v1 to v1", "127.0.0.1", "send-proxy", "v1", 1},
		{"v1 to v2", "127.0.0.1", "send-proxy", "v2", 2},
		{"v1 passed on", "127.0.0.1", "send-proxy", "passthrough", 1},
		{"v1 of IPv6 passed on", "::1", "send-proxy", "passthrough", 1},
		{"v1 of IPv6 to v2", "::1", "send-proxy", "v2", 2},
		{"v2 to v1", "127.0.0.1", "send-proxy-v2", "v1", 1},
		{"v2 to v2", "127.0.0.1", "send-proxy-v2", "v2", 2},
		{"v2 passed on", "127.0.0.1", "send-proxy-v2", "passthrough", 2},
		{"all TLVs to v1", "127.0.0.1", "send-proxy-v2 proxy-v2-options " + tlvOptions, "v1", 1},
		{"all TLVs to v2", "127.0.0.1", "send-proxy-v2 proxy-v2-options " + tlvOptions, "v2", 2},
		{"all TLVs passed on", "127.0.0.1", "send-proxy-v2 proxy-v2-options " + tlvOptions, "passthrough", 2},
		{"all TLVs of IPv6 to v2", "::1", "send-proxy-v2 proxy-v2-options " + tlvOptions, "v2", 2},
		{"all TLVs of IPv6 passed on", "::1", "send-proxy-v2 proxy-v2-options " + tlvOptions, "passthrough", 2},
	}
	engines(t, func(t *testing.T, relay string) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				node := newRecorder(t, "127.0.0.1:0")
				e := start(t, headerFront, "relay", relay, "node", node.address, "proxy", tt.proxy)
				wire := tapped(t, e.at["edge"])
				front := free(t, tt.client)
				haproxy(t, front, `
frontend clients
  bind {front} ssl crt {server} ca-file {ca} verify required
  unique-id-format front-%ci:%cp-%pid-%rt
  default_backend sluice
backend sluice
  server sluice {sluice} {send}
`, "front", front, "server", pemFile(t, server), "ca", caFile(t), "sluice", wire.address, "send", tt.send)

				c := connectTLS(t, front, shop, client)
				if got := ask(t, c); got != answer {
					t.Errorf("the client got %q, want %q", got, answer)
				}
				c.Close()
				from, to := addrPort(c.LocalAddr().String()), addrPort(c.RemoteAddr().String())

				got := node.next(t)
				h, err := readHeader(got.sent)
				if err != nil {
					t.Fatal(err)
				}
				if h.version != tt.version || h.src != from || h.dst != to {
					t.Errorf("the node got version %d, %v to %v, want %d, %v to %v", h.version, h.src, h.dst, tt.version, from, to)
				}
				if rest := string(got.sent[len(h.raw):]); rest != request {
					t.Errorf("behind the header the node got %q, want %q", rest, request)
				}
				sent := wire.next(t).sent
				in, err := readHeader(sent)
				if err != nil {
					t.Fatal(err)
				}
				if tt.proxy == "passthrough" && !bytes.Equal(got.sent, sent) {
					t.Errorf("the node got\n%q, HAProxy had sent\n%q", got.sent, sent)
				}
				if tt.version == 2 && in.version == 2 && !slices.Equal(h.passedOn()[:len(in.passedOn())], in.passedOn()) {
					t.Errorf("the node got the TLVs\n%q, HAProxy had sent\n%q", h.passedOn(), in.passedOn())
				}
				if tt.version == 2 && strings.Contains(tt.send, tlvOptions) {
					if h.ssl(sslCommonName) != "client one" || h.ssl(sslVersion) != "TLSv1.3" || h.ssl(sslCipher) == "" ||
						h.tlv(tlvAuthority) != shop || !strings.HasPrefix(h.tlv(tlvUniqueID), "front-"+from.Addr().String()) || h.tlv(tlvCRC32C) == "" {
						t.Errorf("the node got %q: want name, version and cipher of the TLS, authority, HAProxy's id, checksum", h.tlvs)
					}
				}
				if s := e.sessions(1)[0]; s.text("client") != from.String() {
					t.Errorf("the record has client %s, want %v", s.text("client"), from)
				}
			})
		}
	})
}

// behind is HAProxy as a node: it takes a header first and answers with what it understood.
const behind = `
frontend nodes
  mode http
  bind {node} accept-proxy {tls}
  http-request return status 200 content-type text/plain lf-string "src=%ci:%cp dst=%fi:%fp authority=%[fc_pp_authority] id=%[fc_pp_unique_id]"
`

// understood is what behind answers.
func understood(src, dst netip.AddrPort, authority string) string {
	return "src=" + bare(src) + " dst=" + bare(dst) + " authority=" + authority + " id="
}

// bare is an address as HAProxy writes it, which has no brackets.
func bare(a netip.AddrPort) string {
	return strings.NewReplacer("[", "", "]", "").Replace(a.String())
}

// HAProxy behind: it understands the headers that Sluice makes, and those that it passes on.
func TestHAProxyBehind(t *testing.T) {
	other := addrPort("[2001:db8::7]:4711")
	otherTo := addrPort("[2001:db8::1]:443")
	tests := []struct {
		name   string
		listen string
		tls    string // of the listener
		proxy  string
		sent   []byte // a header that the client sends itself
		want   func(from, to netip.AddrPort) string
	}{
		{"v1", "127.0.0.1:0", "", "v1", nil,
			func(from, to netip.AddrPort) string { return understood(from, to, "") }},
		{"v2", "127.0.0.1:0", "", "v2", nil,
			func(from, to netip.AddrPort) string { return understood(from, to, "") }},
		{"v1 of IPv6", "[::1]:0", "", "v1", nil,
			func(from, to netip.AddrPort) string { return understood(from, to, "") }},
		{"v2 of IPv6", "[::1]:0", "", "v2", nil,
			func(from, to netip.AddrPort) string { return understood(from, to, "") }},
		{"v1 by name", "127.0.0.1:0", "passthrough", "v1", nil,
			func(from, to netip.AddrPort) string { return understood(from, to, "") }},
		{"v2 by name", "127.0.0.1:0", "passthrough", "v2", nil,
			func(from, to netip.AddrPort) string { return understood(from, to, shop) }},
		{"v2 by name of IPv6", "[::1]:0", "passthrough", "v2", nil,
			func(from, to netip.AddrPort) string { return understood(from, to, shop) }},
		{"v1 passed on", "127.0.0.1:0", "", "passthrough", []byte("PROXY TCP6 2001:db8::7 2001:db8::1 4711 443\r\n"),
			func(_, _ netip.AddrPort) string { return understood(other, otherTo, "") }},
		{"v2 passed on", "127.0.0.1:0", "", "passthrough",
			writeV2(other, otherTo, tlv{tlvAuthority, "a.shop.test"}, tlv{tlvUniqueID, "id-of-somebody"}),
			func(_, _ netip.AddrPort) string { return understood(other, otherTo, "a.shop.test") + "id-of-somebody" }},
		{"v2 made anew", "127.0.0.1:0", "", "v2",
			writeV2(other, otherTo, tlv{tlvAuthority, "a.shop.test"}, tlv{tlvUniqueID, "id-of-somebody"}),
			func(_, _ netip.AddrPort) string { return understood(other, otherTo, "a.shop.test") + "id-of-somebody" }},
		{"LOCAL made anew", "127.0.0.1:0", "", "v2", append([]byte(signature), 0x20, 0, 0, 0),
			nil}, // whose addresses are those of Sluice's connection to HAProxy
	}
	server := issue(t, shop, shop)
	engines(t, func(t *testing.T, relay string) {
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				address := loopback()
				var ends string
				if tt.tls != "" {
					ends = "ssl crt " + pemFile(t, server)
				}
				haproxy(t, address, behind, "node", address, "tls", ends)
				proxyFrom := "[]"
				if tt.sent != nil {
					proxyFrom = `["127.0.0.0/8"]`
				} else if tt.proxy == "passthrough" {
					t.Fatal("nothing to pass on")
				}
				e := start(t, `
[[listener]]
name       = "edge"
address    = "{listen}"
tls        = "{tls}"
proxy_from = {proxy_from}
relay      = "{relay}"
pool       = "nodes"
[[pool]]
name  = "nodes"
nodes = ["{node}"]
proxy = "{proxy}"
check = { type = "none" }
`, "listen", tt.listen, "tls", tt.tls, "proxy_from", proxyFrom, "relay", relay, "node", address, "proxy", tt.proxy)
				var c net.Conn
				if tt.tls == "" {
					c = connect(t, e.at["edge"])
					c.Write(tt.sent)
				} else {
					c = connectTLS(t, e.at["edge"], shop)
				}
				io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
				all, err := io.ReadAll(c)
				_, body, _ := strings.Cut(string(all), "\r\n\r\n")
				if err != nil || body == "" {
					t.Fatalf("got %q, %v", all, err)
				}
				if tt.want == nil {
					if !strings.HasPrefix(body, "src=127.0.0.1:") || !strings.Contains(body, "dst="+address) {
						t.Errorf("HAProxy understood %q, want its own connection from Sluice", body)
					}
					return
				}
				want := tt.want(addrPort(c.LocalAddr().String()), addrPort(c.RemoteAddr().String()))
				if !strings.HasPrefix(body, want) || strings.HasSuffix(want, "somebody") && body != want {
					t.Errorf("HAProxy understood\n%q, want\n%q", body, want)
				}
				if tt.proxy == "v2" && strings.HasSuffix(body, "id=") {
					t.Errorf("HAProxy understood %q, want an id in it", body)
				}
			})
		}
	})
}

// Sluice between two: HAProxy ends TLS in front, Sluice passes its header on or makes another, HAProxy takes it
// behind and announces the client to the node once more.
func TestHAProxyOnBothSides(t *testing.T) {
	server, client := issue(t, shop, shop), issue(t, "client one")
	engines(t, func(t *testing.T, relay string) {
		for _, proxy := range []string{"passthrough", "v2"} {
			for _, host := range []string{"127.0.0.1", "::1"} {
				t.Run(proxy+" "+host, func(t *testing.T) {
					node := newRecorder(t, "127.0.0.1:0")
					back := loopback()
					haproxy(t, back, `
frontend sluice
  bind {back} accept-proxy
  unique-id-format %[fc_pp_unique_id]
  default_backend nodes
backend nodes
  server node {node} send-proxy-v2 proxy-v2-options authority,unique-id,crc32c
`, "back", back, "node", node.address)
					after := tapped(t, back)
					e := start(t, headerFront, "relay", relay, "node", after.address, "proxy", proxy)
					before := tapped(t, e.at["edge"])
					front := free(t, host)
					haproxy(t, front, `
frontend clients
  bind {front} ssl crt {server} ca-file {ca} verify required
  unique-id-format front-%ci:%cp-%pid
  default_backend sluice
backend sluice
  server sluice {sluice} send-proxy-v2 proxy-v2-options {options}
`, "front", front, "server", pemFile(t, server), "ca", caFile(t), "sluice", before.address, "options", tlvOptions)

					c := connectTLS(t, front, shop, client)
					if got := ask(t, c); got != answer {
						t.Errorf("the client got %q, want %q", got, answer)
					}
					c.Close()
					from, to := addrPort(c.LocalAddr().String()), addrPort(c.RemoteAddr().String())

					ended := func(r *recorder) tape { // but for those that only looked whether somebody listens
						tp := r.next(t)
						for !bytes.HasSuffix(tp.sent, []byte(request)) {
							tp = r.next(t)
						}
						return tp
					}
					sent, passed, got := ended(before).sent, ended(after).sent, ended(node).sent
					in, err := readHeader(sent)
					if err != nil {
						t.Fatal(err)
					}
					out, err := readHeader(passed)
					if err != nil {
						t.Fatal(err)
					}
					if proxy == "passthrough" && !bytes.Equal(sent, passed) {
						t.Errorf("Sluice sent\n%q, and had got\n%q", passed, sent)
					}
					if !slices.Equal(out.passedOn(), in.passedOn()) || out.src != in.src || out.dst != in.dst {
						t.Errorf("Sluice announced %v to %v\n%q, and was announced %v to %v\n%q", out.src, out.dst, out.tlvs, in.src, in.dst, in.tlvs)
					}
					h, err := readHeader(got)
					if err != nil {
						t.Fatal(err)
					}
					id := "front-" + bare(from) + "-"
					if h.src != from || h.dst != to || h.tlv(tlvAuthority) != shop || !strings.HasPrefix(h.tlv(tlvUniqueID), id) {
						t.Errorf("the node was announced %v to %v, %q; want %v to %v, %s, an id that begins with %s",
							h.src, h.dst, h.tlvs, from, to, shop, id)
					}
				})
			}
		}
	})
}

// Where TLS ends at Sluice, the node is told of it: name, protocol, version, cipher and whose certificate it was, and
// whether that was shown now or in the session that is resumed. HAProxy behind takes it.
func TestTerminatedIsAnnounced(t *testing.T) {
	const shown, ofSession, verified = 2, 4, 0
	server, client := issue(t, shop, shop), issue(t, "client one")
	node := newRecorder(t, "127.0.0.1:0")
	back := loopback()
	haproxy(t, back, behind, "node", back, "tls", "")
	e := start(t, `
[[listener]]
name    = "recorded"
address = "127.0.0.1:0"
tls     = "terminate"
pool    = "recorded"
[[listener.certificate]]
cert = "{pair}"
key  = "{pair}"
[listener.client_auth]
ca   = "{ca}"
mode = "request"
[[listener]]
name    = "haproxy"
address = "[::1]:0"
tls     = "terminate"
pool    = "haproxy"
[[listener.certificate]]
cert = "{pair}"
key  = "{pair}"
[[pool]]
name  = "recorded"
nodes = ["{node}"]
proxy = "v2"
check = { type = "none" }
[[pool]]
name  = "haproxy"
nodes = ["{back}"]
proxy = "v2"
check = { type = "none" }
`, "pair", pemFile(t, server), "ca", caFile(t), "node", node.address, "back", back)

	sessions := tls.NewLRUClientSessionCache(1)
	for _, tt := range []struct {
		name         string
		certificates []tls.Certificate
		cache        tls.ClientSessionCache
		flags        byte // of the TLV, beside that there is TLS
		commonName   string
	}{
		{"a certificate", []tls.Certificate{client}, sessions, shown | ofSession, "client one"},
		{"resumed", []tls.Certificate{client}, sessions, ofSession, "client one"},
		{"no certificate", nil, nil, 0, ""},
	} {
		c := tls.Client(connect(t, e.at["recorded"]), &tls.Config{
			ServerName: shop, RootCAs: ca().Pool(), NextProtos: []string{"h2", "http/1.1"},
			Certificates: tt.certificates, ClientSessionCache: tt.cache,
		})
		if got := ask(t, c); got != answer {
			t.Errorf("%s: the client got %q, want %q", tt.name, got, answer)
		}
		st := c.ConnectionState()
		c.Close()
		if st.DidResume != (tt.name == "resumed") {
			t.Errorf("%s: the session was resumed: %t", tt.name, st.DidResume)
		}
		got := node.next(t)
		h, err := readHeader(got.sent)
		if err != nil {
			t.Fatal(err)
		}
		flags, ok := h.tlv(tlvSSL), false
		if len(flags) > 5 {
			ok = flags[0] == 1|tt.flags && (flags[4] == verified) == (tt.flags != 0)
		}
		if !ok || h.ssl(sslCommonName) != tt.commonName || h.ssl(sslVersion) != "TLSv1.3" || h.ssl(sslCipher) != tls.CipherSuiteName(st.CipherSuite) ||
			h.tlv(tlvAuthority) != shop || h.tlv(tlvALPN) != "http/1.1" || h.tlv(tlvUniqueID) == "" || h.tlv(tlvCRC32C) == "" {
			t.Errorf("%s: the node was told %q", tt.name, h.tlvs)
		}
		if from := addrPort(c.LocalAddr().String()); h.src != from || !bytes.Equal(got.sent[len(h.raw):], []byte(request)) {
			t.Errorf("%s: the node got %v and %q, want %v and the request", tt.name, h.src, got.sent[len(h.raw):], from)
		}
	}

	c := connectTLS(t, e.at["haproxy"], shop)
	io.WriteString(c, "GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
	all, err := io.ReadAll(c)
	want := understood(addrPort(c.LocalAddr().String()), addrPort(c.RemoteAddr().String()), shop)
	if _, body, _ := strings.Cut(string(all), "\r\n\r\n"); err != nil || !strings.HasPrefix(body, want) {
		t.Errorf("HAProxy understood %q, %v, want %q", body, err, want)
	}
}

// HAProxy's own checks go through Sluice to a node: it finds the node up, and clients' rules take it for what it is.
// By version 2 it announces nobody (LOCAL) and so the node is told; where either side has version 1, which cannot
// say so, the node is told HAProxy's own address.
func TestHAProxyChecksThrough(t *testing.T) {
	engines(t, func(t *testing.T, relay string) {
		for _, tt := range []struct {
			send, proxy string
			local       bool
		}{
			{"send-proxy", "v2", false}, {"send-proxy-v2", "v2", true}, {"send-proxy-v2", "passthrough", true}, {"send-proxy-v2", "v1", false},
		} {
			t.Run(tt.send+" to "+tt.proxy, func(t *testing.T) {
				node := newRecorder(t, "127.0.0.1:0")
				e := start(t, `
[[listener]]
name       = "edge"
address    = "127.0.0.1:0"
proxy_from = ["127.0.0.0/8"]
allow      = ["127.0.0.0/8"]
relay      = "{relay}"
pool       = "nodes"
[[pool]]
name  = "nodes"
nodes = ["{node}"]
proxy = "{proxy}"
check = { type = "none" }
`, "relay", relay, "node", node.address, "proxy", tt.proxy)
				front := free(t, "127.0.0.1")
				haproxy(t, front, `
frontend states
  mode http
  bind {front}
  http-request return status 200 content-type text/plain lf-string "up=%[srv_is_up(sluice/node)] checked=%[nbsrv(sluice)]"
backend sluice
  mode http
  option httpchk GET /minio/health/live
  http-check send hdr Host s3.shop.test
  timeout check 2s
  default-server inter 50ms rise 2 fall 1
  server node {sluice} check check-send-proxy {send}
`, "front", front, "sluice", e.at["edge"], "send", tt.send)
				for range 4 {
					got := node.next(t)
					h, err := readHeader(got.sent)
					if err != nil {
						t.Fatal(err)
					}
					if h.local != tt.local || !tt.local && h.src.Addr() != addrPort(e.at["edge"]).Addr() ||
						!bytes.HasPrefix(got.sent[len(h.raw):], []byte("GET /minio/health/live HTTP/1.0\r\n")) {
						t.Errorf("the node got %q, want LOCAL: %t, and a check", got.sent, tt.local)
					}
				}
				until(t, "HAProxy finds the node up", func() bool {
					c := connect(t, front)
					defer c.Close()
					io.WriteString(c, "GET / HTTP/1.0\r\n\r\n")
					all, err := io.ReadAll(c)
					return err == nil && strings.HasSuffix(string(all), "up=1 checked=1")
				})
				for _, s := range e.sessions(4) {
					if !strings.HasPrefix(s.text("client"), "127.0.0.1:") {
						t.Errorf("a check has client %s in its record, want HAProxy's own address", s.text("client"))
					}
				}
			})
		}
	})
}

// free is a port of a host that nobody has now.
func free(t *testing.T, host string) string {
	t.Helper()
	if host == "127.0.0.1" {
		return loopback()
	}
	ln, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		need.Missing(t, "needs IPv6: %v", err)
	}
	ln.Close()
	return ln.Addr().String()
}
