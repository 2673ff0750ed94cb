package l4

import (
	"bytes"
	"errors"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/sluicelb/sluice/configs"
)

var loopback = []netip.Prefix{netip.MustParsePrefix("127.0.0.0/8")}

// Every sample header, whole and cut in two at every byte, as its index says: the payload behind it reaches
// the node and nothing else does; the client is who the header announces.
func TestProxyHeaderSamples(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		for _, s := range proxySamples(t) {
			cfg := plain(relay, teller(t, "node"))
			cfg.Listeners[0].ProxyFrom = loopback
			srv := serve(t, cfg)
			var wg sync.WaitGroup
			slots := make(chan struct{}, 16)
			for at := range s.bytes {
				slots <- struct{}{}
				wg.Go(func() {
					defer func() { <-slots }()
					got, err := ask(t, srv.addr("s3"), 500*time.Microsecond, s.bytes[:at], s.bytes[at:])
					want := append([]byte("node\n"), s.bytes[s.HeaderLen:]...)
					if s.Expect == "reject" {
						want = nil
						if errors.Is(err, syscall.ECONNRESET) {
							err = nil
						}
					}
					if err != nil || !bytes.Equal(got, want) {
						t.Errorf("%s cut at %d: got %q, %v, want %q", s.Name, at, got, err, want)
					}
				})
			}
			wg.Wait()
			for _, r := range srv.wait(len(s.bytes)) {
				switch {
				case s.Expect == "reject" && (r.Cause != CauseBadHeader || r.Phase != PhaseHeader):
					t.Errorf("%s: got %v in %v, want bad_header in header", s.Name, r.Cause, r.Phase)
				case s.Expect == "accept" && r.Client.String() != *s.Src:
					t.Errorf("%s: got client %v, want %v", s.Name, r.Client, *s.Src)
				case s.Expect == "local" && !loopback[0].Contains(r.Client.Addr()):
					t.Errorf("%s: got client %v, want the peer", s.Name, r.Client)
				}
			}
			refused := srv.Listeners()[0].Refused(RefusedHeader)
			if want := uint64(len(s.bytes)); s.Expect == "reject" && refused != want || s.Expect != "reject" && refused != 0 {
				t.Errorf("%s: %d refused", s.Name, refused)
			}
			srv.Close()
		}
	})
}

// A peer outside proxy_from is not believed: what looks like a header is its payload.
func TestProxyHeaderFromStranger(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cfg := plain(relay, teller(t, "node"))
		cfg.Listeners[0].ProxyFrom = []netip.Prefix{netip.MustParsePrefix("192.0.2.0/24")}
		srv := serve(t, cfg)
		for _, s := range proxySamples(t) {
			got, err := ask(t, srv.addr("s3"), 0, s.bytes)
			if want := append([]byte("node\n"), s.bytes...); err != nil || !bytes.Equal(got, want) {
				t.Errorf("%s: got %q, %v, want %q", s.Name, got, err, want)
			}
		}
		for _, r := range srv.wait(len(proxySamples(t))) {
			if !loopback[0].Contains(r.Client.Addr()) {
				t.Errorf("got client %v", r.Client)
			}
		}
	})
}

func TestProxyHeaderTimeout(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cfg := plain(relay, teller(t, "node"))
		cfg.Listeners[0].ProxyFrom = loopback
		cfg.Timeouts.Header = 200 * time.Millisecond
		srv := serve(t, cfg)
		c := dial(t, srv.addr("s3"))
		c.Write([]byte("PROXY TCP4 192."))
		if n, err := c.Read(make([]byte, 1)); n != 0 || err == nil {
			t.Errorf("got %d, %v, want the end", n, err)
		}
		r := srv.wait(1)[0]
		if r.Cause != CauseTimeout || r.Phase != PhaseHeader || r.Duration > time.Second {
			t.Errorf("got %v in %v after %v, want timeout in header after 200ms", r.Cause, r.Phase, r.Duration)
		}
	})
}

// Behind the header, a hello: its time begins anew, and it is routed like any other.
func TestProxyHeaderThenHello(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cfg := routed(relay, []string{"*.shop.test"}, teller(t, "named"), teller(t, "other"))
		cfg.Listeners[0].ProxyFrom = loopback
		srv := serve(t, cfg)
		header, hello := proxySampleNamed(t, "v2_tcp4"), samples(t)[6].bytes
		for _, at := range []int{0, 1, 27, 28, 29, 100} {
			all := append(bytes.Clone(header), hello...)
			got, err := ask(t, srv.addr("tls"), time.Millisecond, all[:at], all[at:])
			if want := append([]byte("named\n"), hello...); err != nil || !bytes.Equal(got, want) {
				t.Errorf("cut at %d: got %.20q, %v", at, got, err)
			}
		}
	})
}

// What a node is sent first, by proxy setting; also where the node speaks first, and where the session came
// with a header itself.
func TestProxyHeaderOut(t *testing.T) {
	type seen struct {
		header proxyHeader
		rest   string
		err    error
	}
	engines(t, func(t *testing.T, relay configs.Relay) {
		for _, tt := range []struct {
			proxy    configs.ProxyOut
			incoming string // sample
			version  int
		}{
			{configs.ProxyV1, "", 1},
			{configs.ProxyV2, "", 2},
			{configs.ProxyV2, "v2_tlv_ssl", 2},
			{configs.ProxyV1, "v2_tcp6", 1},
			{configs.ProxyV2, "v2_local_unspec_len0", 2},
			{configs.ProxyPassthrough, "v2_tlv_ssl", 2},
			{configs.ProxyPassthrough, "v1_tcp4", 1},
			{configs.ProxyPassthrough, "", 2},
		} {
			got := make(chan seen, 1)
			node := startNode(t, func(c *net.TCPConn) {
				var s seen
				buf := make([]byte, 0, 4096)
				for {
					n, err := c.Read(buf[len(buf):cap(buf)])
					buf = buf[:len(buf)+n]
					if s.header, s.err = parseProxyHeader(buf); s.err == nil || err != nil {
						break
					}
				}
				io.WriteString(c, "220 ready\n") // before the client has said anything
				rest, _ := io.ReadAll(c)
				s.rest = string(buf[len(s.header.raw):]) + string(rest)
				got <- s
			})
			cfg := plain(relay, node)
			cfg.Pools[0].Proxy = tt.proxy
			var in proxySample
			if tt.incoming != "" {
				cfg.Listeners[0].ProxyFrom = loopback
				for _, s := range proxySamples(t) {
					if s.Name == tt.incoming {
						in = s
					}
				}
			}
			srv := serve(t, cfg)
			c := dial(t, srv.addr("s3"))
			c.Write(in.bytes[:in.HeaderLen])
			greeting := make([]byte, 10)
			if _, err := io.ReadFull(c, greeting); err != nil || string(greeting) != "220 ready\n" {
				t.Fatalf("%s behind %q: got %q, %v", tt.proxy, tt.incoming, greeting, err)
			}
			c.Write([]byte("payload"))
			c.CloseWrite()
			s := <-got
			if s.err != nil || s.rest != "payload" || s.header.version != tt.version {
				t.Errorf("%s behind %q: node got version %d, %q, %v", tt.proxy, tt.incoming, s.header.version, s.rest, s.err)
			}
			switch {
			case tt.proxy == configs.ProxyPassthrough && tt.incoming != "":
				if !bytes.Equal(s.header.raw, in.bytes[:in.HeaderLen]) {
					t.Errorf("%s: node got %q, want the client's own header", tt.incoming, s.header.raw)
				}
			case in.Expect == "local":
				if !s.header.local {
					t.Errorf("%s behind %q: node got %v, want LOCAL", tt.proxy, tt.incoming, s.header.src)
				}
			case tt.incoming != "":
				if s.header.src.String() != *in.Src {
					t.Errorf("%s behind %q: node got %v, want %v", tt.proxy, tt.incoming, s.header.src, *in.Src)
				}
			default:
				if want := c.LocalAddr().String(); s.header.src.String() != want || s.header.dst.String() != srv.addr("s3") {
					t.Errorf("%s: node got %v to %v, want %v to %v", tt.proxy, s.header.src, s.header.dst, want, srv.addr("s3"))
				}
			}
			if r := srv.wait(1)[0]; r.BytesIn != 7 || r.BytesOut != 10 {
				t.Errorf("%s behind %q: %d bytes in, %d out, want 7 and 10", tt.proxy, tt.incoming, r.BytesIn, r.BytesOut)
			}
			srv.Close()
		}
	})
}

// An id that a connection was given on its way stays: it is what tells it through all its proxies. One without
// gets an id here.
func TestUniqueID(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		got := make(chan []byte, 1)
		cfg := plain(relay, startNode(t, func(c *net.TCPConn) {
			all, _ := io.ReadAll(c)
			got <- all
		}))
		cfg.Listeners[0].ProxyFrom = loopback
		cfg.Pools[0].Proxy = configs.ProxyV2
		srv := serve(t, cfg)
		for _, tt := range []struct {
			sent []byte
			want string
		}{
			{v2(0x21, 0x11, tcp4, tlv(proxyproto.PP2_TYPE_UNIQUE_ID, "of another")), "of another"},
			{v2(0x21, 0x11, tcp4), srv.name + "-2"},
		} {
			c := dial(t, srv.addr("s3"))
			c.Write(tt.sent)
			c.CloseWrite()
			h, err := parseProxyHeader(<-got)
			if id, _ := findTLV(h.tlvs, proxyproto.PP2_TYPE_UNIQUE_ID); err != nil || string(id) != tt.want {
				t.Errorf("the node got the id %q, %v, want %q", id, err, tt.want)
			}
		}
	})
}

func TestAccessRules(t *testing.T) {
	tests := []struct {
		allow, deny []string
		ok          bool
	}{
		{nil, nil, true},
		{[]string{"127.0.0.0/8"}, nil, true},
		{[]string{"192.0.2.0/24"}, nil, false},
		{nil, []string{"127.0.0.1/32"}, false},
		{[]string{"127.0.0.0/8"}, []string{"127.0.0.1/32"}, false},
	}
	prefixes := func(texts []string) (all []netip.Prefix) {
		for _, p := range texts {
			all = append(all, netip.MustParsePrefix(p))
		}
		return all
	}
	engines(t, func(t *testing.T, relay configs.Relay) {
		for _, tt := range tests {
			cfg := plain(relay, teller(t, "node"))
			cfg.Listeners[0].Allow, cfg.Listeners[0].Deny = prefixes(tt.allow), prefixes(tt.deny)
			srv := serve(t, cfg)
			got := attempt1(srv.addr("s3"))
			if got != tt.ok {
				t.Errorf("allow %v deny %v: got %v", tt.allow, tt.deny, got)
			}
			if n := srv.Listeners()[0].Refused(RefusedDenied); (n == 1) == tt.ok {
				t.Errorf("allow %v deny %v: counted %d", tt.allow, tt.deny, n)
			}
			srv.Close()
		}
	})
}

// attempt1 reports whether a session gets to a teller.
func attempt1(addr string) bool {
	c, err := net.Dial("tcp", addr)
	if err != nil {
		return false
	}
	defer c.Close()
	c.SetDeadline(time.Now().Add(5 * time.Second))
	n, _ := c.Read(make([]byte, 16))
	return n > 0
}

// The announced client is whom access rules and limits mean, not the balancer in front.
func TestRulesMeanTheAnnounced(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cfg := plain(relay, teller(t, "node"))
		cfg.Listeners[0].ProxyFrom = loopback
		cfg.Listeners[0].Deny = []netip.Prefix{netip.MustParsePrefix("192.0.2.66/32")}
		cfg.Limits.SessionsPerClient = 1
		srv := serve(t, cfg)
		open := func(client string) bool {
			c := dial(t, srv.addr("s3"))
			io.WriteString(c, "PROXY TCP4 "+client+" 198.51.100.1 1000 9000\r\n")
			n, _ := c.Read(make([]byte, 16))
			return n > 0
		}
		for _, tt := range []struct {
			client string
			ok     bool
		}{{"192.0.2.1", true}, {"192.0.2.2", true}, {"192.0.2.1", false}, {"192.0.2.66", false}, {"192.0.2.3", true}} {
			if got := open(tt.client); got != tt.ok {
				t.Errorf("%s: got %v, want %v", tt.client, got, tt.ok)
			}
		}
		ln := srv.Listeners()[0]
		if ln.Refused(RefusedClient) != 1 || ln.Refused(RefusedDenied) != 1 {
			t.Errorf("counted %d and %d, want one each", ln.Refused(RefusedClient), ln.Refused(RefusedDenied))
		}
	})
}

func TestLimits(t *testing.T) {
	tests := []struct {
		reason Reason
		set    func(*configs.Config)
	}{
		{RefusedClient, func(c *configs.Config) { c.Limits.SessionsPerClient = 3 }},
		{RefusedRate, func(c *configs.Config) { c.Limits.RatePerClient, c.Limits.BurstPerClient = 0.01, 3 }},
		{RefusedListener, func(c *configs.Config) { c.Listeners[0].Sessions = 3 }},
		{RefusedSessions, func(c *configs.Config) { c.Limits.Sessions = 3 }},
	}
	engines(t, func(t *testing.T, relay configs.Relay) {
		for _, tt := range tests {
			cfg := plain(relay, teller(t, "node"))
			tt.set(cfg)
			srv := serve(t, cfg)
			var held []*net.TCPConn
			for range 3 {
				c := dial(t, srv.addr("s3"))
				if _, err := c.Read(make([]byte, 5)); err != nil {
					t.Fatalf("%v: %v", tt.reason, err)
				}
				held = append(held, c)
			}
			if attempt1(srv.addr("s3")) {
				t.Errorf("%v: the fourth was let in", tt.reason)
			}
			if n := srv.Listeners()[0].Refused(tt.reason); n != 1 {
				t.Errorf("%v: counted %d, want 1", tt.reason, n)
			}
			for _, c := range held {
				c.Close()
			}
			srv.wait(3)
			if again := attempt1(srv.addr("s3")); again == (tt.reason == RefusedRate) {
				t.Errorf("%v: after the others have gone: %v", tt.reason, again)
			}
			srv.Close()
		}
	})
}

// Sessions that have no node yet are bounded; those that relay do not count.
func TestPendingLimit(t *testing.T) {
	engines(t, func(t *testing.T, relay configs.Relay) {
		cfg := routed(relay, []string{"*.shop.test"}, teller(t, "named"), "")
		cfg.Limits.Pending = 3
		srv := serve(t, cfg)
		hello := samples(t)[6].bytes
		for range 5 {
			c := dial(t, srv.addr("tls"))
			c.Write(hello)
			if _, err := c.Read(make([]byte, 6)); err != nil {
				t.Fatal(err)
			}
		}
		for range 3 {
			dial(t, srv.addr("tls")).Write(hello[:10])
		}
		for range 100 { // until all three are accepted
			if srv.Sessions() == 8 {
				break
			}
			time.Sleep(5 * time.Millisecond)
		}
		if attempt1(srv.addr("tls")) {
			t.Error("the fourth pending session was let in")
		}
		if n := srv.Listeners()[0].Refused(RefusedPending); n != 1 {
			t.Errorf("counted %d, want 1", n)
		}
	})
}
