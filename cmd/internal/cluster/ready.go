//go:build linux

package cluster

import (
	"context"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"time"
)

const (
	readyPoll    = 200 * time.Millisecond // between two looks at a node that is coming up
	readyTimeout = 2 * time.Second        // for one answer
)

// WaitReady returns when the node serves the S3 API and the Console and what it is given to write reaches
// every drive of its cluster: with another node down it waits for that one too. It gives up with ctx, and at once
// where the process has ended; the error then holds the end of the node's log.
func (n *Node) WaitReady(ctx context.Context) error {
	client, err := n.cluster.HTTPClient()
	if err != nil {
		return err
	}
	defer client.CloseIdleConnections()

	tick := time.NewTicker(readyPoll)
	defer tick.Stop()
	for {
		notYet := n.ready(ctx, client)
		if notYet == nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-n.process.Exited():
			return n.withLog(ErrNodeEnded)
		case <-ctx.Done():
			return n.withLog(errors.Join(fmt.Errorf("not ready: %w", context.Cause(ctx)), notYet))
		}
	}
}

// ready asks once. The answer of live alone is not enough: a node that is still starting says 200 too,
// with a header that says "offline". That of cluster is not either: it says 200 while the node sees a
// write quorum, and after a restart nodes take seconds to see each other's drives again. With
// maintenance=true it says 200 only if the cluster could do without one more, so if all is in place.
func (n *Node) ready(ctx context.Context, client *http.Client) error {
	base := n.cluster.Scheme() + "://"
	for _, url := range []string{
		base + n.S3.String() + "/minio/health/live",
		base + n.S3.String() + "/minio/health/cluster?maintenance=true",
		base + n.Console.String() + "/",
	} {
		if err := answers(ctx, client, url); err != nil {
			return err
		}
	}
	return n.takesWrite(ctx)
}

// probeSize is more than MinIO keeps together with an object's metadata (128 KiB for each drive): only
// larger ones are written to the other nodes' drives over connections of their own.
const probeSize = 1 << 20

// takesWrite puts an object through the node, looks for it on every drive, and removes it again.
//
// Trap: a node that could not reach another's drive while both were starting tries again at growing
// intervals, for half a minute at times. Until then it answers larger writes with 503 SlowDownWrite, or,
// where only one drive is missing, takes them and will refuse once the next is gone: while every health
// endpoint says 200, because it asks the other nodes and not those connections.
func (n *Node) takesWrite(ctx context.Context) error {
	c := n.cluster
	file := filepath.Join(c.Dir, "probe")
	if err := os.WriteFile(file, make([]byte, probeSize), 0o644); err != nil {
		return err
	}
	mc, err := c.NewClient()
	if err != nil {
		return err
	}
	defer os.RemoveAll(mc.dir)
	mc.Hosts = map[string]string{"node": fmt.Sprintf("%s://%s:%s@%s", c.Scheme(), c.User, c.Password, n.S3)}
	// A new one each time: a bucket that was made while a drive was missing is not on that drive.
	bucket := "sluice-ready-" + strings.ToLower(rand.Text()[:12])
	if _, err := mc.Run(ctx, "mb", "node/"+bucket); err != nil {
		return err
	}
	_, err = mc.Run(ctx, "cp", "--quiet", file, "node/"+bucket)
	if err == nil {
		err = c.onEveryDrive(bucket, filepath.Base(file))
	}
	if _, removal := mc.Run(ctx, "rb", "--force", "node/"+bucket); err == nil {
		err = removal
	}
	return err
}

// onEveryDrive says whether an object that was put a moment ago went to all drives. MinIO heals what lacks
// a part of it, but not within the first second.
func (c *Cluster) onEveryDrive(bucket, object string) error {
	for _, n := range c.Nodes {
		if _, err := os.Stat(filepath.Join(n.drive, bucket, object, "xl.meta")); err != nil {
			return fmt.Errorf("a write did not reach the drive of %s: %w", n.Name, err)
		}
	}
	return nil
}

func answers(ctx context.Context, client *http.Client, url string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := client.Do(req)
	if err != nil {
		return err
	}
	resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("GET %s: status %s", url, resp.Status)
	}
	if s := resp.Header.Get("X-Minio-Server-Status"); s != "" {
		return fmt.Errorf("GET %s: the node calls itself %q", url, s)
	}
	return nil
}

// HTTPClient returns a client that trusts the cluster's CA, opens a connection for every request and
// waits two seconds for an answer. The caller may change it.
func (c *Cluster) HTTPClient() (*http.Client, error) {
	t := &http.Transport{DisableKeepAlives: true}
	if c.CA != "" {
		roots, err := c.Roots()
		if err != nil {
			return nil, err
		}
		t.TLSClientConfig = &tls.Config{RootCAs: roots}
	}
	return &http.Client{Transport: t, Timeout: readyTimeout}, nil
}

// Roots is the cluster's CA for a tls.Config. A plain cluster has none: an error.
func (c *Cluster) Roots() (*x509.CertPool, error) {
	pem, err := os.ReadFile(c.CA)
	if err != nil {
		return nil, fmt.Errorf("the cluster's CA: %w", err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("the cluster's CA: no certificate in %s", c.CA)
	}
	return roots, nil
}
