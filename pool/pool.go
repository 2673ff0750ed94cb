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

	turn  atomic.Uint64 // the round robin's virtual time, see [currentTurn]
	timed bool          // whether picking needs the time
	draw  func(n uint64) uint64
}

// slot is one entry of the configuration's nodes: where it stands in the pool.
type slot struct {
	key    entryKey
	weight uint64
	backup bool
}

// roster is the members of a pool at one moment. It is replaced, never changed.
type roster struct {
	members []member
	nodes   []*Node
}

// member is a node as one pool sees it. Members lie side by side because every pick walks them all.
type member struct {
	node   *Node
	weight uint64 // in [weightUnit]s; 0: only when no other node can take the session
	backup bool
	turn   atomic.Uint64 // where this member stands in the round robin
}

// Name is the pool's name in the configuration.
func (p *Pool) Name() string { return p.cfg.Name }

// Config is what this pool was made from. It must not be changed.
func (p *Pool) Config() *configs.Pool { return p.cfg }

// Nodes lists the pool's nodes in the order of the configuration, backups last.
func (p *Pool) Nodes() []*Node { return slices.Clone(p.roster.Load().nodes) }

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
	ask := question{pool: p, client: client, tried: tried}
	if p.timed {
		ask.now = p.set.uptime()
	}
	for attempt := range pickAttempts {
		found := ask.survey(r)
		if found.best == noTier {
			return nil, found.why()
		}
		m, turn := ask.choose(r, found)
		if m == nil {
			continue // states moved between the two walks
		}
		if p.take(m, turn, ask.now, attempt == pickAttempts-1) {
			return m.node, nil
		}
	}
	return nil, ErrFull // others took the last free place each time
}

// take reserves a session on m and moves its turn on. It reports false if another pick changed what
// the choice was made on; force accepts that, but never exceeds sessions_per_node.
func (p *Pool) take(m *member, turn uint64, now time.Duration, force bool) bool {
	limit := int64(p.cfg.SessionsPerNode)
	if held := m.node.sessions.Add(1); limit > 0 && held > limit {
		m.node.sessions.Add(-1)
		return false
	}
	if p.cfg.Balance != configs.Source {
		start := currentTurn(turn, p.turn.Load(), m.step(p, now))
		if !m.turn.CompareAndSwap(turn, start+m.step(p, now)) && !force {
			m.node.sessions.Add(-1)
			return false
		}
		if seen := p.turn.Load(); int64(start-seen) > 0 {
			p.turn.CompareAndSwap(seen, start) // a lost race means that others moved it on
		}
	}
	m.node.picks.Add(1)
	return true
}

// question is one pick: what both of its walks need to know.
type question struct {
	pool   *Pool
	client netip.Addr
	tried  []*Node
	now    time.Duration
	rules  rules
}

// findings are what the first walk of a pick learns.
type findings struct {
	best   tier
	weight uint64 // of all candidates in the best tier

	nodes, unresolved, maint, full, tried int
}

// survey walks all members: it finds the rules that hold now, and the best tier that has a candidate.
func (q *question) survey(r *roster) findings {
	var c census
	for i := range r.members {
		m := &r.members[i]
		c.add(m.node.load(), m.backup)
	}
	q.rules = c.rules(q.pool.cfg.FailOpen)

	f := findings{best: noTier}
	for i := range r.members {
		m := &r.members[i]
		f.nodes++
		t := q.tier(m, &f)
		if t == noTier || t > f.best {
			continue
		}
		if t < f.best {
			f.best, f.weight = t, 0
		}
		f.weight += m.effective(q.pool, q.now)
	}
	return f
}

// tier is where m stands for this question. A member that can't be used at all is noted in f, which
// may be nil.
func (q *question) tier(m *member, f *findings) tier {
	st := m.node.load()
	t := q.rules.tier(st, m.backup, m.weight == 0)
	limit := int64(q.pool.cfg.SessionsPerNode)
	full := limit > 0 && m.node.sessions.Load() >= limit
	tried := len(q.tried) > 0 && slices.Contains(q.tried, m.node)
	if f != nil {
		switch {
		case st.unresolved():
			f.unresolved++
		case st.admin() == Maint:
			f.maint++
		case tried:
			f.tried++
		case full:
			f.full++
		}
	}
	if full || tried {
		return noTier
	}
	return t
}

// why names the reason that says most about a pick without a candidate: what this session did comes
// before what the pool is.
func (f *findings) why() error {
	switch {
	case f.nodes == 0:
		return ErrEmpty
	case f.full > 0:
		return ErrFull
	case f.tried > 0:
		return ErrTried
	case f.maint > 0 && f.maint+f.unresolved == f.nodes:
		return ErrMaint
	case f.unresolved == f.nodes:
		return ErrUnresolved
	}
	return ErrNoNode
}

// effective is the weight that counts now: less than the configured one while the node starts slowly.
// A weight of zero counts as one unit among its like.
func (m *member) effective(p *Pool, now time.Duration) uint64 {
	if m.weight == 0 {
		return 1
	}
	if p.cfg.SlowStart <= 0 {
		return m.weight
	}
	return ramp(m.weight, now-time.Duration(m.node.began.Load()), p.cfg.SlowStart)
}

// step is how far one session moves the member's turn on.
func (m *member) step(p *Pool, now time.Duration) uint64 {
	return turnUnit / m.effective(p, now)
}
