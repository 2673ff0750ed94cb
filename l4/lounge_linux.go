package l4

import (
	"sync"

	"golang.org/x/sys/unix"
)

// A lounge is where flows of the copy engine wait that have nothing to do for a while. A goroutine that waits
// costs its stack, 4 to 8 KiB once crypto/tls has run on it; a flow in the lounge costs an entry in an epoll set,
// and there is one goroutine for all of them.
type lounge struct {
	ep   int32
	wait *parking
	done sync.WaitGroup

	mu      sync.Mutex // guards the fields below, and [copyFlow.seat]
	flows   map[uint64]*copyFlow
	last    uint64 // the number that was given last; none is given twice
	serving bool
}

// newLounge makes a lounge; nil if the system has no epoll set left, and then nobody rests.
func newLounge() *lounge {
	ep, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil
	}
	wait, err := newParking(int32(ep))
	if err != nil {
		unix.Close(ep)
		return nil
	}
	return &lounge{ep: int32(ep), wait: wait, flows: map[uint64]*copyFlow{}}
}

// take lets a flow rest until its source can be read, which may be at once. The caller must not touch the flow
// afterwards: it is carried on by another goroutine. false: there is no place.
func (l *lounge) take(f *copyFlow) (ok bool) {
	if l == nil {
		return false
	}
	raw, err := f.src.SyscallConn()
	if err != nil {
		return false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.flows == nil {
		return false // closed
	}
	if !l.serving {
		l.serving = true
		l.done.Go(l.serve)
	}
	l.last++
	// One shot: an event that was told disarms the descriptor. The number is what a late one is known by.
	var e unix.Errno
	const events = unix.EPOLLIN | unix.EPOLLRDHUP | unix.EPOLLONESHOT
	raw.Control(func(fd uintptr) {
		if e = sysEpollCtl(l.ep, unix.EPOLL_CTL_MOD, int32(fd), events, l.last); e == unix.ENOENT {
			e = sysEpollCtl(l.ep, unix.EPOLL_CTL_ADD, int32(fd), events, l.last)
		}
	})
	if e != 0 {
		return false // fs.epoll.max_user_watches, or memory
	}
	f.seat = l.last
	l.flows[f.seat] = f
	return true
}

// rouse ends a flow's rest, if it rests: somebody has ended what it waits for.
func (l *lounge) rouse(f *copyFlow) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.goOnLocked(f.seat)
}

func (l *lounge) goOnLocked(seat uint64) {
	f := l.flows[seat]
	if f == nil {
		return
	}
	delete(l.flows, seat)
	f.seat = 0
	go f.session.carry(f)
}

// serve sends flows back to work as their sources become readable.
func (l *lounge) serve() {
	events := make([]epollEvent, 64)
	for {
		n := l.wait.wait(events, -1)
		l.mu.Lock()
		if l.flows == nil {
			l.mu.Unlock()
			return
		}
		for i := range events[:n] {
			l.goOnLocked(events[i].data())
		}
		l.mu.Unlock()
	}
}

// close ends the lounge. Nobody may rest in it any more.
func (l *lounge) close() {
	if l == nil {
		return
	}
	l.mu.Lock()
	l.flows = nil
	l.mu.Unlock()
	l.wait.close()
	l.done.Wait()
	sysClose(l.ep)
}
