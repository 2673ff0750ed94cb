// Package pool answers which node gets a session, and whether it is fit for one.
//
// A [Set] owns every node of the process over all reloads. A configuration becomes pools in two
// steps, so that a bad one changes nothing:
//
//	set := pool.NewSet(log, onEvent)
//	next, err := set.Prepare(cfg.Pools) // reads TLS files, asks for new host names; changes nothing
//	next.Commit()                       // checks and resolvers start and stop; the old pools are gone
//
// A session then asks its pool:
//
//	node, err := p.Pick(client, tried) // a session is reserved on the node
//	...                                // dial node.Addr()
//	node.Dialed(err, took)             // how it went: counters, ejection
//	node.Release()                     // the session, or the failed attempt, is over
//
// What decides is split from what moves: [Health], [Admin] and ejection are facts of a node
// (state.go), a balance chooses among candidates (balance.go), and both are pure. Around them are the
// checks (check.go, health.go), ejection by traffic (eject.go) and host names (resolve.go).
//
// The package does not dial for sessions, does not move bytes, and knows no listener.
package pool

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync/atomic"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// Why [Pool.Pick] gave no node. Each of the others is also ErrNoNode to errors.Is.
var (
	ErrNoNode     = errors.New("pool: no node")
	ErrEmpty      = fmt.Errorf("%w: the pool has none", ErrNoNode)
	ErrUnresolved = fmt.Errorf("%w: no host name is resolved yet", ErrNoNode)
	ErrMaint      = fmt.Errorf("%w: all are in maint", ErrNoNode)
	ErrFull       = fmt.Errorf("%w: all have sessions_per_node sessions", ErrNoNode)
	ErrTried      = fmt.Errorf("%w: all were tried", ErrNoNode)
)

// Pool is a named set of nodes and a balance, made from one [configs.Pool]. A reload makes a new
// Pool around the same nodes; the old one still answers whoever holds it. The set of nodes changes
// under a Pool only when host names resolve to other addresses.
//
// All methods are safe for concurrent use.
type Pool struct {
	set    *Set
	cfg    *configs.Pool
	probes *probes
	slots  []slot
	roster atomic.Pointer[roster]

	terms terms
	turn  atomic.Uint64 // the round robin's virtual time, see [currentTurn]
	draw  func(n uint64) uint64
}

// terms are what a pick reads of the configuration, in the form that is cheapest to read.
type terms struct {
	method   method
	limit    int64         // sessions per node; 0: none
	slow     time.Duration // slow start; 0: none
	failOpen float64
}

func termsOf(c *configs.Pool) terms {
	return terms{
		method: methodOf(c.Balance), limit: int64(max(c.SessionsPerNode, 0)),
		slow: max(c.SlowStart, 0), failOpen: c.FailOpen,
	}
}

// slot is one entry of the configuration's nodes: where it stands in the pool.
type slot struct {
	key        entryKey
	weight     uint64 // in [weightUnit]s, above 0
	weightless bool   // configured with weight 0
	backup     bool
}

// roster is the members of a pool at one moment. It is replaced, never changed.
type roster struct {
	members []member
	nodes   []*Node
}

// member is a node as one pool sees it. Members lie side by side because every pick walks them all.
type member struct {
	node       *Node
	turn       atomic.Uint64 // where this member stands in the round robin
	weight     uint64        // these as in its slot
	step       uint64        // turnUnit / weight
	weightless bool
	backup     bool
}

// Name is the pool's name in the configuration.
func (p *Pool) Name() string { return p.cfg.Name }

// Config is what this pool was made from. It must not be changed.
func (p *Pool) Config() *configs.Pool { return p.cfg }

// Nodes lists the pool's nodes in the order of the configuration, backups last.
func (p *Pool) Nodes() []*Node { return slices.Clone(p.roster.Load().nodes) }

// Standing is how the configuration lists a node of the pool: with which weight, and whether as a backup. A
// node that left the pool has none.
func (p *Pool) Standing(n *Node) (weight int, backup bool) {
	r := p.roster.Load()
	i := slices.Index(r.nodes, n)
	if i < 0 || r.members[i].weightless {
		return 0, i >= 0 && r.members[i].backup
	}
	return int(r.members[i].weight / weightUnit), r.members[i].backup
}

// Available counts the nodes that are available, backups included.
func (p *Pool) Available() int {
	available := 0
	for _, n := range p.roster.Load().nodes {
		if n.Available() {
			available++
		}
	}
	return available
}

// pickAttempts bounds how often a pick starts again because other picks were quicker. With N loops a
// pick loses at most N-1 races in a row unless others keep winning; the last attempt takes what it finds.
const pickAttempts = 8

// Pick chooses a node for a session of client that has failed on the nodes in tried already, and
// reserves a session on it, which [Node.Release] must give back. The error is [ErrNoNode] or one that
// says why. Which nodes are considered is the table at [tier]; it takes time in proportion to the
// number of nodes, allocates nothing and takes no lock.
//
// An invalid client is a client without an address: the source balance sends all of them to one node.
func (p *Pool) Pick(client netip.Addr, tried []*Node) (*Node, error) {
	r := p.roster.Load()
	q := question{terms: p.terms, pool: p, tried: tried}
	if q.method == source {
		q.hash = hashAddr(client)
	}
	if q.slow > 0 || q.method == leastBytes {
		q.now = p.set.uptime()
	}
	for attempt := range pickAttempts {
		c := q.answer(r)
		if c.member == nil {
			if err := q.why(r); err != nil {
				return nil, err
			}
			continue // a place became free between both walks
		}
		if q.take(&c, attempt == pickAttempts-1) {
			return c.member.node, nil
		}
	}
	return nil, ErrFull // others took the last free place each time
}

// question is one pick: what it was asked, and the rules that hold for it.
type question struct {
	terms
	pool  *Pool
	tried []*Node
	hash  uint64        // of the client, for the source balance
	now   time.Duration // only where it matters
	rules rules
	turn  uint64 // the pool's
}

// candidate is a member that may be picked, and what the choice is made on.
type candidate struct {
	member *member
	tier   tier
	view
	turn uint64 // as it was read
}

// answer chooses a member; none if its member is nil. Almost always some node is available and one walk
// is enough: the census that finds out whether other rules hold comes only where they can.
func (q *question) answer(r *roster) candidate {
	q.rules, q.turn = rules{}, q.pool.turn.Load()
	c := q.choose(r)
	if c.member != nil && q.failOpen <= 0 {
		return c
	}
	var all census
	for i := range r.members {
		m := &r.members[i]
		all.add(m.node.load(), m.backup)
	}
	if q.rules = all.rules(q.failOpen); q.rules == (rules{}) {
		return c
	}
	return q.choose(r)
}

// tier is where m stands for this question.
func (q *question) tier(m *member) tier {
	return q.rules.tier(m.node.load(), m.backup, m.weightless)
}

// free reports whether m can take one more session, and this one.
func (q *question) free(m *member) bool {
	return !q.full(m) && (len(q.tried) == 0 || !slices.Contains(q.tried, m.node))
}

func (q *question) full(m *member) bool {
	return q.limit > 0 && m.node.sessions.Load() >= q.limit
}

// take reserves a session on the chosen node and moves its turn on. It reports false if another pick
// changed what the choice was made on; force accepts that, but never exceeds sessions_per_node.
func (q *question) take(c *candidate, force bool) bool {
	m, n := c.member, c.member.node
	if held := n.sessions.Add(1); q.limit > 0 && held > q.limit {
		n.sessions.Add(-1)
		return false
	}
	if q.method != source {
		step := m.stepAt(c.weight)
		start := currentTurn(c.turn, q.turn, step)
		if !m.turn.CompareAndSwap(c.turn, start+step) && !force {
			n.sessions.Add(-1)
			return false
		}
		if int64(start-q.turn) > 0 {
			q.pool.turn.CompareAndSwap(q.turn, start) // a lost race means that others moved it on
		}
	}
	n.picks.Add(1)
	return true
}

// why names the reason that says most about a pick without a candidate: what stopped nodes that would
// have been considered comes before what the pool is. Nil is that nothing does any more: something has
// changed since.
func (q *question) why(r *roster) error {
	full, tried, maint, unresolved := 0, 0, 0, 0
	for i := range r.members {
		m := &r.members[i]
		switch st := m.node.load(); {
		case st.unresolved():
			unresolved++
		case st.admin() == Maint:
			maint++
		case q.tier(m) == noTier:
		case slices.Contains(q.tried, m.node):
			tried++
		case q.full(m):
			full++
		}
	}
	switch {
	case len(r.members) == 0:
		return ErrEmpty
	case full > 0:
		return ErrFull
	case tried > 0:
		return ErrTried
	case maint > 0 && maint+unresolved == len(r.members):
		return ErrMaint
	case unresolved == len(r.members):
		return ErrUnresolved
	}
	return nil
}

// effective is the weight that counts now: less than the configured one while the node starts slowly.
func (q *question) effective(m *member) uint64 {
	if q.slow == 0 {
		return m.weight
	}
	return ramp(m.weight, q.now-time.Duration(m.node.began.Load()), q.slow)
}

// stepAt is the member's step in the round robin at an effective weight.
func (m *member) stepAt(weight uint64) uint64 {
	if weight == m.weight {
		return m.step
	}
	return turnUnit / weight
}
