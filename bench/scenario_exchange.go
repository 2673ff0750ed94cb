//go:build linux

package main

import "fmt"

const (
	exchangeConns = 64
	latencyRate   = 2000
	streamConns   = 4
	streamKiBps   = 75 << 10 // each: together 0.3 GB/s, a quarter of what the dearest peer can do
)

func exchange(spec loadSpec) loadSpec {
	spec.Kind, spec.Request, spec.Response, spec.Conns = "exchange", 1024, 1024, exchangeConns
	return spec
}

// exchangeScenarios send requests over kept connections.
func exchangeScenarios() []scenario {
	costs := []bar{{figure: "machine_us", peer: "haproxy", most: 0.90}, {figure: "machine_us", peer: "nginx", most: 1, below: true}}
	tails := []bar{{figure: "p99_us", peer: "best", most: 1}}
	latencies := []figure{p99, p50, p999}
	byClock := exchange(loadSpec{Rate: latencyRate, Warm: 2000, Count: 12000})
	return []scenario{
		{
			name: "reqresp", twice: true, title: "Request and response on kept connections", mode: plain, bars: costs,
			what:    "1 KiB each way, 10,000 a second at random times over 64 connections.",
			figures: []figure{addedUS, p50, p99}, run: units("exchanges", exchange(loadSpec{Rate: 10000, Warm: 5000, Count: 40000})),
		},
		{
			name: "reqresp-full", title: "Request and response, as many as go", mode: plain, bars: costs,
			what:    "The same 64 connections, each with a request under way all the time.",
			figures: []figure{addedUS, perSecond}, run: units("exchanges", exchange(loadSpec{Warm: 5000, Count: 100000})),
		},
		{
			name: "latency", twice: true, cdf: true, title: "Latency", mode: plain, bars: tails,
			what:    "1 KiB each way over 64 connections, 2,000 a second at random times. Latency counts from the time a request was due.",
			figures: latencies, run: units("exchanges", byClock),
		},
		{
			name: "latency-bulk", twice: true, cdf: true, title: "Latency next to bulk", mode: plain, bars: tails, bulk: true, big: true,
			what:    "The same requests, while four downloads run at 77 MB/s each.",
			figures: append(latencies[:3:3], rateMB), run: nextTo(byClock, loadSpec{KiBps: streamKiBps, Conns: streamConns}),
		},
		{
			name: "mixed", cdf: true, title: "Latency next to bulk without limit", mode: plain, bulk: true,
			what:    "The same requests, while four downloads run as fast as they go. A peer that moves less bulk has an easier time: read both columns.",
			figures: append(latencies[:3:3], rateMB), run: nextTo(byClock, loadSpec{Conns: streamConns}),
		},
		{
			name: "slow-reader", cdf: true, title: "Latency next to a slow reader", mode: plain, bars: tails, bulk: true,
			what:    "The same requests, while a client downloads without limit but reads 64 KiB ten times a second.",
			figures: latencies, run: nextTo(byClock, loadSpec{Conns: 1, Slow: true}),
		},
	}
}

// nextTo measures a load while streams run.
func nextTo(spec, streams loadSpec) func(b *bed) (sample, error) {
	return func(b *bed) (sample, error) {
		streams := streams
		streams.Kind, streams.Request = "stream", reqSize
		bulk, err := b.load("streams", streams)
		if err != nil {
			return sample{}, err
		}
		s, err := units("exchanges", spec)(b)
		if err != nil {
			return s, err
		}
		var moved loadResult
		if err := bulk.stop(&moved, patience); err != nil {
			return s, err
		}
		got := float64(moved.Bytes) / 1e6 / moved.Elapsed.Seconds()
		s.Figures["mb_s"] = got
		if asked := float64(streams.KiBps*streams.Conns) * 1024 / 1e6; got < 0.9*asked {
			return s, notKept{fmt.Errorf("streams: %.0f MB/s moved, %.0f were asked for", got, asked), s.Spent}
		}
		return s, nil
	}
}
