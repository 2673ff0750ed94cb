package l4

import (
	"context"
	"errors"
	"net"
	"os"
	"time"

	"github.com/sluicelb/sluice/configs"
	"github.com/sluicelb/sluice/pool"
)

// reach finds the session's node and sends it the head. Where the head may be repeated, it goes on until
// a node has answered.
func (s *copySession) reach(head []byte) (won *bid, ok bool) {
	s.enter(PhaseDial)
	s.dialFrom = s.srv.clock()
	ctx, giveUp := context.WithCancel(context.Background())
	defer giveUp()
	s.search(giveUp)
	won, ok = s.bid(ctx, head)
	if ok && s.mayRepeat(head) {
		won, ok = s.contest(ctx, won, head)
	}
	if !ok {
		return nil, false
	}
	s.in += uint64(len(head) - s.prefaced)
	s.session.node = won.node
	if !s.adopt(won.conn) {
		s.fail(context.Canceled, nodeSide)
		return nil, false
	}
	return won, true
}

// search makes giveUp what ends the search for a node, if the session is ended meanwhile.
func (s *copySession) search(giveUp context.CancelFunc) {
	s.live.mu.Lock()
	defer s.live.mu.Unlock()
	if s.live.giveUp = giveUp; s.live.killed != CauseNone {
		giveUp()
	}
}

// mayRepeat reports whether a session's head may be sent to a second node: it is a hello and nothing
// behind it. Early data must not be repeated (RFC 8446 section 8), and what a plain session sends is
// for its application to know.
func (s *session) mayRepeat(head []byte) bool {
	return s.rules.TLS == configs.Passthrough && s.rules.timeouts.FirstByte > 0 &&
		s.hello != nil && !s.hello.early && len(head) == s.prefaced+s.hello.size
}

// A bid is a connection to a node that a session may get. It holds one of the node's sessions until it
// is dropped or, if it wins, until the session ends.
type bid struct {
	node  *pool.Node
	conn  *net.TCPConn
	plain *stream // what goes over conn, with TLS or without; nil unless the client's TLS ends here

	// Set when answered is closed, see await.
	answered chan struct{}
	first    []byte
	err      error
}

// drop gives a bid up.
func (b *bid) drop() {
	b.conn.SetLinger(0)
	b.conn.Close()
	b.node.Release()
}

// bid picks nodes until one takes a connection and the head. If none does, the session has its cause.
func (s *copySession) bid(whole context.Context, head []byte) (*bid, bool) {
	left := s.rules.timeouts.DialTotal - time.Duration(s.srv.clock()-s.dialFrom)
	ctx, cancel := context.WithTimeout(whole, left)
	defer cancel()
	for {
		t, err := s.pick()
		if err != nil {
			s.end(s.undialled())
			return nil, false
		}
		t = s.run(ctx, whole, t, head)
		if t.err == nil && s.plain == nil {
			t.err = t.bid.send(head, s.rules.timeouts.Dial)
		}
		if t.err == nil {
			t.node.Dialed(nil, t.took)
			if s.connected == 0 { // a rival's dial is a part of the wait for the first byte
				s.connected = s.srv.clock()
			}
			return t.bid, true
		}
		s.failed(whole, t)
		if whole.Err() != nil || classify(t.err, nodeSide) == CauseResources {
			s.fail(t.err, nodeSide)
			return nil, false
		}
		if ctx.Err() != nil {
			s.end(CauseDial)
			return nil, false
		}
	}
}

// dial connects to a node. Where the client's TLS ends here it goes on to what the node is first sent, all within
// the time of one attempt: nothing of that is the client's. Other heads are for the node that gets the session.
// It may run beside another dial of the same session.
func (s *copySession) dial(ctx context.Context, node *pool.Node, head []byte) (*bid, error) {
	t := &s.rules.timeouts
	deadline := time.Now().Add(t.Dial)
	dialer := net.Dialer{Deadline: deadline, KeepAlive: -1}
	dialer.SetMultipathTCP(false)
	s.route.source.apply(&dialer, s.session.client.Addr(), node.Addr().Addr())
	conn, err := dialer.DialContext(ctx, "tcp", node.Addr().String())
	if err != nil {
		return nil, err
	}
	b := &bid{node: node, conn: conn.(*net.TCPConn)}
	if s.plain == nil {
		return b, nil
	}
	if err := b.send(head, t.Dial); err != nil {
		return nil, err
	}
	if n := s.rules.nodeTLS[s.route.Pool]; n != nil {
		b.plain, err = n.handshake(ctx, b.conn, node, s.tls.alpn, deadline)
	} else {
		b.plain, err = plainStream(b.conn)
	}
	if err != nil {
		b.conn.Close()
		return nil, err
	}
	return b, nil
}

// send gives the node a session's head. If that fails, the connection is closed.
func (b *bid) send(head []byte, patience time.Duration) error {
	if len(head) == 0 {
		return nil
	}
	b.conn.SetWriteDeadline(time.Now().Add(patience))
	if _, err := b.conn.Write(head); err != nil {
		b.conn.Close()
		return err
	}
	b.conn.SetWriteDeadline(time.Time{})
	return nil
}

// vain books an attempt that came to nothing, and makes sure that its node is not tried again.
func (s *session) vain(node *pool.Node, err error, took time.Duration) {
	node.Dialed(err, took)
	s.setAside(node)
	s.retries++
}

// undialled is the cause of a session for which no node is left.
func (s *session) undialled() Cause {
	if s.retries > 0 {
		return CauseDial
	}
	return CauseNoNode
}

// contest waits for the first byte of the chosen node. While it is silent a rival gets the same head; one
// that ends the connection is replaced. The first to answer has the session.
func (s *copySession) contest(ctx context.Context, chosen *bid, head []byte) (won *bid, ok bool) {
	var rival *bid
	defer func() {
		for _, b := range []*bid{chosen, rival} {
			if b != nil && b != won {
				b.stop()
				b.drop()
			}
		}
	}()
	chosen.await()
	silence := time.NewTicker(s.rules.timeouts.FirstByte)
	defer silence.Stop()
	for {
		select {
		case <-chosen.heard():
			if won = s.judge(chosen); won != nil {
				return won, true
			}
			if chosen, rival = rival, nil; chosen == nil {
				s.connected = 0
				if chosen, ok = s.bid(ctx, head); !ok {
					return nil, false
				}
				chosen.await()
			}
		case <-rival.heard():
			if won = s.judge(rival); won != nil {
				return won, true
			}
			rival = nil
		case <-silence.C:
			// What the client sends beyond its hello is for one node only.
			if !s.clientMoved() {
				rival = s.challenge(ctx, chosen, rival, head)
			}
			if rival == nil { // nobody else may be asked: the chosen one has it, answer or not
				if chosen.stop(); chosen.err == nil || errors.Is(chosen.err, os.ErrDeadlineExceeded) {
					won = chosen
					return won, true
				}
			}
		case <-ctx.Done():
			s.fail(ctx.Err(), nodeSide)
			return nil, false
		}
	}
}

// await waits, beside the session's goroutine, for the node's first bytes.
func (b *bid) await() {
	b.answered = make(chan struct{})
	go func() {
		defer close(b.answered)
		buf := make([]byte, firstRead)
		n, err := b.conn.Read(buf)
		if b.first = buf[:n]; n == 0 {
			b.err = err
		}
	}()
}

// heard is closed when the node has answered, or never will; it blocks for no bid.
func (b *bid) heard() <-chan struct{} {
	if b == nil {
		return nil
	}
	return b.answered
}

// stop ends the waiting.
func (b *bid) stop() {
	b.conn.SetReadDeadline(longAgo)
	<-b.answered
	b.conn.SetReadDeadline(time.Time{})
}

// judge returns the bid if its node has answered, and drops it if the node ended the connection instead.
func (s *copySession) judge(b *bid) *bid {
	if b.err == nil {
		s.answered = s.srv.clock()
		b.node.Answered()
		return b
	}
	s.vain(b.node, b.err, 0)
	b.drop()
	return nil
}

// challenge books the silence of the latest bid and returns the next rival of the chosen one, nil if
// there is no node left. A rival that was silent too makes place for it.
func (s *copySession) challenge(ctx context.Context, chosen, rival *bid, head []byte) *bid {
	latest := chosen
	if rival != nil {
		latest = rival
	}
	latest.node.Silent()
	s.setAside(latest.node)
	if rival != nil {
		rival.stop()
		rival.drop()
	}
	next, ok := s.bid(ctx, head)
	if !ok {
		s.cause = CauseNone // the chosen one has its chance still
		return nil
	}
	next.await()
	return next
}
