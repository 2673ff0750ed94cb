package pool

import (
	"math"
	"sync/atomic"
	"time"
)

// decay is a node's recent bytes, for the leastbytes balance: a total that loses half of itself every
// [halfLife]. It is brought forward by whoever picks, at most once every [sampleEvery]; nothing runs.
type decay struct {
	at    atomic.Int64  // uptime of the last sample, in ns
	seen  atomic.Uint64 // the node's burden at that time
	value atomic.Uint64 // the decayed total at that time, as float bits
}

const (
	halfLife    = 10 * time.Second
	sampleEvery = 100 * time.Millisecond

	// pickBurden is what a session is charged in advance. Bytes are counted after they moved, so without
	// it a burst of new sessions would all meet the same least node.
	pickBurden = 64 << 10
)

// burden grows with everything that the leastbytes balance counts.
func (n *Node) burden() uint64 {
	return n.bytesIn.Load() + n.bytesOut.Load() + n.picks.Load()*pickBurden
}

// recent is the decayed burden at now. Concurrent picks may see a sample half done: they choose by
// figures that are at most sampleEvery apart.
func (n *Node) recent(now time.Duration) uint64 {
	d := &n.decay
	at, burden := d.at.Load(), n.burden()
	value := math.Float64frombits(d.value.Load())
	since := now - time.Duration(at)
	if since >= sampleEvery && d.at.CompareAndSwap(at, int64(now)) {
		value = decayed(value, float64(burden-min(d.seen.Swap(burden), burden)), float64(since)/float64(halfLife))
		d.value.Store(math.Float64bits(value))
		return uint64(value)
	}
	return uint64(value) + burden - min(d.seen.Load(), burden)
}

// decayed is a total after so many half-lives, with fresh burden that came evenly over that time.
func decayed(total, fresh, halfLives float64) float64 {
	left := math.Exp2(-halfLives)
	return total*left + fresh*(1-left)/(halfLives*math.Ln2)
}
