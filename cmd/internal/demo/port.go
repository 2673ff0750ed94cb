package demo

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// Time bounds of a connection between requests and in the middle of a header: MinIO's own.
const (
	idleTimeout   = 30 * time.Second
	headerTimeout = 30 * time.Second
)

// port is one of a node's listeners and the server behind it. Its node's mutex guards open and close.
type port struct {
	handler     http.Handler
	certificate *tls.Certificate // nil: plain
	closes      bool             // after every answer, as MinIO's Console does

	// address is where the port listens. If no number was asked for, the first open finds one; from
	// then on it is not changed.
	address netip.AddrPort

	server *http.Server       // nil: closed
	cancel context.CancelFunc // ends the WebSockets, which the server knows nothing of any more
	serves chan struct{}      // closed when the accept loop has ended
	conns  sync.WaitGroup     // a count for each connection
}

// open binds the port and serves it.
func (p *port) open(ctx context.Context) error {
	var config net.ListenConfig
	config.SetMultipathTCP(false)
	ln, err := config.Listen(ctx, "tcp", p.address.String())
	if errors.Is(err, syscall.EADDRINUSE) {
		return fmt.Errorf("another program listens at %s: %w", p.address, syscall.EADDRINUSE)
	}
	if err != nil {
		return err
	}
	if p.address.Port() == 0 {
		p.address = ln.Addr().(*net.TCPAddr).AddrPort()
	}

	ctx, p.cancel = context.WithCancel(context.WithoutCancel(ctx))
	p.serves = make(chan struct{})
	p.server = &http.Server{
		Handler:           p.handler,
		BaseContext:       func(net.Listener) context.Context { return ctx },
		ConnState:         p.count,
		ReadHeaderTimeout: headerTimeout,
		IdleTimeout:       idleTimeout,
		Protocols:         new(http.Protocols),
		ErrorLog:          slog.NewLogLogger(slog.DiscardHandler, slog.LevelInfo), // of checks that only connect
	}
	p.server.Protocols.SetHTTP1(true) // a WebSocket needs it, and nothing here needs another
	p.server.SetKeepAlivesEnabled(!p.closes)
	if p.certificate != nil {
		p.server.TLSConfig = &tls.Config{Certificates: []tls.Certificate{*p.certificate}}
	}
	go p.serve(p.server, ln)
	return nil
}

func (p *port) serve(server *http.Server, ln net.Listener) {
	defer close(p.serves)
	if p.certificate != nil {
		server.ServeTLS(ln, "", "")
		return
	}
	server.Serve(ln)
}

// count counts the connections. The server reports a new one in its accept loop, so that none is
// added after that has ended.
func (p *port) count(_ net.Conn, s http.ConnState) {
	switch s {
	case http.StateNew:
		p.conns.Add(1)
	case http.StateClosed:
		p.conns.Done()
	case http.StateHijacked: // whoever took the connection says when it is over
	}
}

// close closes the port and its connections and waits until all that served them has ended.
func (p *port) close() {
	if p.server == nil {
		return
	}
	p.cancel()
	p.server.Close()
	<-p.serves
	p.conns.Wait()
	p.server = nil
}
