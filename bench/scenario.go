//go:build linux

package main

// sample is what one measurement found: named figures, and the latencies if the scenario has any.
type sample struct {
	Scenario string             `json:"scenario"`
	Peer     string             `json:"peer"`
	Round    int                `json:"round"`
	Figures  map[string]float64 `json:"figures"`
	Spent    spent              `json:"spent"`
	Latency  *hist              `json:"latency,omitempty"`
}

// figure is a column of results.
type figure struct {
	key   string // in sample.Figures
	title string
	unit  string
	added bool // less what direct has in the same round
}

// bar is what issue 4 asks of Sluice, as a ratio to another peer.
type bar struct {
	figure string
	peer   string // a family of peers, the better of which counts; "best" is the best of haproxy and nginx
	most   float64
	below  bool // strictly less
	least  float64
}

// scenario is one kind of work, done by every peer in every round.
type scenario struct {
	name    string
	title   string
	what    string // one paragraph for the results
	mode    mode
	peers   []string // nil: all that can
	figures []figure // the first is what counts, and what is drawn
	bars    []bar
	bulk    bool // site.bulk
	idle    bool // site.checks is off
	run     func(b *bed) (sample, error)
}

const (
	reqSize   = 128
	respSize  = 512
	shortRate = 2000
)

var (
	addedUS   = figure{key: "machine_us", title: "machine time added", unit: "us", added: true}
	p50       = figure{key: "p50_us", title: "p50", unit: "us"}
	p99       = figure{key: "p99_us", title: "p99", unit: "us"}
	p999      = figure{key: "p999_us", title: "p99.9", unit: "us"}
	perSecond = figure{key: "per_s", title: "rate", unit: "1/s"}
)

// scenarios are all there are, in the order of the results.
func scenarios() []scenario {
	shortBars := []bar{{figure: "machine_us", peer: "haproxy", most: 0.90}, {figure: "machine_us", peer: "nginx", most: 1, below: true}}
	return []scenario{
		{
			name: "short", title: "Short sessions", mode: plain, bars: shortBars,
			what:    "Connect, 128 B request, 512 B response, the client closes. 2,000 a second at random times.",
			figures: []figure{addedUS, p50, p99},
			run:     short(loadSpec{Rate: shortRate, Warm: 1000, Count: 10000}),
		},
		{
			name: "short-nodefirst", title: "Short sessions, the node closes first", mode: plain, bars: shortBars,
			what:    "The same, but the node closes after its response, as it does for a client that asks for that.",
			figures: []figure{addedUS, p50, p99},
			run:     short(loadSpec{Rate: shortRate, Warm: 1000, Count: 10000, NodeFirst: true}),
		},
		{
			name: "short-full", title: "Short sessions, as many as go", mode: plain, bars: shortBars,
			what:    "32 at a time, each followed by the next at once: the machine is never idle.",
			figures: []figure{addedUS, perSecond},
			run:     short(loadSpec{Conns: 32, Warm: 1000, Count: 20000}),
		},
		{
			name: "reqresp", title: "Request and response on kept connections", mode: plain, bars: shortBars,
			what:    "1 KiB each way, 10,000 a second at random times over 64 connections.",
			figures: []figure{addedUS, p50, p99},
			run:     exchange(loadSpec{Rate: 10000, Conns: 64, Warm: 5000, Count: 40000}),
		},
		{
			name: "reqresp-full", title: "Request and response, as many as go", mode: plain, bars: shortBars,
			what:    "The same 64 connections, each with a request under way all the time.",
			figures: []figure{addedUS, perSecond},
			run:     exchange(loadSpec{Conns: 64, Warm: 5000, Count: 100000}),
		},
		bulkScenario("bulk-down", "Bulk, node to client", false),
		bulkScenario("bulk-up", "Bulk, client to node", true),
	}
}

func bulkScenario(name, title string, up bool) scenario {
	return scenario{
		name: name, title: title, mode: plain, bulk: true,
		what:    "Four streams of 1.5 GB at once, as fast as they go.",
		figures: []figure{{key: "machine_ms", title: "machine time added per GB", unit: "ms", added: true}, {key: "mb_s", title: "rate", unit: "MB/s"}},
		bars:    []bar{{figure: "machine_ms", peer: "haproxy", most: 1}, {figure: "machine_ms", peer: "nginx", most: 1 / 2.5}},
		run: func(b *bed) (sample, error) {
			l, err := b.load("bulk", loadSpec{Kind: "bulk", Conns: 4, Request: reqSize, Up: up, Bytes: uint64(b.n(1500)) * 1000_000})
			if err != nil {
				return sample{}, err
			}
			res, used, err := b.measure(l)
			gb := float64(res.Bytes) / 1e9
			return sample{Spent: used, Figures: map[string]float64{
				"machine_ms": used.Cost.Seconds() * 1e3 / gb,
				"mb_s":       gb * 1e3 / res.Elapsed.Seconds(),
			}}, err
		},
	}
}

func short(spec loadSpec) func(b *bed) (sample, error) {
	spec.Kind, spec.Request, spec.Response = "session", reqSize, respSize
	return units("sessions", spec)
}

func exchange(spec loadSpec) func(b *bed) (sample, error) {
	spec.Kind, spec.Request, spec.Response = "exchange", 1024, 1024
	return units("exchanges", spec)
}

// units measures machine time per unit of one load.
func units(name string, spec loadSpec) func(b *bed) (sample, error) {
	return func(b *bed) (sample, error) {
		spec := spec
		spec.Count = b.n(spec.Count)
		l, err := b.load(name, spec)
		if err != nil {
			return sample{}, err
		}
		res, used, err := b.measure(l)
		return sampleOf(res, used), err
	}
}

// sampleOf turns a result into figures.
func sampleOf(res loadResult, used spent) sample {
	s := sample{Spent: used, Latency: res.Latency, Figures: map[string]float64{
		"machine_us": float64(used.Cost.Microseconds()) / float64(res.Done),
		"per_s":      float64(res.Done) / res.Elapsed.Seconds(),
	}}
	if res.Latency != nil {
		for q, key := range map[float64]string{0.5: "p50_us", 0.99: "p99_us", 0.999: "p999_us"} {
			s.Figures[key] = float64(res.Latency.quantile(q).Nanoseconds()) / 1e3
		}
	}
	if res.Late != nil {
		s.Figures["late_p99_us"] = float64(res.Late.quantile(0.99).Nanoseconds()) / 1e3
	}
	return s
}
