package l4

import (
	"time"

	"golang.org/x/sys/unix"
)

// How loops share the work. A thin load costs least on one loop: spread over two, each wakes up for half
// of what there is (measured, DATAPLANE: 202 against 156 microseconds a session). So the first loop takes
// everything until it is short of time. Then the next one helps: it accepts as well, and is given some of
// the sessions there are, since those that move much may be old. When fewer would do for a while, the
// last helper stops accepting and gives back what it has.
const (
	shareWindow = 100 * time.Millisecond // over which a loop's load is measured
	shortOfTime = 850                    // per mille of a window in which a loop did not wait: it needs help
	hasTime     = 500                    // it can help
	thinLoad    = 600                    // per mille for each of the loops but one: one fewer would do
	thinWindows = 20                     // for so long, before it is dismissed
	maxGiven    = 64                     // sessions that change hands in a window: four system calls each
)

// A share is how busy a loop is, and what it does about it.
type share struct {
	from    int64 // when the window began
	waited  int64 // nanoseconds of it that the loop waited
	thin    int   // windows in a row that one loop fewer would have done
	helping bool  // it accepts sessions; the first loop always does
}

// assess ends a window, now and then, and sees to it that work is where there is time for it.
func (l *loop) assess() {
	window := l.now - l.share.from
	if window < int64(shareWindow) {
		return
	}
	load := int32(1000 - min(1000, l.share.waited*1000/window))
	l.load.Store(load)
	l.share.from, l.share.waited = l.now, 0
	if len(l.peers) < 2 {
		return
	}
	switch {
	case load > shortOfTime:
		if to := l.helper(); to != nil {
			l.give(to, (load-to.load.Load())/2, load)
		}
	case l.share.helping && l.number > 0:
		l.perhapsRetire()
	case l.number > 0 && len(l.sessions)-1 > len(l.indexes):
		if first := l.peers[0]; first.load.Load() < hasTime {
			l.give(first, load, load)
		}
	}
}

// helper finds a loop with time: one that helps already, else the next that does not, which begins to.
func (l *loop) helper() *loop {
	for _, p := range l.peers {
		switch {
		case p == l:
		case !p.helps.Load():
			p.helps.Store(true)
			p.post(p.help)
			return p
		case p.load.Load() < hasTime:
			return p
		}
	}
	return nil
}

// help makes the loop accept sessions.
func (l *loop) help() {
	l.share.helping, l.share.thin = true, 0
	for _, d := range l.listening {
		l.unshut(d)
	}
}

// perhapsRetire stops accepting if this is the last helper and one loop fewer has been enough for a while.
func (l *loop) perhapsRetire() {
	total, helpers := int32(0), int32(1)
	for _, p := range l.peers[1:] {
		if p.helps.Load() {
			helpers++
			total += p.load.Load()
			if p.number > l.number {
				return
			}
		}
	}
	total += l.peers[0].load.Load()
	if total > thinLoad*(helpers-1) {
		l.share.thin = 0
		return
	}
	if l.share.thin++; l.share.thin < thinWindows {
		return
	}
	l.share.helping = false
	l.helps.Store(false)
	for _, d := range l.listening {
		sysEpollCtl(l.ep, unix.EPOLL_CTL_DEL, d.socket.fd, 0, 0)
	}
}

// give hands sessions over that made up part of the loop's load in the last window: those that did most
// of the steps count for most. Sessions that did nothing stay; they cost nothing where they are.
func (l *loop) give(to *loop, part, load int32) {
	var steps, given, n int
	for _, s := range l.sessions {
		if s != nil {
			steps += int(s.steps)
		}
	}
	want := steps * int(part) / max(1, int(load))
	for _, s := range l.sessions {
		if s == nil {
			continue
		}
		did := int(s.steps)
		s.steps = 0
		if did > 0 && n < maxGiven && given+did <= want && s.phase >= PhaseRelay && !s.contested() && !s.over {
			given += did
			n++
			l.handOver(s, to)
		}
	}
}

// handOver gives a session to another loop, with everything that it holds. Invariant: no turn is under way,
// so no event of this loop and no list of its work means the session any more; what epoll would report is
// reported again when the other loop registers the sockets.
func (l *loop) handOver(s *loopSession, to *loop) {
	l.wheel.disarm(&s.timer)
	sysEpollCtl(l.ep, unix.EPOLL_CTL_DEL, s.clientEnd.fd, 0, 0)
	sysEpollCtl(l.ep, unix.EPOLL_CTL_DEL, s.chosen.end.fd, 0, 0)
	l.forget(s)
	to.post(func() { to.adopt(s) })
}

// forget takes a session out of the loop's lists.
func (l *loop) forget(s *loopSession) {
	l.sessions[s.index] = nil
	l.indexes = append(l.indexes, s.index)
	if s.queued {
		s.queued = false
		for i, q := range l.ready {
			if q == s {
				l.ready = append(l.ready[:i], l.ready[i+1:]...)
				break
			}
		}
	}
}

// adopt takes a session over from another loop.
func (l *loop) adopt(s *loopSession) {
	l.enlist(s)
	s.chosen.slot = slotNode
	e := sysEpollAdd(l.ep, s.clientEnd.fd, epollAll, eventData(slotClient, s.index, s.generation))
	if e == 0 {
		e = sysEpollAdd(l.ep, s.chosen.end.fd, epollAll, eventData(slotNode, s.index, s.generation))
	}
	if e != 0 {
		l.finish(s, CauseResources)
		return
	}
	l.arm(s)
	l.queue(s)
}
