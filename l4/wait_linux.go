package l4

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// hot is how long a loop waits in the kernel by itself before it leaves the waiting to the runtime. In the kernel it
// wakes up soonest and for the least, but it keeps a P, and the runtime's monitor interrupts it every 10 ms.
const hot = 10 * time.Millisecond

// wait is where a loop sleeps: until something happens or comes due. now is what the clock says.
func (l *loop) wait(now int64) int {
	ms := l.patience(now)
	if ms == 0 {
		return sysEpollWait(l.ep, l.events[:], 0)
	}
	for by := now + int64(hot); now < by; { // a signal may end a wait early
		left := int(millis(by-now)) + 1
		if ms >= 0 {
			left = min(left, ms)
		}
		if n := sysEpollWait(l.ep, l.events[:], left); n > 0 {
			return n
		}
		now = l.srv.clock()
		if ms = l.patience(now); ms == 0 {
			return 0
		}
	}
	return l.parked.wait(l.events[:], ms)
}

// patience is how long the loop may sleep from now on, in milliseconds; below 0: for ever.
func (l *loop) patience(now int64) int {
	if len(l.ready) > 0 {
		return 0
	}
	at, ok := l.wheel.next()
	if also, has := l.pause.next(); has && (!ok || also < at) {
		at, ok = also, true
	}
	if by := millis(l.recordsBy) + 1; len(l.records) > 0 && (!ok || by < at) {
		at, ok = by, true
	}
	ms := int64(-1)
	if ok {
		ms = max(0, at-millis(now))
	}
	if l.share.helping && l.number > 0 && (ms < 0 || ms > shareWindow.Milliseconds()) {
		ms = shareWindow.Milliseconds() // to see whether it is still needed
	}
	return int(ms)
}

// parking lets a goroutine sleep in the runtime's network poller until an epoll set has events. It costs nothing while
// it lasts, but each sleep and each wake-up pass through the scheduler.
//
// What the poller watches is a second set with nothing in it but the first, which is armed for one wake-up at a
// time: if the poller had the first itself, all that happens in it would wake a thread of the runtime, also while
// a loop waits by itself.
type parking struct {
	ep   int32    // the set that is waited for, which is not the parking's own
	file *os.File // the set around it
	conn syscall.RawConn
}

func newParking(ep int32) (*parking, error) {
	around, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, os.NewSyscallError("epoll_create1", err)
	}
	if err := unix.SetNonblock(around, true); err != nil {
		unix.Close(around)
		return nil, os.NewSyscallError("fcntl", err)
	}
	p := &parking{ep: ep, file: os.NewFile(uintptr(around), "epoll")}
	p.conn, err = p.file.SyscallConn()
	if err == nil {
		if e := sysEpollCtl(int32(around), unix.EPOLL_CTL_ADD, ep, 0, 0); e != 0 {
			err = os.NewSyscallError("epoll_ctl", e)
		}
	}
	if err != nil {
		p.file.Close()
		return nil, err
	}
	return p, nil
}

// wait sleeps until the set has events, or for ms milliseconds; below 0: for ever.
func (p *parking) wait(events []epollEvent, ms int) int {
	var until time.Time
	if ms >= 0 {
		until = time.Now().Add(time.Duration(ms) * time.Millisecond)
	}
	p.file.SetReadDeadline(until)
	armed := false
	err := p.conn.Read(func(fd uintptr) bool {
		if !armed {
			armed = true
			sysEpollCtl(int32(fd), unix.EPOLL_CTL_MOD, p.ep, unix.EPOLLIN|unix.EPOLLONESHOT, 0)
		}
		var one [1]epollEvent
		return sysEpollWait(int32(fd), one[:], 0) > 0 // which disarms it
	})
	if err != nil {
		p.conn.Control(func(fd uintptr) { sysEpollCtl(int32(fd), unix.EPOLL_CTL_MOD, p.ep, 0, 0) })
	}
	return sysEpollWait(p.ep, events, 0)
}

// close ends the parking, and whoever waits goes on with nothing.
func (p *parking) close() { p.file.Close() }
