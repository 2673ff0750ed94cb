//go:build e2e && linux

package page

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"testing"
)

// A node is a stub: it answers MinIO's health endpoints, and sends everything else back.
type node struct {
	address string
	live    atomic.Int64 // status of /minio/health/live
	may     atomic.Int64 // status of /minio/health/cluster?maintenance=true

	mu    sync.Mutex // guards the fields below
	ln    net.Listener
	conns map[net.Conn]bool
}

// newNode starts a node at an address, and ends it with the test.
func newNode(t *testing.T, address string) *node {
	t.Helper()
	n := &node{address: address, conns: map[net.Conn]bool{}}
	n.live.Store(http.StatusOK)
	n.may.Store(http.StatusOK)
	n.start(t)
	t.Cleanup(n.kill)
	return n
}

func (n *node) start(t *testing.T) {
	t.Helper()
	ln, err := net.Listen("tcp", n.address)
	if err != nil {
		t.Fatal(err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ln, n.address = ln, ln.Addr().String()
	go n.accept(ln)
}

// kill ends a node as kill -9 does.
func (n *node) kill() {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.ln.Close()
	for c := range n.conns {
		c.Close()
	}
	clear(n.conns)
}

func (n *node) accept(ln net.Listener) {
	for {
		c, err := ln.Accept()
		if err != nil {
			return
		}
		n.mu.Lock()
		n.conns[c] = true
		n.mu.Unlock()
		go func() {
			n.serve(c)
			c.Close()
			n.mu.Lock()
			delete(n.conns, c)
			n.mu.Unlock()
		}()
	}
}

func (n *node) serve(c net.Conn) {
	in := bufio.NewReader(c)
	if begin, err := in.Peek(4); err != nil || string(begin) != "GET " {
		io.Copy(c, in)
		return
	}
	for {
		r, err := http.ReadRequest(in)
		if err != nil {
			return
		}
		status := n.live.Load()
		if r.URL.Query().Get("maintenance") == "true" {
			status = n.may.Load()
		}
		fmt.Fprintf(c, "HTTP/1.1 %d %s\r\nServer: MinIO\r\nX-Minio-Write-Quorum: 3\r\nContent-Length: 0\r\n\r\n", status, http.StatusText(int(status)))
	}
}
