//go:build linux

// Package cluster runs a real MinIO cluster of four nodes on loopback addresses of this machine: for
// people who want to see Sluice in front of the real thing (make minio) and for the end-to-end tests
// (make e2e).
//
//	bins, err := cluster.Install(ctx, os.Stderr)
//	block, err := cluster.Reserve()
//	c, err := cluster.Start(ctx, cluster.Options{Binaries: bins, Block: block})
//	defer c.Close()
//
// Nothing it starts outlives the process that started it, whichever way that ends: [Launcher] sees to
// the processes, the folder's lock to the folder.
//
// It is no part of Sluice: the shipped binary does not import it. It needs Linux. It is not a way to
// run MinIO for anything but trying and testing: four nodes share one disk.
package cluster

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"time"
)

// Size is the number of nodes. Four is the smallest cluster with a write quorum (3) that differs from
// its read quorum (2), so that losing nodes shows both.
const Size = 4

// Options is what a cluster is started with.
type Options struct {
	Binaries Binaries // from [Install]
	Block    *Block   // from [Reserve]; stays the caller's, and must be held for as long as the cluster

	// Dir is the folder in which the cluster makes one of its own, removed by Close. It has to be on a
	// real disk, not tmpfs. Empty: .cache/clusters under the module root.
	Dir string

	// TLS makes the nodes speak TLS, with certificates of a CA made for this cluster: one certificate
	// for the addresses and one more for each of Names.
	TLS   bool
	Names []string

	// ServerURL and RedirectURL are MINIO_SERVER_URL and MINIO_BROWSER_REDIRECT_URL. Empty: not set.
	ServerURL   string
	RedirectURL string

	// Ready bounds the wait for the cluster to come up. 0: two minutes, some twenty times what it takes.
	Ready time.Duration

	// Progress gets a line for each step. nil: nobody is told.
	Progress io.Writer
}

// Cluster is four running nodes. Its methods may be used concurrently, a node's must not.
type Cluster struct {
	Nodes []*Node // Size of them, in the order of their addresses

	// User and Password are the root credentials, new for each cluster.
	User, Password string

	// CA is the PEM file that clients need to trust; "" where the nodes speak plain HTTP.
	CA string

	// Dir is the cluster's folder: drives, logs, certificates. It is gone after Close.
	Dir string

	launcher *Launcher
	folder   *folder
	options  Options
}

// Start starts the nodes and returns when every one of them is ready. On failure nothing is left
// running and the error holds the end of the nodes' logs. The caller closes the cluster.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	if o.Ready == 0 {
		o.Ready = 2 * time.Minute
	}
	if o.Progress == nil {
		o.Progress = io.Discard
	}
	c, err := create(o)
	if err != nil {
		return nil, fmt.Errorf("minio cluster: %w", err)
	}
	if err := c.start(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("minio cluster: %w", err), c.Close())
	}
	return c, nil
}

// create makes everything but the processes.
func create(o Options) (*Cluster, error) {
	f, err := newFolder(o.Dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{
		User:     "admin-" + rand.Text()[:8],
		Password: rand.Text(),
		Dir:      f.path,
		launcher: NewLauncher(),
		folder:   f,
		options:  o,
	}
	certs := filepath.Join(c.Dir, "certs")
	if o.TLS {
		if c.CA, err = writeCertificates(certs, o.Block, o.Names); err != nil {
			return nil, errors.Join(err, c.Close())
		}
	}
	for i := range Size {
		c.Nodes = append(c.Nodes, newNode(c, i, certs))
	}
	return c, nil
}

// start launches the nodes together: none is ready before the others answer it.
func (c *Cluster) start(ctx context.Context) error {
	began := time.Now()
	for _, n := range c.Nodes {
		if err := n.Start(); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.options.Progress, "minio cluster: %d nodes started, %s to %s, waiting for them to be ready\n",
		Size, c.Nodes[0].S3, c.Nodes[Size-1].S3)

	ctx, cancel := context.WithTimeout(ctx, c.options.Ready)
	defer cancel()
	for _, n := range c.Nodes {
		if err := n.WaitReady(ctx); err != nil {
			return err
		}
	}
	fmt.Fprintf(c.options.Progress, "minio cluster: ready after %.1f s\n", time.Since(began).Seconds())
	return nil
}

// Scheme is "https" where the nodes speak TLS, else "http".
func (c *Cluster) Scheme() string {
	if c.options.TLS {
		return "https"
	}
	return "http"
}

// Launcher is what started the nodes. A process that it starts ends no later than the cluster.
func (c *Cluster) Launcher() *Launcher { return c.launcher }

// Close kills the nodes, waits until they are gone and removes the folder. Calling it again does
// nothing.
func (c *Cluster) Close() error {
	c.launcher.Close()
	return c.folder.remove()
}
