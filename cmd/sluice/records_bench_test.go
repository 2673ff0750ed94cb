package main

import (
	"fmt"
	"io"
	"net/netip"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
)

func BenchmarkSessionRecord(b *testing.B) {
	for _, format := range []configs.LogFormat{configs.LogText, configs.LogJSON} {
		b.Run(string(format), func(b *testing.B) {
			cfg := configs.Default().Log
			cfg.Format = format
			r, err := newRecords(io.Discard, cfg)
			if err != nil {
				b.Fatal(err)
			}
			defer r.close()
			batch := make([]l4.Record, 100)
			for i := range batch {
				batch[i] = l4.Record{
					ID: uint64(1000 + i), Accepted: time.Now(), Listener: "s3", Route: "default", Pool: "s3", Node: "10.0.0.1:9000",
					Client: netip.MustParseAddrPort(fmt.Sprintf("192.0.2.%d:4%04d", i, i)), ServerName: "s3.example.net", ALPN: []string{"h2", "http/1.1"},
					Cause: l4.CauseClient, Phase: l4.PhaseRelay, BytesIn: 123456, BytesOut: 12345678,
					Hello: 123 * time.Microsecond, Dial: 234567 * time.Nanosecond, FirstByte: 1234567 * time.Nanosecond, Duration: 5*time.Second + 17, Path: "splice",
				}
			}
			b.ReportAllocs()
			for b.Loop() {
				r.sessions(batch)
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/100, "ns/record")
		})
	}
}
