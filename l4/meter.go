package l4

import (
	"sync/atomic"

	"github.com/sluicelb/sluice/pool"
)

// credit counts what a session has moved, on its route and on its node, if it has them.
func (s *session) credit(in, out uint64) {
	if s.node != nil {
		s.node.AddBytes(in, out)
	}
	if s.route == nil {
		return
	}
	if in > 0 {
		s.route.in.Add(in)
	}
	if out > 0 {
		s.route.out.Add(out)
	}
}

// paths counts relayed bytes by the way they took. A loop counts a turn for itself and publishes it at
// the turn's end, so that counting costs no atomic operation per read.
type paths struct{ splice, copy, tls atomic.Uint64 }

// Paths is how many bytes were relayed which way, both directions together.
type Paths struct {
	Splice uint64 // never in user space
	Copy   uint64 // read and written
	TLS    uint64 // decrypted or encrypted here
}

func (p *paths) addTo(sum *Paths) {
	sum.Splice += p.splice.Load()
	sum.Copy += p.copy.Load()
	sum.TLS += p.tls.Load()
}

// Paths returns what was relayed so far, of living sessions too: those of the copy engine at their end.
func (s *Server) Paths() Paths {
	var sum Paths
	s.moved.addTo(&sum)
	if s.reactor != nil {
		s.reactor.addPaths(&sum)
	}
	return sum
}

// sizes is a distribution of sizes in bytes. It is fed without a lock.
type sizes struct {
	counts [len(sizeBounds) + 1]atomic.Uint64
	sum    atomic.Uint64
}

// sizeBounds suit hellos: without a post-quantum key share they have 200 to 700 bytes, with one 1,500 to
// 2,100; 64 KiB is what is taken at most.
var sizeBounds = [...]float64{256, 512, 1024, 1536, 2048, 4096, 8192, 16384, 32768, 65536}

func (z *sizes) add(size int) {
	i := 0
	for i < len(sizeBounds) && float64(size) > sizeBounds[i] {
		i++
	}
	z.counts[i].Add(1)
	z.sum.Add(uint64(size))
}

func (z *sizes) snapshot() pool.Histogram {
	h := pool.Histogram{Bounds: sizeBounds[:], Counts: make([]uint64, len(z.counts)), Sum: float64(z.sum.Load())}
	for i := range z.counts {
		h.Counts[i] = z.counts[i].Load()
	}
	return h
}

// HelloSizes is the distribution of the sizes, in bytes, of the hellos that were understood.
func (s *Server) HelloSizes() pool.Histogram { return s.hellos.snapshot() }

// Pending is how many sessions are open and not yet relaying.
func (s *Server) Pending() int64 { return s.pending.Load() }

// Capacity is how many sessions there may be at once.
func (s *Server) Capacity() int64 { return s.capacity.Load() }

// RecordsDropped is how many records were lost because their writer was too slow.
func (s *Server) RecordsDropped() uint64 {
	if s.records == nil {
		return 0
	}
	return s.records.dropped.Load()
}

// PipeStats counts the pipes of the reactor.
type PipeStats struct {
	Limit int // how many there may be
	Free  int // open, empty, waiting for use
	Busy  int // holding bytes of a session
	Short int // of Free and Busy, those smaller than asked for: see fs.pipe-user-pages-soft, pipe(7)
}
