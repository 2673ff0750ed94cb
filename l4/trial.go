package l4

import (
	"context"
	"slices"
	"time"

	"github.com/sluicelb/sluice/pool"
)

// A trial is one attempt to reach a node. It holds one of the node's sessions, which its bid takes over.
type trial struct {
	node  *pool.Node
	began int64 // on the server's clock

	// Set when it has ended.
	bid  *bid
	err  error
	took time.Duration
}

// pick begins a trial at a node that has not been tried.
func (s *copySession) pick() (*trial, error) {
	node, err := s.route.pool.Pick(s.session.client.Addr(), s.tried())
	if err != nil {
		return nil, err
	}
	return &trial{node: node, began: s.srv.clock()}, nil
}

// try carries a trial to its end.
func (s *copySession) try(ctx context.Context, t *trial, head []byte) {
	t.bid, t.err = s.dial(ctx, t.node, head)
	t.took = time.Duration(s.srv.clock() - t.began)
}

// failed books a trial that came to nothing. Neither the session's end nor a want of this machine's is the node's
// fault.
func (s *copySession) failed(whole context.Context, t *trial) {
	defer t.node.Release()
	switch {
	case whole.Err() != nil:
		t.node.Dialed(context.Canceled, t.took)
	case classify(t.err, nodeSide) == CauseResources:
		t.node.Dialed(t.err, t.took)
	default:
		s.vain(t.node, t.err, t.took)
	}
}

// outdone gives up a trial that another has won, whatever became of it.
func (t *trial) outdone() {
	t.node.Dialed(context.Canceled, t.took)
	if t.bid != nil {
		t.bid.drop()
		return
	}
	t.node.Release()
}

// run carries a trial to its end. Where the pool hedges, a node that lets itself be waited for gets a rival: of the
// two the first that is ready is returned, and the other is given up without blame. If none is, the last to fail
// is returned, and the others have been booked.
func (s *copySession) run(ctx, whole context.Context, first *trial, head []byte) *trial {
	patience := s.hedge()
	if patience <= 0 {
		s.try(ctx, first, head)
		return first
	}
	ctx, callOff := context.WithCancel(ctx)
	defer callOff()
	ended := make(chan *trial)
	running := []*trial{first}
	start := func(t *trial) {
		go func() {
			s.try(ctx, t, head)
			ended <- t
		}()
	}
	start(first)
	waiting := time.NewTimer(patience)
	defer waiting.Stop()
	for {
		select {
		case <-waiting.C:
			s.setAside(running[0].node)
			if rival, err := s.pick(); err == nil {
				running = append(running, rival)
				start(rival)
			}
		case t := <-ended:
			running = slices.DeleteFunc(running, func(other *trial) bool { return other == t })
			if t.err == nil || len(running) == 0 {
				callOff()
				for range running {
					(<-ended).outdone()
				}
				return t
			}
			s.failed(whole, t)
			waiting.Reset(patience - time.Duration(s.srv.clock()-running[0].began)) // the other is the only one now
		}
	}
}

// hedge is how long a node may let a session wait before a second one is dialled beside it; 0: as long as it likes.
func (s *session) hedge() time.Duration {
	return time.Duration(s.route.pool.Config().Hedge * float64(s.rules.timeouts.Dial))
}
