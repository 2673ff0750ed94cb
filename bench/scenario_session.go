//go:build linux

package main

// Sizes and rates. The rate of short sessions keeps this machine's two processors about a third busy through the dearest peer; so
// none is at its limit, where cost per session would turn into waiting, and a figure has the same meaning for all.
const (
	reqSize   = 128
	respSize  = 512
	shortRate = 2000
	stormSize = 5000
)

func short(spec loadSpec) func(b *bed) (sample, error) {
	spec.Kind, spec.Request, spec.Response = "session", reqSize, respSize
	return units("sessions", spec)
}

// sessionScenarios open and close sessions.
func sessionScenarios() []scenario {
	bars := []bar{{figure: "machine_us", peer: "haproxy", most: 0.90}, {figure: "machine_us", peer: "nginx", most: 1, below: true}}
	byRate := loadSpec{Rate: shortRate, Warm: 1000, Count: 10000}
	nodeFirst := byRate
	nodeFirst.NodeFirst = true
	full := loadSpec{Conns: 32, Warm: 1000, Count: 20000}
	return []scenario{
		{
			name: "short", twice: true, title: "Short sessions", mode: plain, bars: bars,
			what:    "Connect, 128 B request, 512 B response, the client closes. 2,000 a second at random times.",
			figures: []figure{addedUS, p50, p99}, run: short(byRate),
		},
		{
			name: "short-nodefirst", title: "Short sessions, the node closes first", mode: plain, bars: bars,
			what:    "The same, but the node closes after its response.",
			figures: []figure{addedUS, p50, p99}, run: short(nodeFirst),
		},
		{
			name: "short-full", twice: true, title: "Short sessions, as many as go", mode: plain, bars: bars,
			what:    "32 at a time, each followed by the next at once: the machine is never idle.",
			figures: []figure{addedUS, perSecond}, run: short(full),
		},
		{
			name: "sni", twice: true, title: "Short sessions routed by name", mode: passByer, bars: bars,
			what:    "As short, but the request is a ClientHello of 1.5 KB, routed by its server name; the node answers 512 B without TLS. 2,000 a second.",
			figures: []figure{addedUS, p50, p99}, run: short(byRate),
		},
		{
			name: "sni-full", title: "Short sessions routed by name, as many as go", mode: passByer, bars: bars,
			what:    "The same, 32 at a time.",
			figures: []figure{addedUS, perSecond}, run: short(full),
		},
		{
			name: "storm", title: "Accept storm", mode: plain,
			what: "5,000 clients connect at once, each for one request. All have to be served.",
			figures: []figure{addedUS, {key: "all_ms", title: "until the last is served", unit: "ms"},
				{key: "p50_us", title: "p50", unit: "us"}, p99},
			run: func(b *bed) (sample, error) {
				n := b.n(stormSize)
				s, err := short(loadSpec{Conns: n, Warm: 500, Count: stormSize})(b)
				if err == nil {
					s.Figures["all_ms"] = 1e3 * float64(n) / s.Figures["per_s"]
				}
				return s, err
			},
		},
	}
}
