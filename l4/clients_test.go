package l4

import (
	"net/netip"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

func TestClientRate(t *testing.T) {
	var c clients
	l := &configs.Limits{RatePerClient: 10, BurstPerClient: 5}
	a, b := netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("192.0.2.2")
	at := func(addr netip.Addr, now time.Duration) bool {
		_, ok := c.admit(addr, l, int64(now))
		return ok
	}
	for i := range 5 {
		if !at(a, time.Second) {
			t.Fatalf("session %d of the burst was refused", i)
		}
	}
	if at(a, time.Second) {
		t.Error("a sixth at once was let in")
	}
	if !at(b, time.Second) {
		t.Error("another client was refused")
	}
	let := 0
	for ms := 1000; ms < 11000; ms++ {
		if at(a, time.Duration(ms)*time.Millisecond) {
			let++
		}
	}
	if let < 98 || let > 101 {
		t.Errorf("in ten seconds at 10/s %d were let in", let)
	}
	if !at(a, 60*time.Second) {
		t.Error("refused after a pause")
	}
}

// A client is one IPv4 address, however it is written, or one IPv6 /64.
func TestClientIdentity(t *testing.T) {
	for _, tt := range []struct {
		a, b string
		same bool
	}{
		{"192.0.2.1", "::ffff:192.0.2.1", true},
		{"192.0.2.1", "192.0.2.2", false},
		{"2001:db8::1", "2001:db8::ffff:1", true},
		{"2001:db8::1", "2001:db8:0:1::1", false},
		{"fe80::1%eth0", "fe80::2", true},
	} {
		got := clientOf(netip.MustParseAddr(tt.a)) == clientOf(netip.MustParseAddr(tt.b))
		if got != tt.same {
			t.Errorf("%s and %s: got same %v", tt.a, tt.b, got)
		}
	}
}

// Clients that came and went are forgotten: a million of them leave next to nothing behind.
func TestClientsForgotten(t *testing.T) {
	var c clients
	l := &configs.Limits{SessionsPerClient: 2, RatePerClient: 100}
	now := int64(time.Second)
	for i := range 1_000_000 {
		addr := netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)})
		if _, ok := c.admit(addr, l, now); !ok {
			t.Fatal("refused")
		}
		c.release(addr, now)
		now += int64(10 * time.Microsecond)
	}
	known := 0
	for i := range c.shards {
		known += len(c.shards[i].known)
	}
	if known > 2*minSweep*len(c.shards) {
		t.Errorf("%d clients are remembered", known)
	}
}

func TestClientSessions(t *testing.T) {
	var c clients
	l := &configs.Limits{SessionsPerClient: 2}
	a := netip.MustParseAddr("2001:db8::1")
	var got []bool
	for _, do := range "++++-+-" {
		if do == '-' {
			c.release(a, 0)
			continue
		}
		_, ok := c.admit(a, l, 0)
		got = append(got, ok)
	}
	want := []bool{true, true, false, false, true}
	for i := range want {
		if got[i] != want[i] {
			t.Fatalf("got %v, want %v", got, want)
		}
	}
}
