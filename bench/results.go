//go:build linux

package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// results are the samples of one scenario with all that is needed to understand them: the content of results/NAME.json. Tables and
// plots are made from these files alone, so that they can be made again.
type results struct {
	Scenario  string           `json:"scenario"`
	Run       facts            `json:"run"`
	Peers     []string         `json:"peers"` // in the order of the tables
	Samples   []sample         `json:"samples"`
	Latencies map[string]*hist `json:"latencies,omitempty"` // of all rounds together; pairs of bucket and count, see hist.go
}

// facts are where, when and of what something was measured.
type facts struct {
	Date     time.Time         `json:"date"`
	Command  string            `json:"command"`
	Clock    string            `json:"clock"` // machine, or own
	Rounds   int               `json:"rounds"`
	Scale    float64           `json:"scale"`
	Machine  string            `json:"machine"`
	Kernel   string            `json:"kernel"`
	Files    int               `json:"files"` // limit on open files
	Go       string            `json:"go"`
	Versions map[string]string `json:"versions"`
}

// factsOf collects what is known before a run.
func factsOf(o options, cpus int) facts {
	f := facts{
		Date:     time.Now().UTC().Truncate(time.Second),
		Command:  strings.TrimSpace("go run ./bench " + strings.Join(o.args, " ")),
		Clock:    "machine",
		Rounds:   o.rounds,
		Scale:    o.scale,
		Machine:  machine(cpus),
		Files:    raiseFiles(),
		Go:       runtime.Version(),
		Versions: map[string]string{},
	}
	if o.own {
		f.Clock = "own"
	}
	var u unix.Utsname
	if unix.Uname(&u) == nil {
		f.Kernel = unix.ByteSliceToString(u.Release[:])
	}
	for _, p := range o.peers {
		if p.version != nil && p.installed() {
			f.Versions[family(p.name)] = p.version()
		}
	}
	return f
}

// machine describes the processors and the memory.
func machine(cpus int) string {
	model, kind := "unknown processor", "bare metal"
	b, _ := os.ReadFile("/proc/cpuinfo")
	for line := range strings.Lines(string(b)) {
		key, value, _ := strings.Cut(line, ":")
		switch strings.TrimSpace(key) {
		case "model name":
			model = strings.TrimSpace(value)
		case "flags":
			if slices.Contains(strings.Fields(value), "hypervisor") {
				kind = "virtual machine"
			}
		}
	}
	var s unix.Sysinfo_t
	_ = unix.Sysinfo(&s)
	return fmt.Sprintf("%s, %d processors, %s, %.0f GiB", kind, cpus, model, float64(s.Totalram)*float64(s.Unit)/(1<<30))
}

// resultsOf puts the samples of a scenario together. Latencies of single rounds are merged: the files stay small, and quantiles of
// each round are figures of its sample.
func resultsOf(f findings, run facts) results {
	r := results{Scenario: f.scenario.name, Run: run, Peers: f.peers, Latencies: map[string]*hist{}}
	for _, p := range f.peers {
		if h := f.latency(p); h.n > 0 && f.scenario.cdf {
			r.Latencies[p] = h
		}
		for _, s := range f.samples[p] {
			s.Latency = nil
			r.Samples = append(r.Samples, s)
		}
	}
	return r
}

// save writes r into dir/results.
func (r results) save(dir string) error {
	b, err := json.MarshalIndent(r, "", " ")
	if err != nil {
		return err
	}
	dir = filepath.Join(dir, "results")
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, r.Scenario+".json"), append(b, '\n'), 0o644)
}

// forget removes what is saved of a scenario.
func forget(dir, scenario string) error {
	err := os.Remove(filepath.Join(dir, "results", scenario+".json"))
	if os.IsNotExist(err) {
		return nil
	}
	return err
}

// loadResults reads what is in dir/results, in the order of scenarios.
func loadResults(dir string) ([]results, error) {
	var all []results
	for _, s := range scenarios() {
		path := filepath.Join(dir, "results", s.name+".json")
		b, err := os.ReadFile(path)
		if os.IsNotExist(err) {
			continue
		}
		var r results
		if err == nil {
			err = json.Unmarshal(b, &r)
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
		all = append(all, r)
	}
	if len(all) == 0 {
		return nil, fmt.Errorf("no results in %s", filepath.Join(dir, "results"))
	}
	return all, nil
}

// findings is the reverse of resultsOf.
func (r results) findings(base string) findings {
	all := scenarios()
	s := all[slices.IndexFunc(all, func(s scenario) bool { return s.name == r.Scenario })]
	f := find(s, r.Peers, base, r.Samples)
	f.merged = r.Latencies
	return f
}
