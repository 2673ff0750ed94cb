package l4

import (
	"context"
	"errors"
	"net"
	"sync"
	"time"
)

// A copySession is a session in the hands of its own goroutines.
type copySession struct {
	session
	srv    *Server
	client *net.TCPConn
	node   *net.TCPConn // nil until a node has the session

	ctx    context.Context // ends when somebody else ends the session
	cancel context.CancelCauseFunc
	told   bool // the client was told by an alert, so its connection is closed in order

	plain *stream // the client's bytes without its TLS; nil where TLS does not end here

	ending sync.Mutex // guards phase and cause while both flows run

	live progress // what others may see and do while the session runs
}

// serve is the life of a session, top to bottom.
func (s *copySession) serve() {
	defer s.hangUp()
	defer context.AfterFunc(s.ctx, s.unblock)()
	payload, ok := s.open()
	if !ok {
		return
	}
	if s.rules.terminator != nil {
		if payload, ok = nil, s.handshake(payload); !ok {
			return
		}
	}
	head, ok := s.head(payload)
	if !ok {
		return
	}
	won, ok := s.reach(head)
	if !ok {
		return
	}
	s.srv.relaying(&s.session)
	s.relay(won)
}

// head is what the node is sent first: the PROXY header that its pool wants, and what of the client's bytes
// was read already.
func (s *copySession) head(payload []byte) (head []byte, ok bool) {
	local := s.client.LocalAddr().(*net.TCPAddr).AddrPort()
	head, err := s.preface(s.srv.name, unmapped(local))
	if err != nil {
		s.srv.log.Error("PROXY header", "session", s.id, "error", err)
		s.end(CauseInternal)
		return nil, false
	}
	s.prefaced = len(head)
	return append(head, payload...), true
}

// open reads the first bytes until they say where the session goes, and returns what of them is payload.
func (s *copySession) open() (payload []byte, ok bool) {
	var first opening
	var sent []byte
	entered := PhaseAccept
	s.phase = s.rules.firstPhase(s.session.client.Addr())
	if s.phase == PhaseAccept {
		s.route = s.rules.fallback
		return nil, true
	}
	defer s.client.SetReadDeadline(time.Time{})
	for {
		if entered != s.phase {
			entered = s.phase
			s.enter(entered)
			s.client.SetReadDeadline(time.Now().Add(s.rules.patience(entered)))
		}
		if len(sent) == cap(sent) {
			sent = append(make([]byte, 0, max(firstRead, 2*cap(sent))), sent...)
		}
		n, err := s.client.Read(sent[len(sent):cap(sent)])
		sent = sent[:len(sent)+n]
		if n == 0 && err != nil {
			if classify(err, clientSide) == CauseTimeout && s.ctx.Err() == nil {
				s.timedOut()
			}
			s.fail(err, clientSide)
			return nil, false
		}
		switch first.decide(s.srv, &s.session, sent, s.srv.clock()) {
		case goOn:
			s.greeted = s.srv.clock()
			return sent[first.header:], true
		case refuse:
			s.turnAway(first.alert)
			return nil, false
		}
	}
}

// firstRead is enough for the hellos of today's clients, which are under 2,100 bytes.
const firstRead = 4 << 10

// turnAway ends a session that no node will see: its client is told why, if it speaks TLS.
func (s *copySession) turnAway(alert string) {
	if alert == "" {
		return
	}
	s.client.SetWriteDeadline(time.Now().Add(time.Second))
	s.client.Write([]byte(alert))
	s.leave()
}

// leave closes the connection to a client that was told why, in order: what it still sends is read once, so that
// the alert is not lost to a reset.
func (s *copySession) leave() {
	s.client.CloseWrite()
	s.client.SetReadDeadline(time.Now())
	s.client.Read(make([]byte, firstRead))
	s.told = true
}

// enter notes where the session is, and publishes what is known of it.
func (s *copySession) enter(p Phase) {
	s.phase = p
	known := s.session
	s.live.known.Store(&known)
}

// state is the session as far as others may know it.
func (s *copySession) state() session {
	known := *s.live.known.Load()
	known.in, known.out = s.live.in.Load(), s.live.out.Load()
	return known
}

// fail ends the session for an error on the connection to one side, or for the reason why that
// connection was closed under us.
func (s *copySession) fail(err error, from side) {
	if k, ok := errors.AsType[killed](context.Cause(s.ctx)); ok {
		s.end(k.cause)
	}
	s.end(classify(err, from))
}

// A killed error is the cause that somebody outside gave a session to end.
type killed struct{ cause Cause }

func (k killed) Error() string { return "session ended: " + k.cause.String() }

// kill ends the session from outside. The first cause counts.
func (s *copySession) kill(cause Cause) { s.cancel(killed{cause}) }

// unblock makes every call on the session's connections return. They are closed by hangUp.
func (s *copySession) unblock() {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	s.live.killed = true
	s.client.SetDeadline(longAgo)
	if s.node != nil {
		s.node.SetDeadline(longAgo)
	}
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// adopt makes conn the session's connection to its node; false if the session was ended meanwhile.
func (s *copySession) adopt(conn *net.TCPConn) bool {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	s.node = conn
	return !s.live.killed
}

// hangUp closes the session's connections: in order, or so that neither side can take what it got for
// the whole.
func (s *copySession) hangUp() {
	if k, ok := errors.AsType[killed](context.Cause(s.ctx)); ok {
		s.end(k.cause) // between two calls on a connection nobody else has said so
	}
	s.cancel(nil)
	reset := !s.cause.orderly()
	if reset && !s.told {
		s.client.SetLinger(0)
	}
	s.client.Close()
	if s.node != nil {
		if reset {
			s.node.SetLinger(0)
		}
		s.node.Close()
		s.session.node.Release()
	}
}
