package admin

import (
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"
)

// The history is short: enough to see what led to now. Prometheus keeps more.
const (
	sampleInterval = 5 * time.Second
	maxSamples     = 15 * 60 / 5 // 15 minutes
	maxNodeSamples = 512         // nodes; of those behind only the sums of their pools are kept: a few megabytes
)

// History is the answer of GET /api/v1/history: what was counted every so often, oldest first. Rates are
// differences of neighbours.
type History struct {
	Interval float64  `json:"interval"` // seconds between samples
	Samples  []Sample `json:"samples"`
}

// Sample is what was counted at one time.
type Sample struct {
	Time     time.Time    `json:"time"`
	Sessions int64        `json:"sessions"` // open
	Ended    uint64       `json:"ended"`    // since the start
	Rejected uint64       `json:"rejected"` // since the start, all reasons
	Bytes    Bytes        `json:"bytes"`
	Pools    []PoolSample `json:"pools"`
}

// PoolSample is what was counted for a pool at one time.
type PoolSample struct {
	Name      string       `json:"name"`
	Sessions  int64        `json:"sessions"`
	Available int          `json:"available"`
	Bytes     Bytes        `json:"bytes"`
	Nodes     []NodeSample `json:"nodes"`
}

// NodeSample is what was counted for a node at one time.
type NodeSample struct {
	Name     string `json:"name"`
	Sessions int64  `json:"sessions"`
	Bytes    Bytes  `json:"bytes"`
}

// history samples the counters until it is stopped.
type history struct {
	mu      sync.Mutex // guards samples
	samples []Sample   // oldest first
}

// run takes a sample at once, and then at each interval, until over is closed.
func (h *history) run(take func() Sample, over <-chan struct{}) {
	tick := time.NewTicker(sampleInterval)
	defer tick.Stop()
	for {
		h.add(take())
		select {
		case <-tick.C:
		case <-over:
			return
		}
	}
}

func (h *history) add(s Sample) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if len(h.samples) == maxSamples {
		copy(h.samples, h.samples[1:])
		h.samples = h.samples[:maxSamples-1]
	}
	h.samples = append(h.samples, s)
}

// sample is what is counted now.
func (s *Server) sample() Sample {
	out := Sample{Time: time.Now(), Sessions: s.proc.L4.Sessions(), Pools: []PoolSample{}}
	for _, ln := range s.proc.L4.Listeners() {
		one := listenerOf(ln, nil)
		out.Ended += one.Ended
		out.Bytes.In += one.Bytes.In
		out.Bytes.Out += one.Bytes.Out
		for _, n := range one.Rejected {
			out.Rejected += n
		}
	}
	nodes := 0
	for _, p := range s.proc.Pools.Pools() {
		one := PoolSample{Name: p.Name(), Available: p.Available(), Nodes: []NodeSample{}}
		for _, n := range p.Nodes() {
			st := n.Stats()
			one.Sessions += st.Sessions
			one.Bytes.In += st.BytesIn
			one.Bytes.Out += st.BytesOut
			if nodes++; nodes <= maxNodeSamples {
				one.Nodes = append(one.Nodes, NodeSample{
					Name: n.Name(), Sessions: st.Sessions, Bytes: Bytes{In: st.BytesIn, Out: st.BytesOut},
				})
			}
		}
		out.Pools = append(out.Pools, one)
	}
	return out
}

// showHistory renders the samples, all of them or those after a time.
func (s *Server) showHistory(w http.ResponseWriter, r *http.Request) {
	var after time.Time
	if text := r.URL.Query().Get("after"); text != "" {
		var err error
		if after, err = time.Parse(time.RFC3339, text); err != nil {
			fail(w, http.StatusBadRequest, Error{Error: fmt.Sprintf("after %.50q is no time", text), Hint: "use that of a sample: 2006-01-02T15:04:05Z"})
			return
		}
	}
	s.history.mu.Lock()
	out := History{Interval: seconds(sampleInterval), Samples: append([]Sample{}, s.history.samples...)}
	s.history.mu.Unlock()
	out.Samples = slices.DeleteFunc(out.Samples, func(one Sample) bool { return !one.Time.After(after) })
	reply(w, http.StatusOK, out)
}
