package pool

import (
	"encoding/binary"
	"math"
	"math/bits"
	"net/netip"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// method is a [configs.Balance] as a number.
type method uint8

const (
	leastConn method = iota
	roundRobin
	random
	source
	leastBytes
)

func methodOf(b configs.Balance) method {
	switch b {
	case configs.RoundRobin:
		return roundRobin
	case configs.Random:
		return random
	case configs.Source:
		return source
	case configs.LeastBytes:
		return leastBytes
	}
	return leastConn
}

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
	weight uint64  // effective, above 0
	load   uint64  // sessions or bytes, by the balance
	middle uint64  // of the next step in the round robin
	score  float64 // of the source balance only
}

// byTurn reports whether it is a's turn before b's.
func byTurn(a, b *view) bool { return int64(a.middle-b.middle) < 0 }

// byLoad reports whether a carries less than b for its weight. Equals take turns, so that idle nodes
// are used by weight instead of the first one always.
func byLoad(a, b *view) bool {
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

// choose picks among the free members of the lowest tier that has one.
func (q *question) choose(r *roster) candidate {
	if q.method == random {
		return q.byDraw(r)
	}
	best := candidate{tier: noTier}
	for i := range r.members {
		m := &r.members[i]
		t := q.tier(m)
		if t > best.tier || t == noTier || !q.free(m) {
			continue
		}
		c := q.candidate(m, t)
		if t < best.tier || q.before(&c, &best) {
			best = c
		}
	}
	return best
}

// candidate reads what the balance may know of m.
func (q *question) candidate(m *member, t tier) candidate {
	c := candidate{member: m, tier: t, turn: m.turn.Load()}
	c.weight = q.effective(m)
	step := m.stepAt(c.weight)
	c.middle = currentTurn(c.turn, q.turn, step) + step/2
	switch q.method {
	case leastBytes:
		c.load = m.node.recent(q.now)
	case source:
		c.score = score(q.hash, m.node.hash, c.weight)
	default:
		c.load = uint64(max(m.node.sessions.Load(), 0))
	}
	return c
}

// before reports whether a is the better choice.
func (q *question) before(a, b *candidate) bool {
	switch q.method {
	case roundRobin:
		return byTurn(&a.view, &b.view)
	case source:
		return a.score > b.score
	}
	return byLoad(&a.view, &b.view)
}

// byDraw draws two different members by weight and takes the one with fewer sessions for its weight.
func (q *question) byDraw(r *roster) candidate {
	for range pickAttempts {
		t, total := q.weigh(r)
		if t == noTier {
			break
		}
		first := q.drawn(r, t, nil, q.pool.draw(total))
		if first.member == nil {
			continue // all that were weighed are gone
		}
		if first.weight >= total {
			return first
		}
		second := q.drawn(r, t, first.member, q.pool.draw(total-first.weight))
		if second.member == nil || byLoad(&first.view, &second.view) {
			return first
		}
		return second
	}
	return candidate{tier: noTier}
}

// weigh finds the lowest tier that has a free member, and the weight of all free members in it.
func (q *question) weigh(r *roster) (tier, uint64) {
	best, total := noTier, uint64(0)
	for i := range r.members {
		m := &r.members[i]
		t := q.tier(m)
		if t > best || t == noTier || !q.free(m) {
			continue
		}
		if t < best {
			best, total = t, 0
		}
		total += q.effective(m)
	}
	return best, total
}

// drawn is the candidate, other than not, in whose share of the weight at falls. If states have
// changed since the weight was summed up it is the last one before, or nobody.
func (q *question) drawn(r *roster, t tier, not *member, at uint64) candidate {
	var found *member
	for i := range r.members {
		m := &r.members[i]
		if m == not || q.tier(m) != t || !q.free(m) {
			continue
		}
		found = m
		weight := q.effective(m)
		if at < weight {
			break
		}
		at -= weight
	}
	if found == nil {
		return candidate{tier: noTier}
	}
	return q.candidate(found, t)
}

// The source balance is weighted rendezvous hashing: every node has a score for every client, the
// highest wins. When a node goes, only its own clients move; when it returns, they come back. The scores
// depend on addresses alone, so two Sluices with the same nodes choose alike.

// score is the rendezvous score of a node for a client: -weight/ln(u) with u uniform in (0,1) from
// both hashes, which gives each node a share of clients in proportion to its weight.
func score(client, node, weight uint64) float64 {
	u := (float64(mix(client^node)>>11) + 0.5) / (1 << 53)
	return -float64(weight) / math.Log(u)
}

// hashAddr hashes the whole address; an IPv4 address and its IPv6-mapped form are the same client.
func hashAddr(a netip.Addr) uint64 {
	b := a.As16() // of an IPv4 address: its mapped form
	return mix(mix(binary.BigEndian.Uint64(b[:8])) ^ binary.BigEndian.Uint64(b[8:]))
}

// mix is the finalizer of splitmix64: every bit of the input reaches every bit of the output.
func mix(x uint64) uint64 {
	x += 0x9e3779b97f4a7c15
	x = (x ^ x>>30) * 0xbf58476d1ce4e5b9
	x = (x ^ x>>27) * 0x94d049bb133111eb
	return x ^ x>>31
}
