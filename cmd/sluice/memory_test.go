package main

import (
	"bytes"
	"context"
	"runtime"
	"runtime/debug"
	"runtime/metrics"
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
	var m memory
	for i, tt := range []struct {
		allocated uint64 // MiB
		worth     bool
		give      bool
	}{
		{2, false, false}, // not worth it
		{20, true, false}, // busy
		{40, true, false},
		{40, true, true},   // quiet
		{40, false, false}, // there is nothing more
		{60, true, false},
		{60, true, true},
		{62, false, false},
		{62, false, false}, // not worth it
	} {
		if worth := m.worth(tt.allocated << 20); worth != tt.worth {
			t.Errorf("step %d: worth it: got %v, want %v", i, worth, tt.worth)
		}
		if give := m.look(tt.allocated << 20); give != tt.give {
			t.Errorf("step %d: got %v, want %v", i, give, tt.give)
		}
	}
}

func TestCollectionSetsPercent(t *testing.T) {
	m := memory{set: heapPercent(0)}
	if percent := m.collected(8 << 20); percent != 300 {
		t.Errorf("got %d for 8 MiB, want 300", percent)
	}
	if percent := m.collected(8<<20 + 1000); percent != 0 {
		t.Errorf("got %d for nearly the same, want no change", percent)
	}
}

func TestCollectionIsTold(t *testing.T) {
	told := make(chan struct{}, 1)
	for range 3 {
		tellCollection(told)
		runtime.GC()
		select {
		case <-told:
		case <-time.After(5 * time.Second):
			t.Fatal("a collection was not told of")
		}
	}
}

var held [][]byte

func TestKeepMemory(t *testing.T) {
	t.Setenv("GOGC", "") // what else may say
	before := debug.SetGCPercent(100)
	defer debug.SetGCPercent(before)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); keepMemory(ctx) }()
	defer func() { stop(); <-done }()
	for range 40 {
		held = append(held, bytes.Repeat([]byte{1}, 1<<20))
	}
	runtime.GC()
	held = nil
	released := func() uint64 {
		s := []metrics.Sample{{Name: "/memory/classes/heap/released:bytes"}}
		metrics.Read(s)
		return s[0].Value.Uint64()
	}
	from := released()
	for deadline := time.Now().Add(20 * time.Second); released() < from+(30<<20); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("of 40 MiB of garbage only %d MiB were given back", int64(released()-from)>>20)
		}
	}
}
