//go:build e2e && linux

package e2e

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// who asks through the balancer which node answers, over the connections of tr. Every response of the
// S3 port says so.
func (s *stage) who(ctx context.Context, tr *http.Transport) (*cluster.Node, error) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.s3URL()+"/minio/health/live", nil)
	if err != nil {
		return nil, err
	}
	resp, err := tr.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		return nil, err
	}
	return s.nodeOf(resp)
}

// nodeOf names the node that a response is from.
func (s *stage) nodeOf(resp *http.Response) (*cluster.Node, error) {
	id := resp.Header.Get("X-Amz-Id-2")
	for _, n := range s.cluster.Nodes {
		if n.ID() == id {
			return n, nil
		}
	}
	return nil, fmt.Errorf("no node has the X-Amz-Id-2 %q of the answer, status %s", id, resp.Status)
}

// until asks on connection after connection until which is satisfied with the node that answered, or
// the bound is over. A request that fails ends the test.
func (s *stage) until(t *testing.T, bound time.Duration, what string, which func(*cluster.Node) bool) {
	t.Helper()
	tr := s.transport(t)
	tr.DisableKeepAlives = true
	for deadline := time.Now().Add(bound); ; time.Sleep(10 * time.Millisecond) {
		n, err := s.who(t.Context(), tr)
		if err != nil {
			t.Fatalf("while waiting until %s: %v", what, err)
		}
		if which(n) {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("not within %s: %s", bound, what)
		}
	}
}
