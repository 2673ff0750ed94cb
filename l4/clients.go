package l4

import (
	"net/netip"
	"sync"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// clients bounds what one client may have: sessions at a time, and new ones a second. A client is an
// IPv4 address or an IPv6 /64, which is what one network of one customer gets.
//
// It is safe for concurrent use; the zero value knows nobody.
type clients struct {
	shards [64]clientShard
}

type clientShard struct {
	mu    sync.Mutex // guards the fields below
	known map[netip.Addr]*client
	sweep int // how many are known when the forgettable ones are looked for again
}

// A client is remembered while it has sessions, or has used up some of its rate.
type client struct {
	sessions int
	due      int64 // when its rate would be wholly its own again, see admit
}

// minSweep is how many clients a shard remembers before it looks for those that it can forget. It looks
// again when it has twice as many as were left, so that looking costs each admission a constant.
const minSweep = 1 << 10

// clientOf is what an address is counted as.
func clientOf(a netip.Addr) netip.Addr {
	a = a.Unmap().WithZone("")
	if a.Is6() {
		if p, err := a.Prefix(64); err == nil {
			return p.Addr()
		}
	}
	return a
}

func (c *clients) shard(a netip.Addr) *clientShard {
	b := a.As16()
	var h uint32 = 2166136261 // FNV-1a
	for _, x := range b {
		h = (h ^ uint32(x)) * 16777619
	}
	return &c.shards[h%uint32(len(c.shards))]
}

// admit counts a session in, unless its client has as many as it may or comes too fast. What was
// counted in is counted out by release, with the same address. now is in nanoseconds.
//
// The rate is kept by the generic cell rate algorithm (ITU-T I.371): one number per client says when it
// will have made up for all its sessions so far, each of which costs an interval of 1/rate; as long as that
// is no more than the burst away, another is let in. It is a token bucket without a clock that ticks.
func (c *clients) admit(addr netip.Addr, l *configs.Limits, now int64) (Reason, bool) {
	key := clientOf(addr)
	sh := c.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	known := sh.known[key]
	if known == nil {
		known = &client{}
	}
	if l.SessionsPerClient > 0 && known.sessions >= l.SessionsPerClient {
		return RefusedClient, false
	}
	if l.RatePerClient > 0 {
		interval := int64(float64(time.Second) / l.RatePerClient)
		due := max(known.due, now) + interval
		if due-now > interval*burst(l) {
			return RefusedRate, false
		}
		known.due = due
	}
	known.sessions++
	if sh.known == nil {
		sh.known = map[netip.Addr]*client{}
	}
	sh.known[key] = known
	if len(sh.known) > max(sh.sweep, minSweep) {
		sh.forget(now)
	}
	return 0, true
}

// burst is how many sessions may come at once: what is configured, else those of two seconds.
func burst(l *configs.Limits) int64 {
	if l.BurstPerClient > 0 {
		return int64(l.BurstPerClient)
	}
	return max(1, int64(2*l.RatePerClient))
}

// release counts a session out.
func (c *clients) release(addr netip.Addr, now int64) {
	key := clientOf(addr)
	sh := c.shard(key)
	sh.mu.Lock()
	defer sh.mu.Unlock()
	known := sh.known[key]
	if known == nil {
		return
	}
	known.sessions--
	if known.forgettable(now) {
		delete(sh.known, key)
	}
}

// forgettable reports whether the client is as good as one never seen.
func (c *client) forgettable(now int64) bool { return c.sessions <= 0 && c.due <= now }

// forget drops the clients that are as good as never seen. sh.mu is held.
func (sh *clientShard) forget(now int64) {
	for key, c := range sh.known {
		if c.forgettable(now) {
			delete(sh.known, key)
		}
	}
	sh.sweep = 2 * len(sh.known)
}
