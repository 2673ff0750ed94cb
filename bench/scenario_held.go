//go:build linux

package main

import (
	"fmt"
	"time"
)

const (
	idleBase  = 200  // sessions that are there before memory is first read: what a first session costs once is no cost per session
	idleMore  = 9000 // and those that are counted
	idleQuiet = 10 * time.Second

	// idleSettle is for what is done once in a session's life, such as keepalive that is set when it is no longer young, and for
	// memory that is given back after a burst: neither is what silence costs.
	idleSettle = 5 * time.Second
)

// heldLevels are numbers of sessions held while others come and go.
var heldLevels = []int{100, 1000, 3000, 9000}

// heldScenarios hold many sessions.
func heldScenarios() []scenario {
	idle := []figure{
		{key: "kb", title: "memory", unit: "KB"},
		{key: "user_kb", title: "of that in user space", unit: "KB"},
		{key: "files", title: "descriptors", unit: "each"},
		{key: "cpu_ms", title: "processor time in 10 s", unit: "ms"},
	}
	held := scenario{
		name: "held", title: "Short sessions while others are held", mode: plain, curve: heldLevels, without: []string{"iocopy", "sluice-copy"},
		what: "Short sessions as in short, 2,000 a second, while 100, 1,000, 3,000 and 9,000 others are open and silent.",
		bars: []bar{{figure: "held_9000", over: "held_100", most: 1.1}},
		run:  runHeld,
	}
	for _, n := range heldLevels {
		held.figures = append(held.figures, figure{key: fmt.Sprintf("held_%d", n), title: fmt.Sprintf("added with %d held", n), unit: "us", added: true})
	}
	return []scenario{
		{
			name: "idle", title: "Idle sessions", mode: plain, quiet: true, memory: true, figures: idle, without: []string{"direct"},
			what: "9,000 sessions that have exchanged one message and are silent: memory for each with the kernel's part, descriptors for each, and the balancer's processor time in 10 s of silence, from the fifth second on.",
			bars: []bar{{figure: "kb", peer: "haproxy", most: 0.75}, {figure: "files", value: true, most: 2.01}, {figure: "cpu_ms", value: true, most: 10}},
			run:  runIdle("hold", idleMore),
		},
		held,
	}
}

// runIdle opens sessions and watches the peer do nothing.
func runIdle(kind string, n int) func(b *bed) (sample, error) {
	return func(b *bed) (sample, error) {
		hold := func(n int) (memory, int, error) {
			if _, err := b.load("held", loadSpec{Kind: kind, Conns: n, Request: reqSize, Response: respSize}); err != nil {
				return memory{}, 0, err
			}
			time.Sleep(time.Second) // what was needed to open them is given back, if it ever is
			m, err := b.mem.read()
			return m, b.proc.files(), err
		}
		n := b.n(n)
		before, filesBefore, err := hold(idleBase)
		if err != nil {
			return sample{}, err
		}
		after, filesAfter, err := hold(n)
		if err != nil {
			return sample{}, err
		}
		time.Sleep(idleSettle)
		from, err := b.clock.read()
		if err != nil {
			return sample{}, err
		}
		cpu := b.proc.cpu()
		time.Sleep(idleQuiet)
		cpu = b.proc.cpu() - cpu
		to, err := b.clock.read()
		if err != nil {
			return sample{}, err
		}
		for _, l := range b.loads { // every session has to be alive
			var res loadResult
			if err := l.stop(&res, patience); err != nil {
				return sample{}, err
			}
		}
		return sample{Spent: b.clock.spent(from, to), Figures: map[string]float64{
			"kb":      float64(after.all-before.all) / 1024 / float64(n),
			"user_kb": float64(after.user-before.user) / 1024 / float64(n),
			"files":   float64(filesAfter-filesBefore) / float64(n),
			"cpu_ms":  float64(cpu.Microseconds()) / 1e3,
		}}, nil
	}
}

// runHeld measures short sessions again and again while ever more others are held, through one process of the peer.
func runHeld(b *bed) (sample, error) {
	out := sample{Figures: map[string]float64{}}
	have := 0
	var holders []*child
	for _, level := range heldLevels {
		l, err := b.load("held", loadSpec{Kind: "hold", Conns: level - have, Request: reqSize, Response: respSize})
		if err != nil {
			return out, err
		}
		holders, have = append(holders, l), level
		s, err := short(loadSpec{Rate: shortRate, Warm: 500, Count: 6000})(b)
		if err != nil {
			return out, fmt.Errorf("with %d held: %w", level, err)
		}
		out.Figures[fmt.Sprintf("held_%d", level)] = s.Figures["machine_us"]
		out.Spent = out.Spent.plus(s.Spent)
	}
	for _, l := range holders {
		var res loadResult
		if err := l.stop(&res, patience); err != nil {
			return out, err
		}
	}
	return out, nil
}
