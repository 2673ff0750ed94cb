package l4

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"sync"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/pool"
)

// nodeTLS is TLS to the nodes of one pool, as one configuration says. The checks of the pool have a TLS of their
// own: nothing they ask for or are given reaches a session.
type nodeTLS struct {
	config *configs.NodeTLS
	base   *tls.Config // without server name, protocol and session cache

	mu      sync.Mutex // guards configs
	configs map[nodeALPN]*tls.Config
}

// nodeALPN is what a configuration is made for: each node has its own name and its own sessions to resume.
type nodeALPN struct {
	node *pool.Node
	alpn string
}

// newNodeTLS reads the files of a pool's TLS.
func newNodeTLS(c *configs.NodeTLS) (*nodeTLS, error) {
	base, err := pool.ReadTLS(c)
	if err != nil {
		return nil, err
	}
	return &nodeTLS{config: c, base: base, configs: map[nodeALPN]*tls.Config{}}, nil
}

// maxNodeConfigs bounds what is kept for nodes that come and go by name resolution.
const maxNodeConfigs = 1024

// to is the configuration for sessions to a node by a protocol.
func (t *nodeTLS) to(n *pool.Node, alpn string) *tls.Config {
	key := nodeALPN{n, alpn}
	t.mu.Lock()
	defer t.mu.Unlock()
	if cfg := t.configs[key]; cfg != nil {
		return cfg
	}
	if len(t.configs) >= maxNodeConfigs {
		clear(t.configs)
	}
	cfg := t.base.Clone()
	if cfg.ServerName = t.config.ServerName; cfg.ServerName == "" {
		cfg.ServerName = n.Host()
	}
	if alpn != "" {
		cfg.NextProtos = []string{alpn}
	}
	cfg.ClientSessionCache = tls.NewLRUClientSessionCache(1)
	t.configs[key] = cfg
	return cfg
}

// handshake begins TLS to a node, by the protocol that its client has agreed on, until deadline or until ctx ends.
func (t *nodeTLS) handshake(ctx context.Context, tcp *net.TCPConn, n *pool.Node, alpn string, deadline time.Time) (*stream, error) {
	tcp.SetDeadline(deadline)
	stop := context.AfterFunc(ctx, func() { tcp.SetDeadline(longAgo) })
	defer func() {
		if stop() {
			tcp.SetDeadline(time.Time{})
		}
	}()
	w := newWire(tcp, nil)
	c := tls.Client(w, t.to(n, alpn))
	if err := c.Handshake(); err != nil {
		return nil, fmt.Errorf("TLS with node %s: %w", n, err)
	}
	// A node that has nothing to say about protocols speaks HTTP/1.1.
	if got := c.ConnectionState().NegotiatedProtocol; got != alpn && (got != "" || alpn != "http/1.1") {
		return nil, fmt.Errorf("TLS with node %s: it agrees on protocol %q, and the client on %q", n, got, alpn)
	}
	return tlsStream(w, c)
}
