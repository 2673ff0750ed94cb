package l4

import (
	"errors"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"
)

// copyEngine gives every session goroutines of its own. It is the engine where TLS ends here, where
// there is no reactor, and where a listener asks for it.
type copyEngine struct {
	srv    *Server
	done   sync.WaitGroup // sessions, the watch
	lounge *lounge

	mu       sync.Mutex // guards the fields below, and [copySession.live]
	doors    map[*socket]*copyDoor
	sessions map[*copySession]struct{}
	stopping Cause // CauseNone while sessions may begin
	watching bool
}

// A copyDoor is a socket that the engine accepts from.
type copyDoor struct {
	ln   *net.TCPListener
	done sync.WaitGroup
}

func newCopyEngine(srv *Server) *copyEngine {
	return &copyEngine{srv: srv, lounge: newLounge(), doors: map[*socket]*copyDoor{}, sessions: map[*copySession]struct{}{}}
}

func (e *copyEngine) open(sk *socket) error {
	ln, err := net.FileListener(sk.file)
	if err != nil {
		return err
	}
	d := &copyDoor{ln: ln.(*net.TCPListener)}
	e.mu.Lock()
	e.doors[sk] = d
	e.mu.Unlock()
	d.done.Go(func() { e.acceptLoop(sk, d) })
	return nil
}

// shut takes what is waiting, with a deadline that has nearly passed, and lets the socket go.
func (e *copyEngine) shut(sk *socket) {
	e.mu.Lock()
	d := e.doors[sk]
	delete(e.doors, sk)
	e.mu.Unlock()
	if d == nil {
		return
	}
	d.ln.SetDeadline(time.Now().Add(time.Millisecond))
	d.done.Wait()
	d.ln.Close()
}

// acceptLoop accepts until the door's deadline. No other error ends it: a listener that is dead in a
// process that lives is the worst a balancer can do. While the process is short of something, it asks
// again after a while that doubles.
func (e *copyEngine) acceptLoop(sk *socket, d *copyDoor) {
	var wait time.Duration
	for {
		conn, err := d.ln.AcceptTCP()
		var timeout net.Error
		switch {
		case err == nil:
			wait = 0
			e.begin(sk, conn)
		case errors.As(err, &timeout) && timeout.Timeout():
			e.empty(sk, d)
			return
		case errors.Is(err, net.ErrClosed):
			return
		case classify(err, clientSide) == CauseResources:
			wait = min(max(2*wait, minAcceptWait), maxAcceptWait)
			e.srv.acceptTrouble(sk, err, wait)
			time.Sleep(wait)
		case errors.Is(err, syscall.ECONNABORTED):
		default:
			e.srv.acceptTrouble(sk, err, minAcceptWait)
			time.Sleep(minAcceptWait)
		}
	}
}

// empty takes what is waiting at a door that is being shut. Past its deadline a listener does not accept even what
// is there, so each connection gets a deadline of its own.
func (e *copyEngine) empty(sk *socket, d *copyDoor) {
	for end := time.Now().Add(maxEmptying); time.Now().Before(end); {
		d.ln.SetDeadline(time.Now().Add(emptyWait))
		conn, err := d.ln.AcceptTCP()
		switch {
		case err == nil:
			e.begin(sk, conn)
		case !errors.Is(err, syscall.ECONNABORTED):
			return
		}
	}
}

// A door is empty when nobody has come for emptyWait. While clients keep coming, it is shut all the same.
const (
	emptyWait   = 5 * time.Millisecond
	maxEmptying = time.Second
)

// begin makes a session of a connection, or closes it.
func (e *copyEngine) begin(sk *socket, conn *net.TCPConn) {
	r := sk.rules.Load()
	peer := conn.RemoteAddr().(*net.TCPAddr).AddrPort()
	peer = netip.AddrPortFrom(peer.Addr().Unmap(), peer.Port())
	now := e.srv.clock()
	e.srv.procs.look(now)
	if !e.srv.admit(r, peer.Addr(), now) {
		conn.SetLinger(0)
		conn.Close()
		return
	}
	s := &copySession{srv: e.srv, engine: e, client: conn}
	s.session = session{id: e.srv.nextID.Add(1), rules: r, client: peer, accepted: now}
	s.limited = !r.wantsHeader(peer.Addr()) && r.limitsClients()
	s.enter(PhaseAccept)
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.stopping != CauseNone {
		s.kill(e.stopping)
	}
	e.sessions[s] = struct{}{}
	if !e.watching {
		e.watching = true
		e.done.Go(e.watch)
	}
	e.done.Add(1) // until forget
	go s.serve()
}

// forget counts a session that is over.
func (e *copyEngine) forget(s *copySession) {
	defer e.done.Done()
	e.mu.Lock()
	delete(e.sessions, s)
	e.mu.Unlock()
	if s.plain == nil { // else it was counted as it moved
		s.credit(s.in, s.out)
		e.srv.moved.splice.Add(s.spliced)
		e.srv.moved.copy.Add(s.in + s.out - s.spliced)
	}
	e.srv.discharge(&s.session, e.srv.clock())
	if e.srv.records != nil {
		e.srv.records.add(e.srv.record(&s.session, e.srv.clock()))
	}
}

// watch looks after the sessions' limits in time while there are any: one timer for all of them.
func (e *copyEngine) watch() {
	tick := time.NewTicker(watchInterval)
	defer tick.Stop()
	for range tick.C {
		e.mu.Lock()
		if len(e.sessions) == 0 {
			e.watching = false
			e.mu.Unlock()
			return
		}
		now := e.srv.clock()
		for s := range e.sessions {
			s.check(now)
		}
		e.mu.Unlock()
	}
}

// watchInterval is how exactly the limits of relaying sessions are kept.
const watchInterval = 200 * time.Millisecond

func (e *copyEngine) stop(cause Cause) {
	e.mu.Lock()
	e.stopping = cause
	for s := range e.sessions {
		s.kill(cause)
	}
	e.mu.Unlock()
	e.done.Wait()
	e.lounge.close()
}
