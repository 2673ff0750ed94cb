package pool

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// weightUnit is what one point of weight is counted as, fine enough for a slow start's fractions.
const weightUnit = 1000

// maxWeight bounds a configured weight, so that products with it stay inside 64 bits.
const maxWeight = 1_000_000

// rampFloor is the least share of its weight that a node has while it starts slowly. Not zero: a node
// without any session never warms up.
const rampFloor = 0.01

// ramp is the weight of a node that has taken sessions for elapsed, during a slow start.
func ramp(weight uint64, elapsed, slow time.Duration) uint64 {
	if elapsed >= slow {
		return weight
	}
	share := max(float64(elapsed)/float64(slow), rampFloor)
	return max(uint64(float64(weight)*share), 1)
}

// turnUnit is one round of a member of weight 1/[weightUnit] in the round robin's virtual time.
const turnUnit = 1 << 40

// currentTurn is where a member starts in the round robin: where it stood, or now, if it was away for more than
// a step. Without that a node that comes back would be owed every session it missed.
//
// The round robin is fair queueing in virtual time. A member's turn grows by 1/weight with each session,
// and the member whose middle of the next step comes first is chosen; so sessions interleave by weight
// (5, 1, 1 gives a a a b c a a). Turns are compared by difference: they may wrap around.
//
// Invariant: a member that takes part lags less than half a step behind the pool's turn, which is the
// start of the step chosen last.
func currentTurn(turn, pool, step uint64) uint64 {
	if lag := int64(pool - turn); lag > 0 && uint64(lag) > step {
		return pool
	}
	return turn
}

// view is what a balance may know of a candidate.
type view struct {
	weight uint64 // effective, above 0
	load   uint64 // sessions or bytes, by the balance
	middle uint64 // of the next step in the round robin
}

// byTurn reports whether it is a's turn before b's.
func byTurn(a, b view) bool { return int64(a.middle-b.middle) < 0 }

// byLoad reports whether a carries less than b for its weight. Equals take turns, so that idle nodes
// are used by weight instead of the first one always.
func byLoad(a, b view) bool {
	ahi, alo := bits.Mul64(a.load, b.weight)
	bhi, blo := bits.Mul64(b.load, a.weight)
	if ahi != bhi {
		return ahi < bhi
	}
	if alo != blo {
		return alo < blo
	}
	return byTurn(a, b)
}

// choose walks the members again and picks among those of the best tier. It returns the member and
// the turn the choice was made on, or nil if states changed since the first walk.
func (q *question) choose(r *roster, f findings) (*member, uint64) {
	switch q.pool.cfg.Balance {
	case configs.Source:
		return q.bySource(r, f)
	case configs.Random:
		return q.byDraw(r, f)
	}
	less := byLoad
	if q.pool.cfg.Balance == configs.RoundRobin {
		less = byTurn
	}
	var (
		best  *member
		turn  uint64
		least view
	)
	for i := range r.members {
		m := &r.members[i]
		if q.tier(m, nil) != f.best {
			continue
		}
		v, t := q.view(m)
		if best == nil || less(v, least) {
			best, turn, least = m, t, v
		}
	}
	return best, turn
}

// view reads what the balance may know of m, and the turn m stands at.
func (q *question) view(m *member) (view, uint64) {
	v := view{weight: m.effective(q.pool, q.now)}
	turn := m.turn.Load()
	step := turnUnit / v.weight
	v.middle = currentTurn(turn, q.pool.turn.Load(), step) + step/2
	switch q.pool.cfg.Balance {
	case configs.LeastBytes:
		v.load = m.node.recent(q.now)
	default:
		v.load = uint64(max(m.node.sessions.Load(), 0))
	}
	return v, turn
}

// byDraw draws two different members by weight and takes the one with fewer sessions for its weight.
func (q *question) byDraw(r *roster, f findings) (*member, uint64) {
	first := q.drawn(r, f, nil, q.pool.draw(f.weight))
	if first == nil {
		return nil, 0
	}
	a, aturn := q.view(first)
	if f.weight <= a.weight {
		return first, aturn
	}
	second := q.drawn(r, f, first, q.pool.draw(f.weight-a.weight))
	if second == nil {
		return first, aturn
	}
	b, bturn := q.view(second)
	if byLoad(b, a) {
		return second, bturn
	}
	return first, aturn
}

// drawn is the candidate, other than not, in whose share of the weight at falls.
func (q *question) drawn(r *roster, f findings, not *member, at uint64) *member {
	var found *member
	for i := range r.members {
		m := &r.members[i]
		if m == not || q.tier(m, nil) != f.best {
			continue
		}
		found = m
		weight := m.effective(q.pool, q.now)
		if at < weight {
			break
		}
		at -= weight
	}
	return found
}

// bySource is weighted rendezvous hashing: every node has a score for every client, the highest wins.
// When a node goes, only its own clients move; when it returns, they come back. The scores depend on
// addresses alone, so two Sluices with the same nodes choose alike.
func (q *question) bySource(r *roster, f findings) (*member, uint64) {
	client := hashAddr(q.client)
	var (
		best *member
		most float64
	)
	for i := range r.members {
		m := &r.members[i]
		if q.tier(m, nil) != f.best {
			continue
		}
		s := score(client, m.node.hash, m.effective(q.pool, q.now))
		if best == nil || s > most {
			best, most = m, s
		}
	}
	return best, 0
}

// score is the rendezvous score of a node for a client: -weight/ln(u) with u uniform in (0,1) from
// both hashes, which gives each node a share of clients in proportion to its weight.
func score(client, node, weight uint64) float64 {
	u := (float64(mix(client^node)>>11) + 0.5) / (1 << 53)
	return -float64(weight) / math.Log(u)
}

// hashAddr hashes the whole address; an IPv4 address and its IPv6-mapped form are the same client.
func hashAddr(a netip.Addr) uint64 {
	b := a.Unmap().As16()
	return mix(mix(binary.BigEndian.Uint64(b[:8])) ^ binary.BigEndian.Uint64(b[8:]))
}

// mix is the finalizer of splitmix64: every bit of the input reaches every bit of the output.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
