package verify

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// get asks for a path below base on a connection of its own. The body is at most 4 KiB of what came.
func (r *runner) get(ctx context.Context, base *url.URL, path string, header ...string) (resp *http.Response, body string, err error) {
	return r.send(ctx, http.MethodGet, base.JoinPath(path), nil, header...)
}

func (r *runner) send(ctx context.Context, method string, u *url.URL, payload io.Reader, header ...string) (*http.Response, string, error) {
	req, err := http.NewRequestWithContext(ctx, method, u.String(), payload)
	if err != nil {
		return nil, "", err
	}
	req.Close = true
	for i := 0; i < len(header); i += 2 {
		req.Header.Set(header[i], header[i+1])
	}
	resp, err := r.RoundTrip(req)
	if err != nil {
		return nil, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, 4<<10))
	return resp, string(body), err
}

// healthSteps are the steps of health.
var healthSteps = []string{"live", "ready", "cluster", "nodes"}

// health asks the three health endpoints, and then whether every connection meets a node that lives.
func (r *runner) health() {
	r.step("live", stepTimeout, func(ctx context.Context) (string, error) {
		resp, body, err := r.get(ctx, r.o.URL, "minio/health/live")
		if err != nil {
			return "", err
		}
		return resp.Status, judgeAlive(resp, body)
	})
	r.step("ready", stepTimeout, func(ctx context.Context) (string, error) {
		resp, body, err := r.get(ctx, r.o.URL, "minio/health/ready")
		if err != nil {
			return "", err
		}
		return resp.Status, judgeAlive(resp, body)
	})
	r.step("cluster", clusterTimeout, func(ctx context.Context) (string, error) {
		resp, body, err := r.get(ctx, r.o.URL, "minio/health/cluster")
		if err != nil {
			return "", err
		}
		return judgeCluster(resp, body)
	})
	r.step("nodes", clusterTimeout, r.askNodes)
}

// judgeAlive tells whether an answer of /minio/health/live or /ready is that of a node that serves.
func judgeAlive(resp *http.Response, body string) error {
	status := resp.Header.Get("X-Minio-Server-Status")
	switch {
	case resp.StatusCode == http.StatusOK && status != "":
		return fail("The node answers but has not joined its cluster yet. A balancer that only looks at the status sends clients "+
			"there: its check has to look at this header as Sluice's check \"minio\" does. If it stays so, see the node's log.",
			"200, but x-minio-server-status: %q", status)
	case resp.StatusCode == http.StatusOK && isPage(resp):
		return fail("This is the address of the Console, or of something else for people. S3 is by default on port 9000 of the nodes.",
			"200, but with a page for people instead of nothing")
	case resp.StatusCode == http.StatusOK:
		return nil
	}
	return judgeStatus(resp, body)
}

// judgeCluster reads the answer of /minio/health/cluster, which is of the whole cluster and not of the node.
func judgeCluster(resp *http.Response, body string) (string, error) {
	quorum := resp.Header.Get("X-Minio-Write-Quorum")
	detail := resp.Status
	if quorum != "" {
		detail += ", write quorum " + quorum
	}
	if resp.StatusCode == http.StatusServiceUnavailable && quorum != "" {
		return "", fail("Too many nodes or drives are down: nothing can be stored until some return, though reading may still work. "+
			"See which with mc admin info. This is no reason for a balancer to take nodes out.",
			"%s: the cluster has lost its write quorum of %s", resp.Status, quorum)
	}
	if healing := resp.Header.Get("X-Minio-Healing-Drives"); healing != "" && healing != "0" && resp.StatusCode == http.StatusOK {
		return detail, noted{healing + " drives are healing."}
	}
	return detail, judgeAlive(resp, body)
}

// judgeStatus makes an error of an answer that is not 200.
func judgeStatus(resp *http.Response, body string) error {
	switch {
	case strings.Contains(body, "HTTP request to an HTTPS server"):
		return fail("TLS ends at the nodes. Ask with https://.", "%s: the node speaks TLS", resp.Status)
	case resp.StatusCode == http.StatusTooManyRequests, resp.StatusCode == http.StatusServiceUnavailable:
		return fail("The node has more requests waiting than it can serve, or is starting. If it stays so, the cluster is too small "+
			"for its load or has lost nodes: mc admin info.", "%s: the node is busy", resp.Status)
	case resp.StatusCode == http.StatusNotFound, resp.StatusCode == http.StatusForbidden:
		return fail("This is not the S3 address of a MinIO cluster, or the URL has a path: S3 has to be at the root of a host name.",
			"%s", resp.Status)
	case resp.StatusCode >= 500:
		return fail("This comes from the node, or from another proxy on the way: a Layer-4 balancer says nothing of its own in HTTP.",
			"%s", resp.Status)
	}
	return fail("MinIO does not answer like that. Is something else at this address?", "%s", resp.Status)
}

func isPage(resp *http.Response) bool {
	return strings.HasPrefix(resp.Header.Get("Content-Type"), "text/html")
}

// askNodes asks for health on many connections, each of which the balancer gives to a node of its choice.
func (r *runner) askNodes(ctx context.Context) (string, error) {
	const connections = 16
	seen, failed := map[string]int{}, 0
	var first error
	for range connections {
		resp, body, err := r.get(ctx, r.o.URL, "minio/health/live")
		if err == nil {
			err = judgeAlive(resp, body)
		}
		if err == nil {
			seen[resp.Header.Get("X-Amz-Id-2")]++
			continue
		}
		if ctx.Err() != nil {
			return "", err
		}
		if failed++; first == nil {
			first = err
		}
	}
	if failed > 0 {
		return "", fail("The balancer still sends clients to a node that does not serve. Its health check finds that out within its "+
			"interval times fall; if it does not, the check asks the wrong port or path.",
			"%d of %d connections failed: %w", failed, connections, first)
	}
	if _, unnamed := seen[""]; unnamed {
		return fmt.Sprintf("%d connections, all served", connections), nil
	}
	return fmt.Sprintf("%d connections, all served, by %s", connections, counted(len(seen), "node")), nil
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
