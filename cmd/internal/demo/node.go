package demo

import (
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Node is one toy node: an S3 port and a Console port, each in plain and over TLS. Its methods may be
// used concurrently.
type Node struct {
	Name string // "node 1"

	cluster *Cluster
	ports   [4]*port
	running atomic.Bool // all ports are open

	mu sync.Mutex // held while the ports open or close
}

// The positions of a node's ports.
const (
	portS3 = iota
	portConsole
	portS3TLS
	portConsoleTLS
)

func (c *Cluster) newNode(i int, o Options, s3, console *tls.Certificate) *Node {
	n := &Node{Name: fmt.Sprintf("node %d", i+1), cluster: c}
	at := func(number uint16, certificate *tls.Certificate) *port {
		return &port{address: netip.AddrPortFrom(o.Addresses[i], number), certificate: certificate}
	}
	n.ports = [...]*port{
		portS3: at(o.S3, nil), portConsole: at(o.Console, nil),
		portS3TLS: at(o.S3TLS, s3), portConsoleTLS: at(o.ConsoleTLS, console),
	}
	n.ports[portS3].handler = n.s3(o.ConsoleURL)
	n.ports[portS3TLS].handler = n.s3(o.ConsoleURLTLS)
	for _, p := range []*port{n.ports[portConsole], n.ports[portConsoleTLS]} {
		p.handler, p.closes = n.console(p), true
	}
	return n
}

// S3 is where the node serves objects.
func (n *Node) S3() netip.AddrPort { return n.ports[portS3].address }

// Console is where the node serves its page.
func (n *Node) Console() netip.AddrPort { return n.ports[portConsole].address }

// S3TLS is S3 over TLS.
func (n *Node) S3TLS() netip.AddrPort { return n.ports[portS3TLS].address }

// ConsoleTLS is Console over TLS.
func (n *Node) ConsoleTLS() netip.AddrPort { return n.ports[portConsoleTLS].address }

// ID is what the node puts into the X-Amz-Id-2 header of its answers, as a MinIO node does: a hash of
// its S3 address.
func (n *Node) ID() string {
	sum := sha256.Sum256([]byte(n.S3().String()))
	return hex.EncodeToString(sum[:])
}

// Running tells whether the node is plugged in.
func (n *Node) Running() bool { return n.running.Load() }

// Plug starts a node that is not running: all four ports, or none and an error.
func (n *Node) Plug(ctx context.Context) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.running.Load() {
		return nil
	}
	for _, p := range n.ports {
		if err := p.open(ctx); err != nil {
			n.closeLocked()
			return fmt.Errorf("%s: %w", n.Name, err)
		}
	}
	n.running.Store(true)
	return nil
}

// Unplug ends a node in the midst of whatever it does, as kill -9 would: its ports are closed and its
// connections cut. It returns when nothing of it is left.
func (n *Node) Unplug() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.running.Store(false)
	n.closeLocked()
}

func (n *Node) closeLocked() {
	for _, p := range n.ports {
		p.close()
	}
}
