package l4

import (
	"os"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// wait is where a loop sleeps: until something happens or comes due.
func (l *loop) wait() int {
	ms := l.patience()
	if ms == 0 {
		return sysEpollWait(l.ep, l.events[:], 0)
	}
	if waitMode != "park" {
		hot := waitHot
		if ms >= 0 {
			hot = min(hot, ms)
		}
		for range waitSpins {
			if n := sysEpollWait(l.ep, l.events[:], hot); n > 0 {
				return n
			}
			if at, ok := l.wheel.next(); ok && millis(l.srv.clock()) >= at {
				return 0
			}
		}
		if waitMode == "raw" {
			return 0
		}
	}
	return l.parked.wait(l.events[:], ms)
}

var waitMode = os.Getenv("SLUICE_WAIT")
var waitHot = 5
var waitSpins = 2

// patience is how long the loop may sleep, in milliseconds; below 0: for ever.
func (l *loop) patience() int {
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
		ms = max(0, at-millis(l.srv.clock()))
	}
	if l.share.helping && l.number > 0 && (ms < 0 || ms > shareWindow.Milliseconds()) {
		ms = shareWindow.Milliseconds() // to see whether it is still needed
	}
	return int(ms)
}

// parking lets a loop's goroutine sleep in the runtime's network poller, like any other: an epoll set
// is itself a descriptor that becomes readable. It costs nothing while it lasts, but each sleep and each
// wake-up pass through the scheduler.
type parking struct {
	file *os.File
	conn syscall.RawConn
}

func newParking(ep int32) (*parking, error) {
	if err := unix.SetNonblock(int(ep), true); err != nil {
		return nil, os.NewSyscallError("fcntl", err)
	}
	file := os.NewFile(uintptr(ep), "epoll")
	conn, err := file.SyscallConn()
	if err != nil {
		return nil, err
	}
	return &parking{file: file, conn: conn}, nil
}

// wait sleeps until the epoll set has events, or for ms milliseconds; below 0: for ever.
func (p *parking) wait(events []epollEvent, ms int) (n int) {
	var until time.Time
	if ms >= 0 {
		until = time.Now().Add(time.Duration(ms) * time.Millisecond)
	}
	p.file.SetReadDeadline(until)
	p.conn.Read(func(fd uintptr) bool {
		n = sysEpollWait(int32(fd), events, 0)
		return n > 0
	})
	return n
}

// close closes the epoll set.
func (p *parking) close() { p.file.Close() }
