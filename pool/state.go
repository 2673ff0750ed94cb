package pool

// Health is what the checks say of a node.
//
//	Unknown -> Up    the first check that passes
//	Unknown -> Down  fall checks failed in a row
//	Up      -> Down  fall checks failed in a row
//	Down    -> Up    rise checks passed in a row
//	any     -> Unknown  only when checks are turned off, or the node returns after a reload left it out
type Health uint8

const (
	Unknown Health = iota // no verdict yet, or no checks; counts as fit
	Up
	Down
)

// String is the word used in the API, in metrics and in the log.
func (h Health) String() string { return [...]string{"unknown", "up", "down"}[h] }

// Admin is what the operator says of a node. Any value may follow any other.
type Admin uint8

const (
	Ready Admin = iota // takes sessions
	Drain              // no new sessions; those it has go on
	Maint              // never a new session, and no checks
)

// String is the word used in the API, in metrics and in the log.
func (a Admin) String() string { return [...]string{"ready", "drain", "maint"}[a] }

// ParseAdmin is the inverse of [Admin.String].
func ParseAdmin(s string) (Admin, bool) {
	for a := Ready; a <= Maint; a++ {
		if s == a.String() {
			return a, true
		}
	}
	return Ready, false
}

// state is all the facts that decide about a node's availability, packed so that a pick reads them in one
// atomic load: health in bits 0-1, admin in bits 2-3, then one bit each.
type state uint32

const (
	healthMask state = 3
	adminShift       = 2
	adminMask  state = 3 << adminShift

	busyBit       state = 1 << 4 // the last check was answered with 429 or 503
	ejectedBit    state = 1 << 5 // traffic failed on it
	unresolvedBit state = 1 << 6 // its host name has no address yet
)

func (s state) health() Health   { return Health(s & healthMask) }
func (s state) admin() Admin     { return Admin(s & adminMask >> adminShift) }
func (s state) busy() bool       { return s&busyBit != 0 }
func (s state) ejected() bool    { return s&ejectedBit != 0 }
func (s state) unresolved() bool { return s&unresolvedBit != 0 }

func (s state) withHealth(h Health) state { return s&^healthMask | state(h) }
func (s state) withAdmin(a Admin) state   { return s&^adminMask | state(a)<<adminShift }

func (s state) with(bit state, on bool) state {
	if on {
		return s | bit
	}
	return s &^ bit
}

// available is the derived fact that pools, /readyz and the metrics speak of:
//
//	health         admin   ejected   available
//	unknown, up    ready   no        yes
//	unknown, up    ready   yes       no
//	down           ready   any       no
//	any            drain   any       no
//	any            maint   any       no
//
// and never without an address. Busy is no part of it: a busy node is alive and available, it only
// stands behind the others.
func (s state) available() bool {
	return s.health() != Down && s.admin() == Ready && !s.ejected() && !s.unresolved()
}

// tier is the order in which nodes are considered: a pick chooses among the nodes of the lowest tier
// that has a candidate. A node that is full (sessions_per_node), was tried by this session, has no
// address or is in maint is in no tier.
//
//	tier            the node is                                      considered
//	tierFit         a primary, available, not busy                   always
//	tierBusy        a primary, available, busy                       always
//	tierBackup      a backup, available, not busy                    always
//	tierBackupBusy  a backup, available, busy                        always
//	tierWeightless  available, of weight 0                           always
//	tierDown        a primary, ready, but down or ejected            when no node is available
//	tierBackupDown  a backup, ready, but down or ejected             when no node is available
//	tierDrain       draining, whatever its health                    when no node is available
//
// Two readings are behind it. A backup takes a session that no primary can take: because none is
// available, all are full, or this session has failed on all of them; that the primaries are busy is
// no reason, busy nodes are available. And when no node is available, what the checks and the traffic
// said is put aside before what the operator said: down and ejected nodes come first, draining ones
// only when there is no other, nodes in maint never.
//
// fail_open above zero: if the share of available nodes among the ready ones falls under it, the
// down and ejected ones count as available. Primaries and backups are looked at apart, and only where
// at least one is available: dead primaries are not revived while a backup works. Draining nodes don't
// count, on either side: draining half of a pool is no reason to believe its checks less.
type tier uint8

const (
	tierFit tier = iota
	tierBusy
	tierBackup
	tierBackupBusy
	tierWeightless
	tierDown
	tierBackupDown
	tierDrain
	noTier
)

// group tells primaries from backups where they are counted apart.
type group uint8

const (
	primaries group = iota
	backups
	groups
)

func groupOf(backup bool) group {
	if backup {
		return backups
	}
	return primaries
}

// census counts the nodes of a pool by what the rules depend on.
type census struct {
	ready, available [groups]int
}

func (c *census) add(s state, backup bool) {
	g := groupOf(backup)
	if s.admin() == Ready {
		c.ready[g]++
	}
	if s.available() {
		c.available[g]++
	}
}

// rules are what a pool's census means for its members.
type rules struct {
	none bool         // no node is available: the tiers below open
	open [groups]bool // too few are available: down and ejected ones count as available
}

func (c *census) rules(failOpen float64) rules {
	r := rules{none: c.available[primaries]+c.available[backups] == 0}
	for g := range groups {
		share := failOpen * float64(c.ready[g])
		r.open[g] = c.available[g] > 0 && float64(c.available[g]) < share
	}
	return r
}

// tier places a node under the rules.
func (r *rules) tier(s state, backup, weightless bool) tier {
	switch {
	case s.unresolved() || s.admin() == Maint:
		return noTier
	case s.admin() == Drain && r.none:
		return tierDrain
	case s.admin() == Drain:
		return noTier
	case s.available() || r.open[groupOf(backup)]:
		return usable(s.busy(), backup, weightless)
	case r.none && !backup:
		return tierDown
	case r.none:
		return tierBackupDown
	}
	return noTier
}

func usable(busy, backup, weightless bool) tier {
	switch {
	case weightless:
		return tierWeightless
	case backup && busy:
		return tierBackupBusy
	case backup:
		return tierBackup
	case busy:
		return tierBusy
	}
	return tierFit
}
