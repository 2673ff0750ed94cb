//go:build linux

package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"time"
)

// recordFile is where Sluice writes its records, and adminSocket where it shows its metrics. A socket of the file system is reached
// from every network namespace.
func (s site) recordFile() string  { return filepath.Join(s.dir, "sluice.log") }
func (s site) adminSocket() string { return filepath.Join(s.dir, "admin.sock") }

// watchScenarios say what it costs to be seen.
func watchScenarios() []scenario {
	return []scenario{{
		name: "watched", title: "Short sessions, recorded and watched", mode: plain, watch: true,
		without: []string{"sluice-copy", "haproxy-1", "haproxy-2", "nginx-1", "nginx-2", "iocopy"}, // none of them is watched
		what: "As short, but Sluice writes a record of every session to a file and its metrics are read every second. " +
			"sluice-blind does neither and has no admin API.",
		figures: []figure{wholeUS, addedUS, p50, p99},
		bars:    []bar{{figure: "whole_us", peer: "sluice-blind", most: 1.03}},
		run:     watched,
	}}
}

func watched(b *bed) (sample, error) {
	seen := make(chan error, 1)
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	if b.site.watch && b.proc != nil {
		go func() { seen <- scrape(ctx, b.site.adminSocket()) }()
	} else {
		seen <- nil
	}
	s, err := short(loadSpec{Rate: shortRate, Warm: 1000, Count: 10000})(b)
	stop()
	if err = errors.Join(err, <-seen); err != nil {
		return sample{}, err
	}
	s.Figures["whole_us"] = s.Figures["machine_us"]
	if b.site.watch && b.proc != nil {
		err = b.recorded(b.n(10000))
	}
	return s, err
}

// scrape reads the metrics every second until ctx ends. What they are must be there each time.
func scrape(ctx context.Context, socket string) error {
	client := http.Client{Transport: &http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}}}
	defer client.CloseIdleConnections()
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://localhost/metrics", nil)
		if err != nil {
			return err
		}
		resp, err := client.Do(req)
		if err == nil {
			var body []byte
			body, err = io.ReadAll(resp.Body)
			resp.Body.Close()
			if err == nil && (resp.StatusCode != http.StatusOK || !bytes.Contains(body, []byte("\nsluice_sessions_total{"))) {
				err = fmt.Errorf("status %d without sluice_sessions_total", resp.StatusCode)
			}
		}
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return fmt.Errorf("metrics: %w", err)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// recorded is an error unless there are records of at least so many sessions.
func (b *bed) recorded(sessions int) error {
	text, err := os.ReadFile(b.site.recordFile())
	if err != nil {
		return err
	}
	if n := bytes.Count(text, []byte(" msg=session ")); n < sessions {
		return fmt.Errorf("%d sessions have a record, want %d", n, sessions)
	}
	return nil
}
