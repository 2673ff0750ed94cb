package l4

import (
	"bytes"
	"crypto/rand"
	"crypto/tls"
	"slices"
	"time"
)

// tickets seals and opens the session tickets of all listeners of a process. Its keys outlive reloads, so that
// clients go on resuming; they are in no file, and whoever gets hold of the process's memory can read the
// sessions of ticketLife, no more. Safe for concurrent use, except for rotate.
type tickets struct {
	sealer  tls.Config // nothing but its ticket keys is used
	keys    [][32]byte // the first seals, all open
	rotated time.Time
}

// A ticket is sealed with a key that is at most ticketRotation old, and opened for as long again as there
// are older keys: for 16 hours at least, 24 at most. RFC 8446 section 4.6.1 allows seven days.
const (
	ticketRotation = 8 * time.Hour
	ticketKeys     = 3
)

func newTickets(now time.Time) *tickets {
	t := &tickets{}
	t.rotate(now)
	return t
}

// rotate makes a new key if the present one has served its time. Only one goroutine may call it.
func (t *tickets) rotate(now time.Time) {
	if len(t.keys) > 0 && now.Sub(t.rotated) < ticketRotation {
		return
	}
	var key [32]byte
	rand.Read(key[:])
	t.keys = slices.Insert(t.keys[:min(len(t.keys), ticketKeys-1)], 0, key)
	t.rotated = now
	t.sealer.SetSessionTicketKeys(t.keys)
}

// use makes cfg resume by these tickets. A ticket is good wherever the same is asked of clients' certificates,
// which realm stands for: it must not carry one authority's client to a listener that trusts another.
func (t *tickets) use(cfg *tls.Config, realm []byte) {
	realm = append([]byte("sluice "), realm...) // tls.SessionState.Extra asks for a prefix
	cfg.WrapSession = func(cs tls.ConnectionState, state *tls.SessionState) ([]byte, error) {
		state.Extra = append(state.Extra, realm)
		return t.sealer.EncryptTicket(cs, state)
	}
	cfg.UnwrapSession = func(ticket []byte, cs tls.ConnectionState) (*tls.SessionState, error) {
		state, err := t.sealer.DecryptTicket(ticket, cs)
		if err != nil || state == nil {
			return nil, err
		}
		if !slices.ContainsFunc(state.Extra, func(b []byte) bool { return bytes.Equal(b, realm) }) {
			return nil, nil // a full handshake
		}
		return state, nil
	}
}
