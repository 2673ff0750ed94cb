package main

import (
	"context"
	"os"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
	"time"
)

// The garbage collector runs whenever the heap has doubled, however small it is: with the runtime's 4 MiB to begin
// with, after every seventy TLS handshakes, which took a quarter of their processor time. heapFloor is the size
// up to which garbage may pile up first. A heap that is larger doubles as ever.
const heapFloor = 32 << 20

// heapPercent is the GOGC with which a heap with so many living bytes grows to heapFloor, or doubles.
func heapPercent(live uint64) int {
	const (
		double = 100
		most   = heapFloor / (4 << 20) * 100 // of an empty heap: the runtime takes GOGC percent of 4 MiB for its least goal
	)
	if live >= heapFloor/2 {
		return double
	}
	return int(min(most, (heapFloor-live)*100/max(live, 1)))
}

// How much is worth giving back to the system, how long the process is watched for being quiet before, and what
// may be allocated meanwhile.
const (
	worthGiving   = 4 << 20
	quietInterval = 2 * time.Second
	quietBytes    = 1 << 20
)

// keepMemory applies the floor until ctx ends, and gives garbage back to the system when the process has become
// quiet. Where the operator has set GOGC it does neither. It looks only after a collection and for as long as
// there is something to give back: a process in which nothing happens is not woken.
func keepMemory(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	m := memory{set: heapPercent(0)}
	debug.SetGCPercent(m.set)
	collected := make(chan struct{}, 1)
	tellCollection(collected)
	again := time.NewTimer(quietInterval)
	again.Stop()
	defer again.Stop()
	for {
		var allocated uint64
		var give bool
		select {
		case <-ctx.Done():
			return
		case <-collected:
			tellCollection(collected)
			var live uint64
			live, allocated = readMemory()
			if percent := m.collected(live); percent > 0 {
				debug.SetGCPercent(percent)
			}
		case <-again.C:
			_, allocated = readMemory()
			give = m.look(allocated)
		}
		switch {
		case give:
			debug.FreeOSMemory() // a collection in itself
		case m.worth(allocated):
			again.Reset(quietInterval)
		}
	}
}

// tellCollection sends a word to told after the next collection. The runtime makes one at least every two minutes.
func tellCollection(told chan<- struct{}) {
	type canary struct{ _ [64]byte } // too large to share its block with something that lives
	runtime.AddCleanup(new(canary), func(told chan<- struct{}) {
		select {
		case told <- struct{}{}:
		default:
		}
	}, told)
}

// readMemory returns what was alive at the last collection, and all bytes ever allocated.
func readMemory() (live, allocated uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}

// memory is what keepMemory remembers between two looks.
type memory struct {
	set       int    // the GOGC in effect
	allocated uint64 // at the last look
	given     uint64 // of allocated, when memory was last given back
}

// collected returns the GOGC for what a collection found alive, or 0 for that in effect.
func (m *memory) collected(live uint64) (percent int) {
	// Each change stops the world for a moment, so small ones are left.
	want := heapPercent(live)
	if want <= m.set*5/4 && want >= m.set*4/5 {
		return 0
	}
	m.set = want
	return want
}

// worth reports whether there is enough garbage to give back once the process is quiet.
func (m *memory) worth(allocated uint64) bool { return allocated-m.given > worthGiving }

// look is called an interval after the last look, and decides whether to give back.
func (m *memory) look(allocated uint64) (give bool) {
	quiet := allocated-m.allocated < quietBytes
	m.allocated = allocated
	if quiet && m.worth(allocated) {
		m.given = allocated
		return true
	}
	return false
}
