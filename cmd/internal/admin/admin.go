// Package admin is the control plane: the HTTP API through which people, scripts and the page see and
// steer a running Sluice, its metrics and its events. It renders what packages pool and l4 count and
// hands the operator's word on; it decides nothing about sessions.
//
// A [Server] is made once for a process, with what it may ask of that process:
//
//	srv := admin.New(admin.Process{...})
//	next, err := srv.Prepare(cfg.Admin) // binds a new address, if it has changed
//	next.Commit()                       // on every reload
//	defer srv.Close()
//
// [Events] is separate, because the transitions that it remembers begin before there is a server. [Client]
// is the other end of the API, for the commands.
//
// Who may ask: everything is open on loopback and on a unix socket, unless a token is set; elsewhere a
// token is needed (the configuration insists). State is never changed by GET, requests that a browser
// makes for another site are refused, and so are host names that a hostile DNS could have made up.
package admin

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/l4"
	"github.com/sluicelb/sluice/pool"
)

// Process is what the admin plane sees of the process around it, and what it may ask of it. All functions
// may be called at any time, by several goroutines.
type Process struct {
	Log    *slog.Logger // nil: silent
	Build  Build
	L4     *l4.Server
	Pools  *pool.Set
	Events *Events

	Config     func() *configs.Config // that is in effect
	Reload     func() Reload          // reads the file again; the outcome is also the last one
	LastReload func() Reload
	InEffect   func() time.Time // when the configuration was last put into effect

	// Drain begins the end of the process: from now on it is not ready, after grace it takes no new
	// session, and when the last session is over it ends. It does not wait. false: that has begun before.
	Drain    func(grace time.Duration) bool
	Draining func() bool

	Records      func() RecordCounts
	Certificates func() []l4.Certificate // that listeners present to clients
}

// RecordCounts is what became of session records that were not written.
type RecordCounts struct {
	Dropped uint64 // the writer was too slow
	LeftOut uint64 // by log.sample
}

// Bounds of what anybody may ask of the server at once.
const (
	maxConns     = 256
	maxStreams   = 64 // of these, event streams
	maxHeader    = 16 << 10
	maxBody      = 16 << 10 // no request of the API has one of a hundred bytes
	headerWait   = 5 * time.Second
	readWait     = 10 * time.Second
	writeWait    = 30 * time.Second // longer than any answer but profiles and streams, which set their own
	idleWait     = time.Minute
	questionWait = 12 * time.Second // a MinIO node asks all others, for up to 10 s (MINIO_API_CLUSTER_DEADLINE)
)

// Server is the admin API of one process.
//
// Its methods are safe for concurrent use. It must be ended with [Server.Close].
type Server struct {
	proc    Process
	began   time.Time
	http    *http.Server
	current atomic.Pointer[settings]
	streams atomic.Int64
	metrics http.Handler
	debug   *debugger
	history history
	over    chan struct{} // closed when the server is

	mu     sync.Mutex // guards the fields below
	ln     net.Listener
	listen string // as configured: what ln is bound to
	closed bool

	serve    sync.WaitGroup
	sampling sync.Once // begins with the first commit
}

// settings is one [admin] table at work.
type settings struct {
	configs.Admin
	unix bool
	over chan struct{} // closed when other settings take their place, so that streams end
}

// New makes a server that does not listen yet.
func New(p Process) *Server {
	s := &Server{proc: p, began: time.Now(), debug: newDebugger(), over: make(chan struct{})}
	if s.proc.Log == nil {
		s.proc.Log = slog.New(slog.DiscardHandler)
	}
	s.current.Store(&settings{over: make(chan struct{})})
	s.metrics = newMetrics(s)
	s.http = &http.Server{
		Handler:           s.guard(s.routes()),
		ReadHeaderTimeout: headerWait,
		ReadTimeout:       readWait,
		WriteTimeout:      writeWait,
		IdleTimeout:       idleWait,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          slog.NewLogLogger(s.proc.Log.Handler(), slog.LevelDebug),
	}
	return s
}

// Next is a prepared [admin] table. It must be either committed or discarded.
type Next struct {
	srv   *Server
	cfg   configs.Admin
	ln    net.Listener // nil: what there is stays
	moved bool
}

// Prepare binds what cfg says, if that is not bound already. Nothing in use changes.
func (s *Server) Prepare(cfg configs.Admin) (*Next, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return nil, errors.New("admin: the server is closed")
	}
	next := &Next{srv: s, cfg: cfg}
	old := s.current.Load()
	if cfg.Listen == s.listen && (!old.unix || cfg.Mode == old.Mode && cfg.Group == old.Group) {
		return next, nil
	}
	next.moved = true
	if cfg.Listen == "" {
		return next, nil
	}
	var err error
	next.ln, err = bind(&cfg)
	return next, err
}

// Discard gives up what Prepare has bound.
func (n *Next) Discard() {
	if n.ln != nil {
		n.ln.Close()
	}
}

// Commit puts the table into effect. Requests that are being answered go on; event streams end, so that
// they are asked for again under the new settings.
func (n *Next) Commit() {
	s := n.srv
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		n.Discard()
		return
	}
	old := s.current.Load()
	fresh := &settings{Admin: n.cfg, unix: isUnix(n.cfg.Listen), over: make(chan struct{})}
	if !n.moved && old.Token == n.cfg.Token {
		fresh.over = old.over
	} else {
		defer close(old.over)
	}
	s.current.Store(fresh)
	if err := s.debug.enable(n.cfg.Debug); err != nil {
		s.proc.Log.Error("flight recorder", "error", err)
	}
	if !n.moved {
		return
	}
	if s.ln != nil {
		s.ln.Close()
	}
	s.ln, s.listen = n.ln, n.cfg.Listen
	s.sampling.Do(func() { s.serve.Go(func() { s.history.run(s.sample, s.over) }) })
	if ln := n.ln; ln != nil {
		s.serve.Go(func() { s.http.Serve(ln) }) // it ends when ln is closed
	}
}

// Address is where the server listens, nil if it does not.
func (s *Server) Address() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.ln == nil {
		return nil
	}
	return s.ln.Addr()
}

// Close ends the server: what is being answered has a second to finish, streams end at once.
func (s *Server) Close() {
	s.mu.Lock()
	if s.closed {
		s.mu.Unlock()
		return
	}
	s.closed = true
	close(s.current.Load().over)
	close(s.over)
	s.mu.Unlock()
	ctx, stop := context.WithTimeout(context.Background(), time.Second)
	defer stop()
	if s.http.Shutdown(ctx) != nil {
		s.http.Close()
	}
	s.serve.Wait()
	s.debug.enable(false)
}
