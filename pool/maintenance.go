package pool

import (
	"context"
	"errors"
	"fmt"
	"net/http"
)

// maintenanceQuestion is answered by every MinIO node for itself: 200 while its cluster would keep write
// quorum without this node's drives, 412 while it would not. It must never be asked through a balancer.
const maintenanceQuestion = "/minio/health/cluster?maintenance=true"

// ErrNotMinIO is the error of [Node.AskMaintenance] where the node's pool is not checked as MinIO, or the
// node has no address: there is nobody to ask.
var ErrNotMinIO = errors.New("pool: the node is not checked as minio")

// Maintenance is a node's answer to whether its cluster can do without it.
type Maintenance struct {
	Status int    // of the answer: 200 it can, 412 it would lose write quorum, others say neither
	Quorum string // the write quorum, as the node writes it; may be empty
}

// AskMaintenance asks the node itself whether its cluster can do without it, at the address and with the
// TLS of its checks, but for as long as ctx allows: a cluster with a hung node takes its time. The error is
// [ErrNotMinIO], or says why there was no answer.
func (n *Node) AskMaintenance(ctx context.Context) (Maintenance, error) {
	pr := n.prob.Load()
	if pr == nil || pr.client == nil || !pr.minio() {
		return Maintenance{}, ErrNotMinIO
	}
	req := pr.req.Clone(ctx)
	u, err := req.URL.Parse(maintenanceQuestion)
	if err != nil {
		return Maintenance{}, err
	}
	req.URL = u
	resp, err := pr.client.RoundTrip(req)
	if err != nil {
		if ctx.Err() != nil {
			return Maintenance{}, fmt.Errorf("no answer in time: %w", context.Cause(ctx))
		}
		return Maintenance{}, errors.New(pr.explain(err))
	}
	defer resp.Body.Close()
	a := Maintenance{Status: resp.StatusCode, Quorum: fmt.Sprintf("%.8s", resp.Header.Get("X-Minio-Write-Quorum"))}
	if len(resp.Header.Values(minioStatus)) > 0 && a.Status == http.StatusOK {
		a.Status = http.StatusServiceUnavailable // it says so itself: it is not part of the cluster yet
	}
	return a, nil
}
