package l4

import (
	"math/rand/v2"
	"testing"
)

type tick struct {
	id    int
	timer timer[*tick]
}

func newTick(id int) *tick {
	t := &tick{id: id}
	t.timer.owner = t
	return t
}

func TestWheelFiresAtTheDeadlineNotBefore(t *testing.T) {
	for _, at := range []int64{1, 2, 63, 64, 65, 127, 128, 4095, 4096, 4097, 262143, 262144, 16777216, 16777217, wheelReach} {
		var w wheel[*tick]
		k := newTick(0)
		w.arm(&k.timer, at)
		fired := false
		for !fired {
			next, ok := w.next()
			if !ok {
				t.Fatalf("deadline %d: the wheel lost it", at)
			}
			if next > at {
				t.Fatalf("deadline %d: next() says %d", at, next)
			}
			w.advance(next, func(*tick) { fired = true })
			if fired && next != at {
				t.Fatalf("deadline %d: fired at %d", at, next)
			}
		}
		if _, ok := w.next(); ok {
			t.Errorf("deadline %d: not empty after it fired", at)
		}
	}
}

func TestWheelPastAndFar(t *testing.T) {
	var w wheel[*tick]
	w.advance(1000, nil)
	past, far := newTick(1), newTick(2)
	w.arm(&past.timer, 5)
	w.arm(&far.timer, 1000+10*wheelReach)
	got := map[int]int64{}
	w.advance(1001, func(k *tick) { got[k.id] = 1001 })
	if got[1] != 1001 {
		t.Errorf("a deadline in the past fires on the next tick: got %v", got)
	}
	w.advance(1000+wheelReach, func(k *tick) { got[k.id] = w.now })
	if got[2] != 1000+wheelReach {
		t.Errorf("a deadline out of reach fires at the end of the reach: got %v, want %d", got, 1000+wheelReach)
	}
}

// The wheel against a plain map of deadlines: random arming, disarming and jumps in time.
func TestWheelAgainstModel(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		var w wheel[*tick]
		base := rng.Int64N(1 << 40)
		w.now = base
		now := base
		model := map[*tick]int64{}
		ticks := make([]*tick, 50)
		for i := range ticks {
			ticks[i] = newTick(i)
		}
		for range 400 {
			k := ticks[rng.IntN(len(ticks))]
			switch rng.IntN(4) {
			case 0, 1:
				at := now + 1 + rng.Int64N(int64(1)<<rng.IntN(29))
				w.arm(&k.timer, at)
				model[k] = at
			case 2:
				w.disarm(&k.timer)
				delete(model, k)
			case 3:
				now += rng.Int64N(int64(1) << rng.IntN(26))
				last := int64(0)
				w.advance(now, func(k *tick) {
					at, ok := model[k]
					if !ok || at > now {
						t.Fatalf("fired %d at %d, model says %d, %v", k.id, now, at, ok)
					}
					if w.now < last || w.now != at {
						t.Fatalf("fired %d at tick %d, deadline %d, after %d", k.id, w.now, at, last)
					}
					last = w.now
					delete(model, k)
				})
				for k, at := range model {
					if at <= now {
						t.Fatalf("%d was due at %d and did not fire by %d", k.id, at, now)
					}
				}
			}
			earliest, any := int64(1<<62), false
			for _, at := range model {
				earliest, any = min(earliest, at), true
			}
			next, ok := w.next()
			if ok != any || ok && (next > earliest || next <= w.now) {
				t.Fatalf("next() = %d, %v with earliest %d, %v at %d", next, ok, earliest, any, w.now)
			}
		}
	}
}

func TestWheelAllocatesNothing(t *testing.T) {
	var w wheel[*tick]
	k := newTick(0)
	if n := testing.AllocsPerRun(100, func() {
		w.arm(&k.timer, w.now+70)
		w.advance(w.now+100, func(*tick) {})
	}); n != 0 {
		t.Errorf("arm and advance allocate %v times, want 0", n)
	}
}

func BenchmarkWheelArmAgain(b *testing.B) {
	var w wheel[*tick]
	ticks := make([]*tick, 9000)
	for i := range ticks {
		ticks[i] = newTick(i)
		w.arm(&ticks[i].timer, int64(i+1)*100)
	}
	i := 0
	for b.Loop() {
		k := ticks[i%len(ticks)]
		w.arm(&k.timer, w.now+2000+int64(i&1023))
		i += 7919
	}
}
