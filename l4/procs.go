package l4

import (
	"os"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

// procs is how many goroutines run at once, GOMAXPROCS, where handshakes are most of the work.
//
// A thin load costs least on one: with more, the runtime wakes a second thread for every event, which looks for work and
// finds none. On two processors that was a fifth of what a handshake cost (bench/NOTES.md). So it begins with one, has
// twice as many when these are crowded, and half as many when those would have been enough for a while.
//
// Where sessions are moved by loops, or by splice in goroutines, it stays out of the way: a loop that waits in the kernel
// keeps its P for a while, so there are two more than loops.
type procs struct {
	loops int
	due   atomic.Int64 // when the next window ends, on the server's clock; 0: the number is fixed

	mu   sync.Mutex // guards the fields below
	size procsSize
	from int64 // when the window began
	used time.Duration
}

// procsSize decides how many there are.
type procsSize struct {
	now, most int
	thin      int // windows in a row in which half would have done
}

const (
	procsWindow   = 100 * time.Millisecond
	procsCrowded  = 600 // per mille of a window that each was in use: a burst would have to wait
	procsThin     = 400 // for half as many
	procsThinRuns = 20  // windows, before it is half
)

// next is how many there should be after a window with a load, in per mille of one.
func (s *procsSize) next(load int64) int {
	half := s.now / 2
	switch {
	case load > procsCrowded*int64(s.now):
		s.now, s.thin = min(2*s.now, s.most), 0
	case half == 0 || load > procsThin*int64(half):
		s.thin = 0
	default:
		if s.thin++; s.thin == procsThinRuns {
			s.now, s.thin = half, 0
		}
	}
	return s.now
}

// newProcs returns nil, which leaves everything as it is, unless the process is the server's alone and its operator has not
// said how many there shall be.
func newProcs(alone bool, loops int) *procs {
	if !alone || os.Getenv("GOMAXPROCS") != "" || processTime() == 0 {
		return nil
	}
	return &procs{loops: loops, size: procsSize{most: runtime.GOMAXPROCS(0)}}
}

// serve says what listeners there are: only such as end TLS, or others too. Once there were others, their sessions may go on,
// and it stays at that.
func (p *procs) serve(onlyTLS bool, now int64) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case onlyTLS && p.size.now == 0:
		p.size.now = 1
		runtime.GOMAXPROCS(1)
		p.begin(now)
	case !onlyTLS:
		p.due.Store(0)
		p.size.now = max(p.size.most, p.loops+2)
		runtime.GOMAXPROCS(p.size.now)
	}
}

func (p *procs) isDue(now int64) bool {
	due := p.due.Load()
	return due > 0 && now >= due
}

func (p *procs) begin(now int64) {
	p.from, p.used = now, processTime()
	p.due.Store(now + int64(procsWindow))
}

// look is called where work is done, and ends a window if one is over: where nothing is done, nobody looks.
func (p *procs) look(now int64) {
	if p == nil || !p.isDue(now) || !p.mu.TryLock() {
		return
	}
	defer p.mu.Unlock()
	if !p.isDue(now) {
		return // somebody else has looked
	}
	load := int64(processTime()-p.used) * 1000 / (now - p.from)
	if had := p.size.now; p.size.next(load) != had {
		runtime.GOMAXPROCS(p.size.now)
	}
	p.begin(now)
}
