package l4

import "math/bits"

// A wheel keeps the deadlines of one loop: a hierarchical timing wheel (Varghese and Lauck, 1987) of
// wheelLevels rings with 64 slots, each ring 64 times coarser than the one below. Adding and removing
// cost the same however many timers there are, and a loop that has nothing due can sleep until the
// next slot that holds something.
//
// Deadlines are ticks: milliseconds on any clock that only goes forward. The wheel has no clock of its
// own, so that a test can be one. It is not safe for concurrent use; the zero value is empty, at tick 0.
type wheel[T any] struct {
	now  int64
	used [wheelLevels]uint64 // a bit for every slot that is not empty
	slot [wheelLevels][64]*timer[T]
}

// Five rings of 64 reach 64^5 ms, twelve days. A deadline beyond that fires early; callers look at the
// deadline they meant whenever a timer fires, see [wheel.advance].
const wheelLevels = 5

const wheelReach = 1<<(6*wheelLevels) - 1

// A timer is one deadline, embedded in what it belongs to. The zero value is not armed.
type timer[T any] struct {
	owner      T
	next, prev *timer[T]
	at         int64
	level, pos uint8
	armed      bool
}

// arm sets t to fire at the tick at, in place of whatever it was set to.
func (w *wheel[T]) arm(t *timer[T], at int64) {
	w.disarm(t)
	t.at = min(max(at, w.now+1), w.now+wheelReach)
	// The ring is given by the highest digit, base 64, in which the deadline differs from now.
	t.level = uint8((bits.Len64(uint64(t.at^w.now)) - 1) / 6)
	if t.level >= wheelLevels {
		// The digits above the top ring roll over within reach: the top ring holds it a turn ahead.
		t.level = wheelLevels - 1
	}
	t.pos = uint8(t.at>>(6*t.level)) & 63
	head := &w.slot[t.level][t.pos]
	t.next, t.prev = *head, nil
	if t.next != nil {
		t.next.prev = t
	}
	*head = t
	w.used[t.level] |= 1 << t.pos
	t.armed = true
}

// disarm takes t out; nothing happens if it was not armed.
func (w *wheel[T]) disarm(t *timer[T]) {
	if !t.armed {
		return
	}
	if t.next != nil {
		t.next.prev = t.prev
	}
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		w.slot[t.level][t.pos] = t.next
		if t.next == nil {
			w.used[t.level] &^= 1 << t.pos
		}
	}
	t.next, t.prev, t.armed = nil, nil, false
}

// next returns the tick at which the wheel wants to be advanced, which is never later than the
// earliest deadline; ok is false if no timer is armed.
func (w *wheel[T]) next() (at int64, ok bool) {
	_, at, ok = w.first()
	return at, ok
}

// first finds the earliest slot that holds something, and the tick at which that slot begins.
func (w *wheel[T]) first() (level int, at int64, ok bool) {
	for level := range wheelLevels {
		if w.used[level] == 0 {
			continue
		}
		shift := 6 * level
		here := w.now >> shift & 63
		// Rotated so that bit 0 is the slot after the present one. Invariant: the present slot of a
		// ring is empty or a whole turn away, since what falls into it lives in a finer ring.
		ahead := bits.RotateLeft64(w.used[level], -int(here+1))
		steps := int64(bits.TrailingZeros64(ahead)) + 1
		return level, (w.now>>shift + steps) << shift, true
	}
	return 0, 0, false
}

// advance moves the wheel to the tick now and calls fire for every timer whose deadline has come,
// disarmed, in no particular order within a tick. fire may arm and disarm any timer.
func (w *wheel[T]) advance(now int64, fire func(T)) {
	for {
		level, at, ok := w.first()
		if !ok || at > now {
			break
		}
		w.now = at
		pos := uint8(at>>(6*level)) & 63
		for t := w.slot[level][pos]; t != nil; t = w.slot[level][pos] {
			if level > 0 && t.at > at {
				w.arm(t, t.at) // its turn comes in a finer ring
				continue
			}
			w.disarm(t)
			fire(t.owner)
		}
	}
	w.now = max(w.now, now)
}
