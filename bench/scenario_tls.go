//go:build linux

package main

// tlsScenarios end TLS at the balancer: TLS 1.3, AES-128-GCM, X25519 and an ECDSA P-256 certificate for all. Direct does the same
// without TLS, so what is added is the balancer's part of TLS and the relay. Where the client has to do cryptography too, its processor time
// is taken off for all, direct included.
func tlsScenarios() []scenario {
	without := []string{"iocopy", "sluice-copy"} // the one cannot, the other is what Sluice does anyway
	handshake := loadSpec{Kind: "tls-session", Rate: 400, Warm: 200, Count: 2000, Request: reqSize, Response: respSize}
	resumed := handshake
	resumed.Resume = true
	bars := func(figure, peer string) []bar { return []bar{{figure: figure, peer: peer, most: 1}} }
	return []scenario{
		{
			name: "tls-new", title: "TLS handshakes", mode: terminate, without: without, bars: bars("machine_us", "haproxy"),
			what:    "Short sessions with a full handshake each, 400 a second at random times.",
			figures: []figure{addedUS, p50, p99}, run: handshakes(handshake),
		},
		{
			name: "tls-resumed", title: "TLS handshakes, resumed", mode: terminate, without: without,
			bars:    append(bars("machine_us", "haproxy"), bar{figure: "resumed", value: true, least: 95}),
			what:    "The same, each with the ticket of an earlier one.",
			figures: []figure{addedUS, {key: "resumed", title: "resumed", unit: "%"}, p50, p99}, run: handshakes(resumed),
		},
		{
			name: "tls-down", title: "Bulk through TLS, node to client", mode: terminate, without: without, bulk: true, big: true, bars: bars("machine_ms", "nginx"),
			what:    "Four streams of 0.75 GB at once, plain from the node, TLS to the client, which discards the records without decrypting them.",
			figures: []figure{addedMS, rateMB}, run: tlsBulk("tls-bulk", false),
		},
		{
			name: "tls-up", title: "Bulk through TLS, client to node", mode: terminate, without: without, bulk: true, big: true, bars: bars("machine_ms", "nginx"),
			what:    "The same the other way; the client encrypts, which is taken off.",
			figures: []figure{addedMS, rateMB}, run: tlsBulk("tls-upload", true),
		},
		{
			name: "tls-idle", title: "Idle sessions with TLS ended", mode: terminate, quiet: true, memory: true, without: append(without, "direct"),
			what: "2,000 silent TLS sessions: memory for each with the kernel's part.",
			figures: []figure{{key: "kb", title: "memory", unit: "KB"}, {key: "user_kb", title: "of that in user space", unit: "KB"},
				{key: "files", title: "descriptors", unit: "each"}, {key: "cpu_ms", title: "processor time in 10 s", unit: "ms"}},
			bars: []bar{{figure: "kb", value: true, most: 24, below: true}},
			run:  runIdle("tls-hold", 2000),
		},
	}
}

// handshakes measures sessions that begin with one.
func handshakes(spec loadSpec) func(b *bed) (sample, error) {
	return func(b *bed) (sample, error) {
		spec := spec
		spec.Count = b.n(spec.Count)
		l, err := b.load("handshakes", spec)
		if err != nil {
			return sample{}, err
		}
		res, used, err := b.measure(l)
		if err != nil {
			return sample{}, err
		}
		s := sampleOf(res, used)
		s.Figures["resumed"] = 100 * float64(res.Resumed) / float64(res.Done)
		return s, nil
	}
}

// tlsBulk measures streams. Direct moves the same bytes by the same client without TLS.
func tlsBulk(kind string, up bool) func(b *bed) (sample, error) {
	return bulk(loadSpec{Kind: kind, Up: up, Bytes: bulkBytes / 2})
}
