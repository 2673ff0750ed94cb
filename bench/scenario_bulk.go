//go:build linux

package main

const (
	bulkConns = 4
	bulkBytes = 1500_000_000 // each
)

// bulkScenarios move gigabytes.
func bulkScenarios() []scenario {
	// nginx copies, so how dear it is depends on how large its buffers are: it is compared both ways.
	bars := []bar{{figure: "machine_ms", peer: "haproxy", most: 1}, {figure: "machine_ms", peer: "nginx-1", most: 1 / 2.5}, {figure: "machine_ms", peer: "nginx", most: 1 / 2.5}}
	one := func(name, title string, up bool) scenario {
		return scenario{
			name: name, title: title, mode: plain, bulk: true, big: true, twice: true, bars: bars,
			what:    "Four streams of 1.5 GB at once, as fast as they go.",
			figures: []figure{addedMS, rateMB},
			run:     bulk(loadSpec{Kind: "bulk", Up: up, Bytes: bulkBytes}),
		}
	}
	return []scenario{
		one("bulk-down", "Bulk, node to client", false),
		one("bulk-up", "Bulk, client to node", true),
	}
}

// bulk measures streams.
func bulk(spec loadSpec) func(b *bed) (sample, error) {
	return func(b *bed) (sample, error) {
		spec := spec
		spec.Conns, spec.Request, spec.Bytes = bulkConns, reqSize, uint64(b.n(int(spec.Bytes)))
		return units("bulk", spec)(b)
	}
}
