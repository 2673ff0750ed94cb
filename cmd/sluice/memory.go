package main

import (
	"context"
	"os"
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

// How often memory is looked at, how much is worth giving back to the system, what may be allocated
// meanwhile for the process to count as quiet, and how long at least between two times.
const (
	memoryInterval = 500 * time.Millisecond
	worthGiving    = 4 << 20
	quietBytes     = 256 << 10
	givingInterval = 5 * time.Second
)

// keepMemory applies the floor until ctx ends, and gives garbage back to the system when the process has become
// quiet. Where the operator has set GOGC it does neither.
func keepMemory(ctx context.Context) {
	if os.Getenv("GOGC") != "" {
		return
	}
	m := memory{set: heapPercent(0)}
	debug.SetGCPercent(m.set)
	tick := time.NewTicker(memoryInterval)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			live, allocated := readMemory()
			percent, give := m.look(live, allocated, now)
			if percent > 0 {
				debug.SetGCPercent(percent)
			}
			if give {
				debug.FreeOSMemory()
			}
		}
	}
}

// readMemory returns what was alive at the last collection, and all bytes ever allocated.
func readMemory() (live, allocated uint64) {
	samples := []metrics.Sample{{Name: "/gc/heap/live:bytes"}, {Name: "/gc/heap/allocs:bytes"}}
	metrics.Read(samples)
	return samples[0].Value.Uint64(), samples[1].Value.Uint64()
}

// memory is what keepMemory remembers between two looks.
type memory struct {
	set       int // the GOGC in effect
	allocated uint64
	given     uint64 // of allocated, when memory was last given back
	givenAt   time.Time
}

// look decides what to do: a new GOGC, or 0 for that in effect, and whether to give back.
func (m *memory) look(live, allocated uint64, now time.Time) (percent int, give bool) {
	// Each change stops the world for a moment, so small ones are left.
	if want := heapPercent(live); want > m.set*5/4 || want < m.set*4/5 {
		m.set, percent = want, want
	}
	quiet := allocated-m.allocated < quietBytes
	m.allocated = allocated
	if quiet && allocated-m.given > worthGiving && now.Sub(m.givenAt) >= givingInterval {
		m.given, m.givenAt, give = allocated, now, true
	}
	return percent, give
}
