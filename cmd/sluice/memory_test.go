package main

import (
	"testing"
	"time"
)

func TestHeapPercent(t *testing.T) {
	for _, tt := range []struct {
		live uint64
		want int
	}{
		{0, 800}, {1 << 20, 800}, {4 << 20, 700}, {8 << 20, 300}, {16 << 20, 100}, {1 << 30, 100},
	} {
		if got := heapPercent(tt.live); got != tt.want {
			t.Errorf("%d MiB: got %d, want %d", tt.live>>20, got, tt.want)
		}
	}
}

func TestMemoryIsGivenBackWhenQuiet(t *testing.T) {
	m := memory{set: heapPercent(0)}
	at := time.Unix(0, 0).Add(time.Hour)
	for i, tt := range []struct {
		allocated uint64 // MiB
		after     time.Duration
		give      bool
	}{
		{0, 0, false},
		{20, time.Second, false}, // busy
		{40, time.Second, false},
		{40, time.Second, true},  // quiet
		{40, time.Second, false}, // there is nothing more
		{60, time.Second, false},
		{60, time.Second, false}, // quiet, but it has just been done
		{60, 5 * time.Second, true},
		{62, 5 * time.Second, false},
		{62, 5 * time.Second, false}, // not worth it
	} {
		at = at.Add(tt.after)
		if _, give := m.look(1<<20, tt.allocated<<20, at); give != tt.give {
			t.Errorf("step %d: got %v, want %v", i, give, tt.give)
		}
	}
	if percent, _ := m.look(8<<20, 62<<20, at); percent != 300 {
		t.Errorf("got %d for 8 MiB, want 300", percent)
	}
	if percent, _ := m.look(8<<20+1000, 62<<20, at); percent != 0 {
		t.Errorf("got %d for nearly the same, want no change", percent)
	}
}
