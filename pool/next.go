package pool

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"

	"github.com/sluicelb/sluice/configs"
)

// Next is a prepared configuration: pools that can be asked already but are not checked yet. It holds
// nothing that must be released.
type Next struct {
	set   *Set
	pools []*Pool
	fresh map[entryKey]*entry // not yet in the set
}

// Prepare makes pools of cfgs around the nodes that exist already, by pool name and address. It reads
// the TLS files of the checks and asks for host names that are new, all at once and for at most
// [firstLookup]; a name without an answer is no error. Nothing starts, and nothing in use changes.
// All that is wrong is reported at once.
func (s *Set) Prepare(cfgs []*configs.Pool) (*Next, error) {
	next := &Next{set: s, fresh: make(map[entryKey]*entry)}
	var errs []error
	for _, cfg := range cfgs {
		p, err := s.newPool(cfg)
		if err == nil && next.Pool(cfg.Name) != nil {
			err = errors.New("there are two of that name")
		}
		if err == nil {
			err = next.enter(p)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("pool %q: %w", cfg.Name, err))
			continue
		}
		next.pools = append(next.pools, p)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	next.resolve()

	s.mu.Lock()
	defer s.mu.Unlock()
	for _, p := range next.pools {
		p.fill(next.entryLocked)
	}
	return next, nil
}

func (s *Set) newPool(cfg *configs.Pool) (*Pool, error) {
	probes, err := newProbes(cfg, s.CheckHeader)
	if err != nil {
		return nil, err
	}
	if probes != nil {
		probes.fake = s.fake
	}
	return &Pool{
		set: s, cfg: cfg, probes: probes, terms: termsOf(cfg), draw: rand.Uint64N,
	}, nil
}

// enter makes a slot of p for every configured node, and an entry for those that are new.
func (next *Next) enter(p *Pool) error {
	seen := make(map[string]bool)
	var errs []error
	for _, text := range slices.Concat(p.cfg.Nodes, p.cfg.Backup) {
		if seen[text] {
			continue // a backup may be listed among the nodes too
		}
		seen[text] = true
		e, err := next.set.newEntry(entryKey{pool: p.cfg.Name, text: text})
		if err != nil {
			errs = append(errs, err)
			continue
		}
		s := slot{key: e.key, backup: slices.Contains(p.cfg.Backup, text)}
		s.weight, s.weightless = weightOf(p.cfg, text)
		p.slots = append(p.slots, s)
		next.set.mu.Lock()
		_, known := next.set.entries[e.key]
		next.set.mu.Unlock()
		if !known {
			next.fresh[e.key] = e
		}
	}
	return errors.Join(errs...)
}

// weightOf is the weight that text is configured with. Zero becomes the default beside weightless: such
// nodes are equals among themselves.
func weightOf(cfg *configs.Pool, text string) (weight uint64, weightless bool) {
	const normal = 100
	w, ok := cfg.Weights[text]
	if !ok || w <= 0 {
		return normal * weightUnit, ok
	}
	return uint64(min(w, maxWeight)) * weightUnit, false
}

// Pool is the prepared pool of that name, or nil. It is what [Set.Pools] lists after Commit.
func (next *Next) Pool(name string) *Pool {
	i := slices.IndexFunc(next.pools, func(p *Pool) bool { return p.Name() == name })
	if i < 0 {
		return nil
	}
	return next.pools[i]
}

// entryLocked finds an entry in the set, or among those that are to enter it. Set.mu must be held.
func (next *Next) entryLocked(key entryKey) *entry {
	if e := next.set.entries[key]; e != nil {
		return e
	}
	return next.fresh[key]
}

// Discard says that the configuration is not wanted. It is the other end of a Next beside Commit; today
// there is nothing to release.
func (next *Next) Discard() {}

// Commit makes the pools current: their nodes are checked and their host names resolved from now on.
// Nodes that are in no pool any more are retired. It does nothing on a closed set. Commit what was
// prepared last; an older Next is a configuration that was overtaken.
func (next *Next) Commit() {
	s := next.set
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	var events []Event
	wanted := make(map[entryKey]bool)
	for _, p := range next.pools {
		for _, slot := range p.slots {
			wanted[slot.key] = true
			if s.entries[slot.key] == nil {
				e := next.fresh[slot.key]
				if e == nil { // another Commit in between has dropped it
					e, _ = s.newEntry(slot.key) // it was parsed before
				}
				events = append(events, s.addLocked(e)...)
			}
		}
	}
	for key, e := range s.entries {
		if !wanted[key] {
			events = append(events, s.dropLocked(e)...)
		}
	}
	s.current.Store(&next.pools)
	for _, p := range next.pools {
		events = append(events, s.assembleLocked(p)...)
	}
	s.forgetLocked()
	s.mu.Unlock()
	s.emit(events...)
}

// fill builds the roster of p from its entries. Members that stay keep their turn.
func (p *Pool) fill(find func(entryKey) *entry) {
	r, old := &roster{}, p.roster.Load()
	var from []slot // of the node at the same index
	for _, slot := range p.slots {
		if e := find(slot.key); e != nil {
			for _, n := range e.nodes {
				r.nodes, from = append(r.nodes, n), append(from, slot)
			}
		}
	}
	r.members = make([]member, len(r.nodes))
	for i, n := range r.nodes {
		m := &r.members[i]
		m.node, m.backup = n, from[i].backup
		m.weight, m.weightless = from[i].weight, from[i].weightless
		m.step = turnUnit / m.weight
		m.turn.Store(old.turnOf(n, p.turn.Load()))
	}
	p.roster.Store(r)
}

// turnOf is where a node stood in the round robin, or now.
func (r *roster) turnOf(n *Node, now uint64) uint64 {
	if r != nil {
		if i := slices.Index(r.nodes, n); i >= 0 {
			return r.members[i].turn.Load()
		}
	}
	return now
}

// assembleLocked gives p its members and gets them checked as p says. s.mu must be held.
func (s *Set) assembleLocked(p *Pool) []Event {
	p.fill(func(key entryKey) *entry { return s.entries[key] })
	var events []Event
	for _, n := range p.roster.Load().nodes {
		events = append(events, n.join(p, p.probes.probe(n))...)
	}
	return events
}
