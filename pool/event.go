package pool

import "time"

// Kind says which fact of a node changed.
type Kind string

const (
	KindHealth  Kind = "health"  // Old and New are words of [Health]
	KindBusy    Kind = "busy"    // "no" or "busy"
	KindAdmin   Kind = "admin"   // words of [Admin]
	KindEject   Kind = "eject"   // "no" or "ejected"
	KindMember  Kind = "member"  // "", "added" or "removed": the node joined or left its pool
	KindResolve Kind = "resolve" // "failing" or "resolved"; Node is nil, Name the configured node
)

// Event is one transition. Sessions of a node are to be closed when
//
//	e.Kind == KindHealth && e.New == Down.String()
//
// and the node's pool says on_down = "close".
type Event struct {
	Time     time.Time
	Kind     Kind
	Pool     string
	Node     *Node // nil for KindResolve
	Name     string
	Old, New string
	Reason   string
}
