package l4

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"net"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/pool"
)

// Options are what a [Server] is given once, for its whole life.
type Options struct {
	Log   *slog.Logger // nil: silent
	Pools *pool.Set    // whose nodes the sessions go to; the caller closes it after the server

	// Ended is called with the records of sessions that have ended, in batches, from one goroutine. It may
	// take its time: what comes in faster than it can take is dropped and counted. nil: no records.
	Ended func([]Record)

	// Reread is called when files that a listener was given have changed: they are in use, or err says why not.
	// It must not block. nil: nobody is told, but the log.
	Reread func(listener string, files []string, err error)

	Loops int // of the reactor; 0: one per CPU
	Pipes int // of the reactor; 0: what the kernel allows

	// Alone: the server is what this process is for, so it sets GOMAXPROCS as its load asks for, unless the environment
	// does.
	Alone bool
}

// Server is the data plane of one process: all its listeners and sessions.
//
// Its methods are safe for concurrent use. It must be ended with [Server.Close], after which nothing of
// it is left: no socket, no goroutine.
type Server struct {
	log     *slog.Logger
	reread  func(listener string, files []string, err error)
	pools   *pool.Set
	epoch   time.Time
	name    string // tells the sessions of this process from those of others
	records *recorder
	copying engine
	reactor engine // nil where there is none
	procs   *procs // nil where their number is not the server's business

	nextID   atomic.Uint64
	sessions atomic.Int64 // that are open
	pending  atomic.Int64 // of these, that are not yet relaying
	capacity atomic.Int64 // limits.sessions, or what the process can hold
	clients  clients
	hellos   sizes
	moved    paths // by the copy engine; loops count for themselves
	killing  sync.WaitGroup
	tickets  *tickets
	watching sync.WaitGroup // the watch of files
	unwatch  chan struct{}  // closed: it ends

	mu          sync.Mutex // guards the fields below
	listeners   map[string]*Listener
	sockets     map[string]*socket // by address as configured; where the port is 0, by listener too
	terminators []*terminator      // of the present configuration
	looking     bool               // the watch has begun
	draining    bool
	closed      bool
}

// An engine moves the sessions of the sockets it is given.
type engine interface {
	// open begins to accept. The engine does so until shut.
	open(*socket) error
	// shut accepts what has been waiting, then nothing more, and returns when the engine has let go.
	shut(*socket)
	// look gives f copies of the sessions, a few at a time, until it has enough. What f does holds up nobody.
	look(f func([]glimpse) (more bool))
	// kill ends the sessions that are meant, and returns how many. What which gets is the engine's: it may
	// be read until which returns.
	kill(which func(*session) bool, cause Cause) int
	// addPaths adds what the engine itself has counted.
	addPaths(*Paths)
	// stop ends what is left and waits for it.
	stop(Cause)
}

// New makes a server without listeners.
func New(o Options) (*Server, error) {
	s := &Server{
		log:       o.Log,
		pools:     o.Pools,
		epoch:     time.Now(),
		name:      strconv.FormatUint(rand.Uint64(), 36),
		listeners: map[string]*Listener{},
		sockets:   map[string]*socket{},
		tickets:   newTickets(time.Now()),
		unwatch:   make(chan struct{}),
	}
	if s.reread = o.Reread; s.reread == nil {
		s.reread = func(string, []string, error) {}
	}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if o.Ended != nil {
		s.records = newRecorder(o.Ended)
	}
	if o.Loops == 0 {
		o.Loops = runtime.NumCPU()
	}
	s.procs = newProcs(o.Alone, o.Loops)
	s.copying = newCopyEngine(s)
	var err error
	s.reactor, err = newReactor(s, o)
	return s, err
}

// clock is the time for everything that is measured: nanoseconds on a clock that only goes forward,
// never 0.
func (s *Server) clock() int64 { return int64(time.Since(s.epoch)) + 1 }

// wall is a clock reading as a time of day.
func (s *Server) wall(at int64) time.Time { return s.epoch.Add(time.Duration(at)) }

// ErrClosed is returned by [Server.Apply] once the server drains or is closed.
var ErrClosed = errors.New("l4: the server has been told to stop")

// Apply makes cfg what the server does, at the start and on every reload: all of it or, with an error,
// nothing. Sockets whose address stays are kept, with everything that waits in them; sessions go on
// under the configuration they began with.
func (s *Server) Apply(cfg *configs.Config) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.draining || s.closed {
		return ErrClosed
	}
	next, err := s.pools.Prepare(cfg.Pools)
	if err != nil {
		return err
	}
	plan, err := s.plan(cfg, next.Pool)
	if err != nil {
		next.Discard()
		return err
	}
	next.Commit()
	s.capacity.Store(capacity(cfg.Limits.Sessions))
	s.carryOut(plan)
	return nil
}

// A plan is what a configuration makes of the server's sockets.
type plan struct {
	rules map[*socket]*rules
	fresh []*socket // bound for this plan, not accepting yet
	ready map[string]*socket

	terminators []*terminator
	nodeTLS     map[string]*nodeTLS // by pool
}

// plan makes rules and binds what is not bound yet. On an error nothing has changed.
func (s *Server) plan(cfg *configs.Config, pools func(string) *pool.Pool) (p *plan, err error) {
	p = &plan{rules: map[*socket]*rules{}, ready: map[string]*socket{}}
	defer func() {
		if err != nil {
			for _, sk := range p.fresh {
				sk.close()
			}
		}
	}()
	for _, pc := range cfg.Pools {
		if err := s.checkSource(pc); err != nil {
			return p, fmt.Errorf("pool %q: %w", pc.Name, err)
		}
	}
	if err := p.readTLS(cfg, s.tickets); err != nil {
		return p, err
	}
	for _, lc := range cfg.Listeners {
		ln := s.listeners[lc.Name]
		if ln == nil {
			ln = newListener(lc.Name, &s.hellos)
			s.listeners[lc.Name] = ln
		}
		r, err := newRules(cfg, lc, ln, pools)
		if err != nil {
			return p, err
		}
		r.terminator, r.nodeTLS = p.terminator(lc), p.nodeTLS
		for _, address := range lc.Address {
			key := address
			if strings.HasSuffix(address, ":0") {
				key = lc.Name + " " + address // the kernel chooses the port: several may say the same
			}
			sk := s.sockets[key]
			if sk == nil {
				if sk, err = bind(address, &cfg.Timeouts); err != nil {
					return p, fmt.Errorf("listener %q: %w", lc.Name, err)
				}
				p.fresh = append(p.fresh, sk)
			}
			p.rules[sk] = r
			p.ready[key] = sk
		}
	}
	return p, nil
}

// carryOut puts a plan into effect. What can fail has not failed; a socket that an engine does not take
// after all is reported and stays closed, the others serve.
func (s *Server) carryOut(p *plan) {
	for key, sk := range s.sockets {
		if p.ready[key] == nil {
			sk.refuseNewcomers()
			sk.engine.shut(sk)
			sk.close()
		}
	}
	s.sockets = p.ready
	s.watchFiles(p.terminators)
	onlyTLS := true
	for _, r := range p.rules {
		onlyTLS = onlyTLS && r.terminator != nil
	}
	s.procs.serve(onlyTLS, s.clock())
	for sk, r := range p.rules {
		sk.rules.Store(r)
		want := s.engineFor(r)
		if sk.engine == want {
			sk.tune(&r.timeouts)
			continue
		}
		if sk.engine != nil {
			sk.engine.shut(sk)
		}
		sk.engine = want
		if err := want.open(sk); err != nil {
			s.log.Error("listen", "listener", r.Name, "address", sk.address, "error", err)
		}
	}
}

// engineFor chooses who moves a listener's bytes.
func (s *Server) engineFor(r *rules) engine {
	if s.reactor == nil || r.Relay == configs.RelayCopy || r.TLS == configs.Terminate {
		return s.copying
	}
	return s.reactor
}

// Bound is an address that a listener is bound to.
type Bound struct {
	Listener string
	Address  net.Addr // with the port that the kernel chose, if the configuration left that to it
}

// Addresses returns where the server listens, in the order of listener and address.
func (s *Server) Addresses() []Bound {
	s.mu.Lock()
	defer s.mu.Unlock()
	var all []Bound
	for _, sk := range s.sockets {
		all = append(all, Bound{sk.rules.Load().Name, sk.bound})
	}
	slices.SortFunc(all, func(a, b Bound) int {
		if a.Listener != b.Listener {
			return strings.Compare(a.Listener, b.Listener)
		}
		return strings.Compare(a.Address.String(), b.Address.String())
	})
	return all
}

// Listeners returns what is counted per listener, of this configuration and of those before it.
func (s *Server) Listeners() []*Listener {
	s.mu.Lock()
	defer s.mu.Unlock()
	all := make([]*Listener, 0, len(s.listeners))
	for _, ln := range s.listeners {
		all = append(all, ln)
	}
	slices.SortFunc(all, func(a, b *Listener) int { return strings.Compare(a.name, b.name) })
	return all
}

// Sessions is how many sessions are open.
func (s *Server) Sessions() int64 { return s.sessions.Load() }

// lastCall is how long a shutdown goes on accepting when new connections are no longer begun: the last
// packet of a handshake may be on its way, from a client that believes itself connected.
const lastCall = 100 * time.Millisecond

// Shutdown stops listening and waits for the sessions to end, until ctx does; the error says how many
// were left. Call [Server.Close] afterwards.
func (s *Server) Shutdown(ctx context.Context) error {
	s.mu.Lock()
	s.draining = true
	sockets := s.sockets
	s.sockets = map[string]*socket{}
	s.mu.Unlock()
	for _, sk := range sockets {
		sk.refuseNewcomers()
	}
	if len(sockets) > 0 {
		time.Sleep(lastCall)
	}
	for _, sk := range sockets {
		sk.engine.shut(sk)
		sk.close()
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for s.sessions.Load() > 0 {
		select {
		case <-ctx.Done():
			return fmt.Errorf("drain: %d sessions left: %w", s.sessions.Load(), context.Cause(ctx))
		case <-tick.C:
		}
	}
	return nil
}

// Close ends everything now, sessions by a reset, and returns when nothing is left.
func (s *Server) Close() {
	expired, cancel := context.WithCancel(context.Background())
	cancel()
	s.Shutdown(expired)
	s.mu.Lock()
	done := s.closed
	s.closed = true
	s.mu.Unlock()
	if done {
		return
	}
	s.killing.Wait()
	close(s.unwatch)
	s.watching.Wait()
	s.copying.stop(CauseDrained)
	if s.reactor != nil {
		s.reactor.stop(CauseDrained)
	}
	if s.records != nil {
		s.records.close()
	}
}
