package l4

import (
	"runtime"
	"testing"
)

func TestProcsSize(t *testing.T) {
	thin := func(n int, load int64) []int64 {
		loads := make([]int64, n)
		for i := range loads {
			loads[i] = load
		}
		return loads
	}
	tests := []struct {
		name  string
		from  procsSize
		loads []int64
		want  int
	}{
		{"a thin load stays on one", procsSize{now: 1, most: 8}, thin(100, procsCrowded), 1},
		{"one that is crowded becomes two", procsSize{now: 1, most: 8}, []int64{procsCrowded + 1}, 2},
		{"twice as many each time", procsSize{now: 1, most: 8}, []int64{1000, 2000, 4000}, 8},
		{"never more than there are processors", procsSize{now: 4, most: 6}, []int64{4000, 6000, 6000}, 6},
		{"not fewer at once", procsSize{now: 4, most: 8}, thin(procsThinRuns-1, 0), 4},
		{"half as many after a while", procsSize{now: 4, most: 8}, thin(procsThinRuns, 2*procsThin), 2},
		{"down to one", procsSize{now: 8, most: 8}, thin(3*procsThinRuns, 0), 1},
		{"never none", procsSize{now: 1, most: 8}, thin(10*procsThinRuns, 0), 1},
		{"what is between the two stays", procsSize{now: 4, most: 8}, thin(100, 2*procsThin+1), 4},
		{"a busy window begins the while anew", procsSize{now: 2, most: 8}, append(append(thin(procsThinRuns-1, 0), procsThin+1), thin(procsThinRuns-1, 0)...), 2},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			size := tt.from
			for _, load := range tt.loads {
				size.next(load)
			}
			if size.now != tt.want {
				t.Errorf("%d, want %d", size.now, tt.want)
			}
		})
	}
}

// What is done about it is the process's, so this test is not for t.Parallel.
func TestProcs(t *testing.T) {
	if processTime() == 0 {
		t.Skip("the processor time of a process is not known here")
	}
	t.Setenv("GOMAXPROCS", "")
	had := runtime.GOMAXPROCS(0)
	defer runtime.GOMAXPROCS(had)
	runtime.GOMAXPROCS(4)
	count := func(want int) {
		t.Helper()
		if got := runtime.GOMAXPROCS(0); got != want {
			t.Fatalf("GOMAXPROCS is %d, want %d", got, want)
		}
	}
	p := newProcs(true, 7)
	p.serve(true, 1)
	count(1)
	// The clock is the test's, the processor time is real: all of a window that is as long as it took.
	busy := func() (took int64) {
		from := processTime()
		for processTime()-from < procsWindow {
		}
		return int64(processTime() - from)
	}
	now := 1 + busy()
	p.look(now)
	count(2)
	p.look(now + int64(procsWindow) - 1) // not due
	count(2)
	p.serve(true, 1) // a reload changes nothing
	count(2)
	p.serve(false, 1)
	count(9)
	p.look(1 << 40)
	p.serve(true, 1<<40)
	count(9)

	runtime.GOMAXPROCS(4)
	for _, p := range []*procs{newProcs(false, 7), func() *procs { t.Setenv("GOMAXPROCS", "4"); return newProcs(true, 7) }()} {
		p.serve(true, 1)
		p.look(1 << 40)
		count(4)
	}
}
