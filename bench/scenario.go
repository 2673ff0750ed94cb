//go:build linux

package main

import "slices"

// sample is what one measurement found: named figures, and the latencies if the scenario has any.
type sample struct {
	Peer    string             `json:"peer"`
	Round   int                `json:"round"`
	Figures map[string]float64 `json:"figures"`
	Spent   spent              `json:"spent"`
	Latency *hist              `json:"latency,omitempty"`
}

// figure is a column of results.
type figure struct {
	key   string // in sample.Figures
	title string
	unit  string
	added bool // less what direct has in the same round
}

// bar is what Sluice has to show: a ratio to another peer, or to another figure of its own.
type bar struct {
	figure string
	peer   string  // a family of peers, the better of which counts; "best" is the best of haproxy and nginx
	over   string  // the ratio is to this figure of Sluice itself, and peer is not used
	value  bool    // not a ratio: the figure itself
	most   float64 // what it may be,
	below  bool    // or rather has to be less than
	least  float64 // what it has to be instead
}

// scenario is one kind of work, done by every peer in every round.
type scenario struct {
	name    string
	title   string
	what    string // one paragraph for the results
	mode    mode
	figures []figure // the first is what counts, and what is drawn
	bars    []bar
	without []string // peers that it says nothing about
	bulk    bool     // site.bulk
	big     bool     // peers with large buffers take part
	quiet   bool     // without health checks, so that nothing happens when nothing happens
	memory  bool     // the peer gets a memory cgroup
	watch   bool     // Sluice writes records and is asked for its metrics, and stands beside one that does and is not
	twice   bool     // the base takes part twice: its ratio to itself tells how far figures can be trusted
	cdf     bool     // latencies are kept, and drawn
	curve   []int    // figures are cost against so many sessions held: drawn as a line
	run     func(b *bed) (sample, error)
}

// includes reports whether a peer takes part.
func (s scenario) includes(p peer) bool {
	return p.can(s.mode) && (s.big || !p.big) && (s.watch || !p.blind) && !slices.Contains(s.without, p.name)
}

// figure returns the column of that key.
func (s scenario) figure(key string) figure {
	i := slices.IndexFunc(s.figures, func(f figure) bool { return f.key == key })
	return s.figures[i]
}

var (
	addedUS   = figure{key: "machine_us", title: "machine time added", unit: "us", added: true}
	wholeUS   = figure{key: "whole_us", title: "machine time, client and node too", unit: "us"}
	addedMS   = figure{key: "machine_ms", title: "machine time added per GB", unit: "ms", added: true}
	rateMB    = figure{key: "mb_s", title: "rate", unit: "MB/s"}
	p50       = figure{key: "p50_us", title: "p50", unit: "us"}
	p99       = figure{key: "p99_us", title: "p99", unit: "us"}
	p999      = figure{key: "p999_us", title: "p99.9", unit: "us"}
	perSecond = figure{key: "per_s", title: "rate", unit: "1/s"}
)

// scenarios are all there are, in the order of the results.
func scenarios() []scenario {
	return slices.Concat(sessionScenarios(), exchangeScenarios(), bulkScenarios(), heldScenarios(), tlsScenarios(), watchScenarios())
}

// sampleOf turns a result into figures: machine time per unit, rate, and latencies if there are any.
func sampleOf(res loadResult, used spent) sample {
	units := float64(res.Done)
	s := sample{Spent: used, Latency: res.Latency, Figures: map[string]float64{
		"machine_us": float64((used.Cost - res.Client).Nanoseconds()) / 1e3 / units,
		"per_s":      units / res.Elapsed.Seconds(),
	}}
	if res.Bytes > 0 {
		gb := float64(res.Bytes) / 1e9
		s.Figures["machine_ms"] = (used.Cost - res.Client).Seconds() * 1e3 / gb
		s.Figures["mb_s"] = gb * 1e3 / res.Elapsed.Seconds()
	}
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

// units measures one load.
func units(name string, spec loadSpec) func(b *bed) (sample, error) {
	return func(b *bed) (sample, error) {
		spec := spec
		spec.Count = b.n(spec.Count)
		l, err := b.load(name, spec)
		if err != nil {
			return sample{}, err
		}
		res, used, err := b.measure(l)
		if err != nil {
			return sample{}, err
		}
		return sampleOf(res, used), nil
	}
}
