package l4

import (
	"fmt"
	"os"
	"runtime"
	"sync"

	"golang.org/x/sys/unix"
)

// The reactor is the engine for plain and passthrough sessions: a few loops that share the listening
// sockets and nothing else.
type reactor struct {
	srv   *Server
	pipes *pipePool
	loops []*loop
	done  sync.WaitGroup

	mu   sync.Mutex // guards next
	next uint32     // index of the next doorway
}

func newReactor(srv *Server, o Options) (engine, error) {
	if o.Pipes == 0 {
		o.Pipes = pipeLimit()
	}
	r := &reactor{srv: srv, pipes: &pipePool{limit: o.Pipes}, next: 1}
	for range o.Loops {
		l, err := newLoop(srv, r.pipes)
		if err != nil {
			for _, made := range r.loops {
				made.close()
			}
			return nil, fmt.Errorf("reactor: %w", err)
		}
		l.number = len(r.loops)
		r.loops = append(r.loops, l)
	}
	r.loops[0].share.helping = true
	r.loops[0].helps.Store(true)
	for _, l := range r.loops {
		l.peers = r.loops
		r.done.Go(l.run)
	}
	// A loop that waits in the kernel keeps its P; the rest of the process needs others.
	if want := o.Loops + 2; srv.procs == nil && runtime.GOMAXPROCS(0) < want {
		runtime.GOMAXPROCS(want)
	}
	return r, nil
}

// all runs f on every loop that still runs, one after the other, and waits for it.
func (r *reactor) all(f func(*loop)) {
	for _, l := range r.loops {
		l.await(f)
	}
}

// open gives every loop a doorway to the socket. Those that take sessions register it EPOLLEXCLUSIVE, so
// that one connection wakes one loop, epoll_ctl(2).
func (r *reactor) open(sk *socket) (err error) {
	r.mu.Lock()
	index := r.next
	r.next++
	r.mu.Unlock()
	r.all(func(l *loop) {
		d := &doorway{socket: sk, index: index, batch: 1}
		d.timer.owner = d
		l.listening[index] = d
		if !l.share.helping {
			return
		}
		if e := l.unshut(d); e != 0 {
			err = os.NewSyscallError("epoll_ctl", e)
		}
	})
	return err
}

// shut takes the socket away from every loop. What was waiting in its queue is accepted first: those
// clients believe themselves connected, and closing the socket would reset them.
func (r *reactor) shut(sk *socket) {
	r.all(func(l *loop) {
		for index, d := range l.listening {
			if d.socket != sk {
				continue
			}
			for d.batch = maxBatch; l.accept(d); {
			}
			l.pause.disarm(&d.timer)
			sysEpollCtl(l.ep, unix.EPOLL_CTL_DEL, sk.fd, 0, 0)
			delete(l.listening, index)
		}
	})
}

func (r *reactor) stop(cause Cause) {
	r.all(func(l *loop) { l.peers = nil }) // no session changes hands any more
	r.all(func(l *loop) {
		for _, s := range l.sessions {
			if s != nil {
				l.finish(s, cause)
			}
		}
		l.stopped = true
	})
	r.done.Wait()
	r.pipes.close()
}

// Pipes counts the pipes that bulk goes through.
func (s *Server) Pipes() PipeStats {
	if r, ok := s.reactor.(*reactor); ok {
		return r.pipes.stats()
	}
	return PipeStats{}
}
