package pool

import (
	"context"
	"errors"
	"math/rand/v2"
	"net/netip"
	"slices"
	"sync"
	"time"
)

// How host names are asked for.
const (
	firstLookup   = 2 * time.Second  // for names that are new: so long may a start or reload wait for DNS
	lookupTimeout = 5 * time.Second  // afterwards, in the background
	lookupEvery   = 30 * time.Second // while names resolve
	lookupRetry   = 10 * time.Second // while one does not; reached by doubling from a second
	lookupJitter  = 0.2
	lookupsAtOnce = 32 // during a start or reload
	maxAddrs      = 64 // of one name; more are left out
)

// family picks the addresses that count: the IPv4 ones if there are any, else the IPv6 ones. A host with
// both is one machine; two nodes for it would give it twice its share and twice its limits. To use
// IPv6 of such a host, configure its address or a name that has only AAAA records.
func family(addrs []netip.Addr) []netip.Addr {
	var v4, v6 []netip.Addr
	for _, a := range addrs {
		if a = a.Unmap(); a.Is4() {
			v4 = append(v4, a)
		} else {
			v6 = append(v6, a)
		}
	}
	if len(v4) == 0 {
		v4 = v6
	}
	slices.SortFunc(v4, netip.Addr.Compare)
	return slices.Compact(v4)
}

// resolve asks for the names of all fresh entries.
func (next *Next) resolve() {
	ctx, cancel := context.WithTimeout(context.Background(), firstLookup)
	defer cancel()
	places := make(chan struct{}, lookupsAtOnce)
	var wg sync.WaitGroup
	for _, e := range next.fresh {
		if e.host == "" {
			continue
		}
		wg.Go(func() {
			places <- struct{}{}
			defer func() { <-places }()
			addrs, err := next.set.ask(ctx, e.host)
			next.set.answer(e, addrs, err) // e is nobody else's yet
		})
	}
	wg.Wait()
}

// ask looks a name up. An empty answer is an error.
func (s *Set) ask(ctx context.Context, host string) ([]netip.Addr, error) {
	addrs, err := s.lookup(ctx, host)
	if err == nil && len(addrs) == 0 {
		err = errors.New("no addresses")
	}
	return family(addrs), err
}

// startResolvingLocked starts the resolver of an entry. s.mu must be held. Set.Close waits for it.
func (s *Set) startResolvingLocked(e *entry) {
	ctx, cancel := context.WithCancel(context.Background())
	e.stop = cancel
	failed := e.failure != ""
	s.wg.Go(func() { s.keepResolving(ctx, e, failed) })
}

func (e *entry) stopResolving() {
	if e.stop != nil {
		e.stop()
	}
}

// keepResolving asks for the name of e until ctx ends.
func (s *Set) keepResolving(ctx context.Context, e *entry, failed bool) {
	failures := 0
	if failed {
		failures = 1
	}
	timer := time.NewTimer(lookupPause(failures, rand.Float64()))
	defer timer.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-timer.C:
		}
		addrs, err := s.askOnce(ctx, e.host)
		if failures++; err == nil {
			failures = 0
		}
		s.resolved(ctx, e, addrs, err)
		timer.Reset(lookupPause(failures, rand.Float64()))
	}
}

func (s *Set) askOnce(ctx context.Context, host string) ([]netip.Addr, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	return s.ask(ctx, host)
}

// lookupPause is the time to the next lookup after so many failures in a row. Chance is uniform in [0,1).
func lookupPause(failures int, chance float64) time.Duration {
	d := lookupEvery
	if failures > 0 {
		d = min(time.Second<<min(failures-1, 10), lookupRetry)
	}
	return time.Duration(float64(d) * (1 + lookupJitter*(2*chance-1)))
}

// resolved applies a lookup to an entry of the set, and to the pool that has it.
func (s *Set) resolved(ctx context.Context, e *entry, addrs []netip.Addr, err error) {
	s.mu.Lock()
	if ctx.Err() != nil { // the entry has left, or everything ends
		s.mu.Unlock()
		return
	}
	var events []Event
	old, before := e.failure, e.nodes
	gone := s.answer(e, addrs, err)
	switch {
	case old == "" && e.failure != "":
		events = append(events, e.event("resolved", "failing"))
	case old != "" && e.failure == "":
		events = append(events, e.event("failing", "resolved"))
	}
	events = append(events, s.reviveLocked(e)...)
	s.forgetLocked()
	for _, n := range e.nodes {
		if !slices.Contains(before, n) {
			events = append(events, n.event(KindMember, "", "added", n.Addr().Addr().String()))
		}
	}
	for _, n := range gone {
		events = append(events, s.retireLocked(n)...)
	}
	if !slices.Equal(before, e.nodes) {
		for _, p := range s.Pools() {
			if p.Name() == e.key.pool {
				events = append(events, s.assembleLocked(p)...)
			}
		}
	}
	s.mu.Unlock()
	s.emit(events...)
}

func (e *entry) event(old, new string) Event {
	return Event{
		Time: time.Now(), Kind: KindResolve, Pool: e.key.pool, Name: e.key.text,
		Old: old, New: new, Reason: e.failure,
	}
}
