package l4

import (
	"net"
	"sync"
	"time"
)

// A copySession is a session in the hands of its own goroutines.
type copySession struct {
	session
	srv    *Server
	engine *copyEngine
	client *net.TCPConn
	node   *net.TCPConn // nil until a node has the session

	told bool // the client was told by an alert, so its connection is closed in order

	plain *stream // the client's bytes without its TLS; nil where TLS does not end here

	toNode, toClient copyFlow
	ending           sync.Mutex // guards phase and cause, and the field below, while both flows run
	running          int        // flows that have not ended

	live progress // what others may see and do while the session runs
}

// serve is the life of a session. When it returns the session is over or rests, see [lounge].
func (s *copySession) serve() {
	won, ok := s.establish()
	if !ok {
		s.over()
		return
	}
	s.srv.relaying(&s.session)
	s.relay(won)
}

// establish is that life until bytes are relayed, top to bottom.
func (s *copySession) establish() (won *bid, ok bool) {
	payload, ok := s.open()
	if !ok {
		return nil, false
	}
	if s.rules.terminator != nil {
		if payload, ok = nil, s.handshake(payload); !ok {
			return nil, false
		}
	}
	head, ok := s.head(payload)
	if !ok {
		return nil, false
	}
	return s.reach(head)
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
	defer s.limitClient(0)
	for {
		if entered != s.phase {
			entered = s.phase
			s.enter(entered)
			s.limitClient(s.srv.clock() + int64(s.rules.patience(entered)))
		}
		if len(sent) == cap(sent) {
			sent = append(make([]byte, 0, max(firstRead, 2*cap(sent))), sent...)
		}
		n, err := s.client.Read(sent[len(sent):cap(sent)])
		sent = sent[:len(sent)+n]
		if n == 0 && err != nil {
			if classify(err, clientSide) == CauseTimeout && !s.killed() {
				s.timedOut()
			}
			s.fail(err, clientSide)
			return nil, false
		}
		switch first.decide(s.srv, &s.session, sent, s.srv.clock()) {
		case goOn:
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
	s.end(s.killedBy())
	s.end(classify(err, from))
}

// kill ends the session from outside: every call on its connections returns, and they are closed by hangUp.
// The first cause counts.
func (s *copySession) kill(cause Cause) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	if s.live.killed != CauseNone {
		return
	}
	s.live.killed = cause
	if s.live.giveUp != nil {
		s.live.giveUp()
	}
	s.client.SetDeadline(longAgo)
	if s.node != nil {
		s.node.SetDeadline(longAgo)
	}
	s.engine.lounge.rouse(&s.toNode)
	s.engine.lounge.rouse(&s.toClient)
}

// killedBy is the cause that somebody outside gave the session to end, or CauseNone.
func (s *copySession) killedBy() Cause {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	return s.live.killed
}

func (s *copySession) killed() bool { return s.killedBy() != CauseNone }

// limitClient bounds what is waited for from the client, by a reading of the server's clock; 0: by nothing but
// the session's end.
func (s *copySession) limitClient(at int64) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	switch {
	case s.live.killed != CauseNone:
	case at == 0:
		s.client.SetDeadline(time.Time{})
	default:
		s.client.SetDeadline(s.srv.wall(at))
	}
}

// longAgo is a deadline that has passed.
var longAgo = time.Unix(1, 0)

// adopt ends the search and makes conn the session's connection to its node; false if the session was ended
// meanwhile.
func (s *copySession) adopt(conn *net.TCPConn) bool {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	s.node, s.live.giveUp = conn, nil
	return s.live.killed == CauseNone
}

// over is the end of a session: what it held is given back, and it is counted.
func (s *copySession) over() {
	s.hangUp()
	s.engine.forget(s)
}

// hangUp closes the session's connections: in order, or so that neither side can take what it got for
// the whole.
func (s *copySession) hangUp() {
	s.end(s.killedBy()) // between two calls on a connection nobody else has said so
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
