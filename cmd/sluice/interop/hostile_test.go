//go:build interop && linux

package interop

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"
)

// What may become of a session's first bytes.
const (
	named   = "named"   // the node that its name leads to has all of them
	byDef   = "default" // the node for all other names has; where there is none: alert 112
	alert50 = "alert50" // decode_error, and the end, at once
	closed  = "closed"  // the end without a word, at once
)

// The alerts, each as a record: type 21, version, length, fatal, description.
const (
	decodeError      = "\x15\x03\x01\x00\x02\x02\x32"
	unrecognizedName = "\x15\x03\x01\x00\x02\x02\x70"
)

// hostile is what clients may send first. Where the rules leave a choice, want has more than one word.
func hostile() []struct{ name, want, sent string } {
	h := helloFor(shop)
	good, message := h.bytes(), h.message()
	in := func(size int) string { return string(records(0x0301, size, message)) }
	name := func(name string) string { return string(helloFor(name).bytes()) }
	sni := func(value string) string { return string(h.with(extension{serverName, []byte(value)}).bytes()) }
	at := bytes.Index(message, []byte(shop)) + 3 // within the name
	claims := func(length int) string { c := h; c.length = length; return string(c.bytes()) }
	version := func(v uint16) string { return string(records(v, 1<<14, message)) }
	legacy := func(v uint16) string { l := h; l.legacy = v; return string(l.bytes()) }
	changed := func(change func(h *hello)) string { c := h; change(&c); return string(c.bytes()) }
	return []struct{ name, want, sent string }{
		{"one record", named, string(good)},
		{"records of 1 byte", named, in(1)},
		{"records of 7 bytes", named, in(7)},
		{"records of 100 bytes", named, in(100)},
		{"a record ends within the name", named, string(append(records(0x0301, at, message[:at]), records(0x0301, 1<<14, message[at:])...))},
		{"a hello of 16385 bytes", named, string(h.padded(16385).bytes())},
		{"a hello of 32 KiB", named, string(h.padded(32 << 10).bytes())},
		{"a hello of 64 KiB", named, string(h.padded(64 << 10).bytes())},
		{"64 KiB in records of 100 bytes", named, string(records(0x0301, 100, h.padded(64<<10).message()))},
		{"0-RTT of 64 KiB behind it", named, string(good) + strings.Repeat(string(record(23, 0x0303, bytes.Repeat([]byte{0x5a}, 1<<14))), 4)},
		{"a second hello behind it", named, string(good) + name("other.test")},

		{"upper case", named, name("S3.SHOP.TEST")},
		{"a dot at the end", named, name(shop + ".")},
		{"another name", byDef, name("other.test")},
		{"no name", byDef, string(h.with().bytes())},
		{"an IPv4 address", byDef, name("192.0.2.10")},
		{"an IPv6 address", byDef, name("2001:db8::1")},
		{"a NUL behind the name", byDef, name(shop + "\x00")},
		{"a NUL and another name", byDef, name(shop + "\x00.evil.test")},
		{"a newline", byDef, name(shop + "\nx")},
		{"a space", byDef, name(" " + shop)},
		{"UTF-8", byDef, name("bücher.shop.test")},
		{"a wildcard", byDef, name("*.shop.test")},
		{"a dot before it", byDef, name("." + shop)},
		{"two dots at the end", byDef, name(shop + "..")},
		{"a name of 255 bytes", byDef, name(strings.Repeat("a.", 127) + "a")},
		{"a name of 16 KB", byDef, name(strings.Repeat("a", 16000))},
		{"escapes for a terminal", byDef, name("\x1b[2J\x1b[H.test")},

		{"an empty name", alert50 + " " + byDef, name("")},
		{"an empty list of names", alert50 + " " + byDef, sni("\x00\x00")},
		{"an empty extension", alert50 + " " + byDef, sni("")},
		{"two names", alert50, string(h.with(sniOf(nameOf(0, shop), nameOf(0, "evil.test"))).bytes())},
		{"the same name twice", alert50, string(h.with(sniOf(nameOf(0, shop), nameOf(0, shop))).bytes())},
		{"server_name twice", alert50, string(h.with(sniOf(nameOf(0, shop)), sniOf(nameOf(0, "evil.test"))).bytes())},
		{"another extension twice", alert50, changed(func(h *hello) { h.extensions = append(slices.Clip(h.extensions), h.extensions[0]) })},
		{"a type of name that is not known, then the name", named + " " + alert50, string(h.with(sniOf(nameOf(1, "x"), nameOf(0, shop))).bytes())},
		{"the list is shorter than it says", alert50, sni("\x00\x20\x00\x00\x0c" + shop)},
		{"the list is longer than it says", alert50, sni("\x00\x05\x00\x00\x0c" + shop)},
		{"the name is longer than its list", alert50, sni("\x00\x0f\x00\x00\xff" + shop)},
		{"a byte behind the list", alert50, sni(string(vector16(nameOf(0, shop))) + "x")},
		{"a byte behind the extensions", alert50, changed(func(h *hello) { h.trailing = []byte{0} })},
		{"the extensions end early", alert50, string(record(22, 0x0301, shortened(message)))},

		{"a message of 64 KiB and 1", alert50, claims(1<<16 + 1)},
		{"a message of 16 MiB", alert50, claims(1<<24 - 1)},
		{"a record of 16385 bytes", alert50, string(record(22, 0x0301, h.padded(1<<14+1).message()))},
		{"a record of 65535 bytes, as claimed", alert50, "\x16\x03\x01\xff\xff" + string(message)},
		{"an empty record", alert50, "\x16\x03\x01\x00\x00" + string(good)},
		{"another handshake message", alert50, string(record(22, 0x0301, append([]byte{2}, message[1:]...)))},

		{"an alert between two records", alert50, string(record(22, 0x0301, message[:40])) + string(record(21, 0x0301, []byte{1, 90})) + string(record(22, 0x0301, message[40:]))},

		{"record of SSL 3.0", named, version(0x0300)},
		{"record of TLS 1.2", named, version(0x0303)},
		{"record of version 3.255", named, version(0x03ff)},
		{"record of version 0.0", alert50 + " " + closed, version(0)},
		{"record of version 2.0", alert50 + " " + closed, version(0x0200)},
		{"record of version 4.0", alert50 + " " + closed, version(0x0400)},
		{"hello of version 0.0", named + " " + alert50, legacy(1)},
		{"hello of version 2.0", named + " " + alert50, legacy(0x0200)},
		{"hello of version 4.0", named + " " + alert50, legacy(0x0400)},
		{"a session id of 33 bytes", named + " " + alert50, changed(func(h *hello) { h.sessionID = make([]byte, 33) })},

		{"SSL 2.0", closed, "\x80\x2e\x01\x00\x02\x00\x15\x00\x00\x00\x10" + strings.Repeat("\x00", 37)},
		{"HTTP", closed, "GET / HTTP/1.1\r\nHost: s3.shop.test\r\n\r\n"},
		{"HTTP/2", closed, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
		{"ssh", closed, "SSH-2.0-OpenSSH_9.2\r\n"},
		{"a PROXY header of nobody who may", closed, "PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n" + string(good)},
		{"a PROXY header of version 2", closed, signature + "\x20\x00\x00\x00" + string(good)},
		{"zeros", closed, strings.Repeat("\x00", 100)},
		{"an alert", closed + " " + alert50, string(record(21, 0x0303, []byte{2, 40}))},
		{"change_cipher_spec", closed + " " + alert50, string(record(20, 0x0303, []byte{1}))},
		{"application data", closed + " " + alert50, string(record(23, 0x0303, []byte("hello")))},
		{"a warning, then the hello", named + " " + alert50 + " " + closed, string(record(21, 0x0301, []byte{1, 112})) + string(good)},
	}
}

// shortened is a message whose extensions end three bytes early, all other lengths as they should be.
func shortened(message []byte) []byte {
	m := bytes.Clone(message[:len(message)-3])
	m[3] -= 3 // of 255 bytes at most
	return m
}

// Whatever comes first, it reaches the node that it should, or none; and whoever is refused is told so at once.
func TestHostileHellos(t *testing.T) {
	engines(t, func(t *testing.T, relay string) {
		e, reached := startNamed(t, relay)
		var all sync.WaitGroup
		slots := make(chan struct{}, 16)
		for _, tt := range hostile() {
			for _, listener := range []string{"edge", "strict"} {
				slots <- struct{}{}
				all.Go(func() {
					defer func() { <-slots }()
					got := verdictOn(t, e.at[listener], tt.sent)
					want := tt.want
					if listener == "strict" { // nobody is there for other names
						want = strings.ReplaceAll(want, byDef, "alert112")
					}
					if !strings.Contains(" "+want+" ", " "+got+" ") {
						t.Errorf("%s at %s: %s, want %s", tt.name, listener, got, want)
					}
				})
			}
		}
		all.Wait()

		// Cut anywhere and ended, a hello leads nowhere.
		before := reached.Load()
		good := string(helloFor(shop).bytes())
		for at := range len(good) {
			slots <- struct{}{}
			all.Go(func() {
				defer func() { <-slots }()
				if got := verdictOn(t, e.at["edge"], good[:at]+fin); got != closed {
					t.Errorf("cut at byte %d of %d: %s, want it closed", at, len(good), got)
				}
			})
		}
		all.Wait()
		if n := reached.Load() - before; n > 0 {
			t.Errorf("%d of the hellos that were cut reached a node", n)
		}
		if got := verdictOn(t, e.at["edge"], good+fin); got != named {
			t.Errorf("a hello and the client's end: %s, want it to reach its node", got)
		}
		if got := verdictOn(t, e.at["edge"], strings.Repeat("\x00", 0)+fin); got != closed {
			t.Errorf("nothing and the client's end: %s", got)
		}
		for _, s := range e.sessions(2*len(hostile()) + len(good) + 2) {
			if name := s.text("server_name"); s.text("cause") == "internal" || strings.ContainsAny(s.text("route"), "\x1b\x00\n") {
				t.Errorf("a record: %q of %v", name, s)
			}
		}
		for line := range strings.SplitSeq(e.log.all(), "\n") {
			if strings.ContainsAny(line, "\x1b\x00") {
				t.Errorf("the log has %q, want what comes from outside to be escaped", line)
			}
		}
	})
}

// fin stands for the client's end, where its bytes end so.
const fin = "<FIN>"

// startNamed starts a Sluice with a listener that has a node for the shop and one for other names, and one, strict,
// without the latter. The number is how many connections have reached nodes.
func startNamed(t *testing.T, relay string) (*edge, *atomic.Int64) {
	t.Helper()
	var reached atomic.Int64
	counted := func(serve func(*net.TCPConn)) func(*net.TCPConn) {
		return func(c *net.TCPConn) { reached.Add(1); serve(c) }
	}
	return start(t, `
[timeouts]
hello = "3s"
[[listener]]
name    = "edge"
address = "127.0.0.1:0"
tls     = "passthrough"
relay   = "{relay}"
pool    = "other"
[[listener.route]]
sni  = ["{shop}"]
pool = "shop"
[[listener]]
name    = "strict"
address = "127.0.0.1:0"
tls     = "passthrough"
relay   = "{relay}"
[[listener.route]]
sni  = ["{shop}"]
pool = "shop"
[[pool]]
name  = "shop"
nodes = ["{named}"]
check = { type = "none" }
[[pool]]
name  = "other"
nodes = ["{other}"]
check = { type = "none" }
`, "relay", relay, "shop", shop, "named", node(t, counted(teller(named))), "other", node(t, counted(teller(byDef)))), &reached
}

// verdictOn is what becomes of a client that sends this: one of the words above, or what was not to be expected.
func verdictOn(t *testing.T, address, sent string) string {
	sent, ends := strings.CutSuffix(sent, fin)
	c, err := dialer.Dial("tcp", address)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(2 * time.Second)) // less than timeouts.hello: who is refused is told at once
	go func() {
		io.WriteString(c, sent)
		if ends {
			c.(*net.TCPConn).CloseWrite()
		}
	}()
	var got []byte
	buf := make([]byte, 128<<10)
	for {
		n, err := c.Read(buf)
		got = append(got, buf[:n]...)
		for _, name := range []string{named, byDef} {
			if string(got) == name+"\n"+sent {
				return name
			}
		}
		switch {
		case err == nil:
		case string(got) == decodeError:
			return alert50
		case string(got) == unrecognizedName:
			return "alert112"
		case len(got) == 0 && (err == io.EOF || errors.Is(err, syscall.ECONNRESET)):
			return closed
		default:
			return string(got[:min(len(got), 40)]) + ": " + err.Error()
		}
	}
}

// Two thousand clients with half a hello each: what they cost is bounded and little, they are gone after
// timeouts.hello, and others are served meanwhile.
func TestHalfHellos(t *testing.T) {
	const clients = 2000
	whole := helloFor(shop).padded(1800).bytes()
	claimed := append([]byte("\x16\x03\x01\x40\x00\x01\x00\xff\xfc\x03\x03"), bytes.Repeat([]byte{0x77}, 600)...)
	engines(t, func(t *testing.T, relay string) {
		for _, tt := range []struct {
			name    string
			sent    []byte
			perHead map[string]int // KiB, by engine
		}{
			{"half of what a browser sends", whole[:900], map[string]int{"auto": 4, "copy": 16}},
			{"600 bytes of 64 KiB", claimed, map[string]int{"auto": 4, "copy": 16}},
		} {
			t.Run(tt.name, func(t *testing.T) {
				e, reached := startNamed(t, relay)
				descriptors := e.descriptors()
				if got := verdictOn(t, e.at["edge"], string(whole)); got != named {
					t.Fatal(got)
				}
				e.sheds(descriptors)
				before := e.status("VmRSS")
				began := time.Now()
				held := make([]*net.TCPConn, clients)
				for i := range held {
					held[i] = connect(t, e.at["edge"])
					held[i].Write(tt.sent)
				}
				until(t, "all are there", func() bool { return len(e.descriptors()) >= len(descriptors)+clients })
				if took := time.Since(began); took > 2500*time.Millisecond {
					t.Logf("it took %v to connect them all: the first have gone by now", took)
				}
				during := e.status("VmRSS")
				if got := verdictOn(t, e.at["edge"], string(whole)); got != named {
					t.Errorf("beside them: %s", got)
				}
				if cost := during - before; cost > clients*tt.perHead[relay] {
					t.Errorf("%d KiB for %d clients, want at most %d KiB each", cost, clients, tt.perHead[relay])
				}
				for _, c := range held {
					if n, err := io.ReadAll(c); len(n) > 0 || err != nil && !errors.Is(err, syscall.ECONNRESET) {
						t.Fatalf("got %q, %v, want the end", n, err)
					}
				}
				if took := time.Since(began); took < 2900*time.Millisecond || took > 8*time.Second {
					t.Errorf("the last ended after %v, want about the 3s of timeouts.hello", took)
				}
				e.sheds(descriptors)
				for _, s := range e.sessions(clients + 2) {
					if s.text("cause") == "timeout" && (s.text("phase") != "hello" || s["dur"].(float64) > 4) {
						t.Fatalf("a record: %v", s)
					}
				}
				if n := reached.Load(); n != 2 {
					t.Errorf("%d sessions reached a node, want the 2 that were whole", n)
				}
				t.Logf("%d KiB each; memory of the process: %d KiB before, %d with %d clients", (during-before)/clients, before, during, clients)
			})
		}
	})
}

// A client that sends a byte now and then, for ever, has the same time as one that sends nothing.
func TestSlowClients(t *testing.T) {
	const clients = 100
	header := writeV2(addrPort("192.0.2.1:1000"), addrPort("192.0.2.2:9000"), tlv{tlvNoop, strings.Repeat("x", 1000)})
	engines(t, func(t *testing.T, relay string) {
		for _, tt := range []struct {
			name  string
			keys  string
			sent  []byte
			phase string
		}{
			{"header of version 1", `proxy_from = ["127.0.0.0/8"]`, []byte("PROXY TCP4 192.0.2.1 192.0.2.2 1000 9000\r\n"), "header"},
			{"header of version 2", `proxy_from = ["127.0.0.0/8"]`, header, "header"},
			{"hello", `tls = "passthrough"`, helloFor(shop).bytes(), "hello"},
		} {
			t.Run(tt.name, func(t *testing.T) {
				var reached atomic.Int64
				e := start(t, `
[timeouts]
header = "1s"
hello  = "1s"
[[listener]]
name    = "edge"
address = "127.0.0.1:0"
relay   = "{relay}"
pool    = "nodes"
{keys}
[[pool]]
name  = "nodes"
nodes = ["{node}"]
check = { type = "none" }
`, "relay", relay, "keys", tt.keys, "node", node(t, func(*net.TCPConn) { reached.Add(1) }))
				var all sync.WaitGroup
				for range clients {
					c := connect(t, e.at["edge"])
					all.Go(func() {
						began := time.Now()
						for _, b := range tt.sent {
							if _, err := c.Write([]byte{b}); err != nil {
								break
							}
							time.Sleep(40 * time.Millisecond)
						}
						if took := time.Since(began); took < 900*time.Millisecond || took > 3*time.Second {
							t.Errorf("it was cut after %v, want about the second that it has", took)
						}
					})
				}
				all.Wait()
				for _, s := range e.sessions(clients) {
					if s.text("cause") != "timeout" || s.text("phase") != tt.phase || s["dur"].(float64) > 1.5 {
						t.Errorf("a record: %v", s)
					}
				}
				if n := reached.Load(); n > 0 {
					t.Errorf("%d reached a node", n)
				}
			})
		}
	})
}
