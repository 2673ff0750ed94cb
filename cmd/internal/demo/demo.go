// Package demo is four toy nodes that behave enough like MinIO's to show Sluice at work and to try its
// verify command on: health endpoints, objects that stream up and down, a Console page that says which
// node answered, TLS with certificates of their own.
//
//	c, err := demo.Start(ctx, demo.Options{...})
//	defer c.Close()
//	c.Nodes[1].Unplug() // as kill -9 would
//
// They are toys. All four share one folder, nobody has to say who they are, signatures are not looked
// at, and everything is gone at the end. `make minio` runs the real thing.
package demo

import (
	"context"
	"crypto/x509"
	"net/netip"
	"os"
	"path/filepath"

	"github.com/sluicelb/sluice/cmd/internal/authority"
)

// Size is the number of nodes, and the quorums those that must be there for reading and for writing: as
// in a MinIO cluster of four with one drive each.
const (
	Size        = 4
	readQuorum  = 2
	writeQuorum = 3
)

// Options says where the nodes are and what they say of themselves.
type Options struct {
	Addresses [Size]netip.Addr // one a node

	// Ports, the same on every node. 0: any that is free.
	S3, Console, S3TLS, ConsoleTLS uint16

	// Server names of the certificates.
	S3Name, ConsoleName string

	// Where a browser that comes to the S3 port is sent, in plain and over TLS. Empty: nowhere.
	ConsoleURL, ConsoleURLTLS string

	Bucket string // made at the start; empty: none is

	// Dir is where the nodes make the folder they keep objects in. Empty: the system's, for which
	// TMPDIR speaks.
	Dir string
}

// Cluster is four running nodes. Its methods may be used concurrently.
type Cluster struct {
	Nodes  [Size]*Node
	CAFile string // the PEM certificate that the nodes' certificates are signed with
	store  *store
}

// Start starts the nodes. The caller closes the Cluster; cancelling ctx afterwards does nothing.
func Start(ctx context.Context, o Options) (*Cluster, error) {
	store, err := newStore(o.Dir)
	if err != nil {
		return nil, err
	}
	c := &Cluster{store: store, CAFile: filepath.Join(store.dir, "ca.pem")}
	if err := c.start(ctx, o); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context, o Options) error {
	if o.Bucket != "" {
		if err := c.store.makeBucket(o.Bucket); err != nil {
			return err
		}
	}
	ca, err := authority.New("Sluice demo CA")
	if err != nil {
		return err
	}
	if err := os.WriteFile(c.CAFile, ca.PEM(), 0o644); err != nil {
		return err
	}
	// One certificate a name. With one for both, a browser could send what is for one name over its
	// HTTP/2 connection to the other (RFC 9113, 9.1.1), and no Layer-4 balancer can put that right.
	s3, err := ca.Issue(&x509.Certificate{DNSNames: []string{o.S3Name}})
	if err != nil {
		return err
	}
	console, err := ca.Issue(&x509.Certificate{DNSNames: []string{o.ConsoleName}})
	if err != nil {
		return err
	}

	for i := range c.Nodes {
		c.Nodes[i] = c.newNode(i, o, &s3, &console)
	}
	for _, n := range c.Nodes {
		if err := n.Plug(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Close unplugs all nodes and removes what they stored.
func (c *Cluster) Close() error {
	for _, n := range c.Nodes {
		if n != nil {
			n.Unplug()
		}
	}
	return c.store.close()
}

// running is the number of nodes that are plugged in.
func (c *Cluster) running() (n int) {
	for _, node := range c.Nodes {
		if node.Running() {
			n++
		}
	}
	return n
}
