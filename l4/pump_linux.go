package l4

import (
	"io"
	"net"

	"golang.org/x/sys/unix"
)

// pump moves a flow to its end. Between two bare TCP connections io.Copy ends in splice(2): any wrapper
// around either of them would lose that silently.
func pump(f *copyFlow) error {
	n, err := io.Copy(f.dst, f.src)
	f.total.Add(uint64(n))
	f.spliced = uint64(n)
	if err != nil {
		f.cut = f.from.other()
		if closedByPeer(f.src) {
			f.cut = f.from
		}
	}
	return err
}

// closedByPeer reports whether a connection that we did not close is gone: reset, or timed out.
func closedByPeer(c *net.TCPConn) bool {
	info := tcpInfo(c)
	return info != nil && info.State == unix.BPF_TCP_CLOSE
}

// moved is a number that changes when a byte moves in either direction: what was received from both
// sides and what both have acknowledged. A splice that runs for an hour returns nothing to count, so the
// kernel is asked, tcp(7) TCP_INFO.
func (s *copySession) moved() uint64 {
	var sum uint64
	for _, c := range []*net.TCPConn{s.client, s.node} {
		if info := tcpInfo(c); info != nil {
			sum += info.Bytes_received + info.Bytes_acked
		}
	}
	return sum
}

// soFar completes what is known of a session that relays: io.Copy counts at its end, but what came from both
// sides is on its way to the other, by splice.
func (s *copySession) soFar(known *session) {
	if info := tcpInfo(s.client); info != nil {
		known.in = max(known.in, info.Bytes_received)
	}
	if info := tcpInfo(s.node); info != nil {
		known.out = max(known.out, info.Bytes_received)
	}
	known.spliced = known.in + known.out
}

func tcpInfo(c *net.TCPConn) (info *unix.TCPInfo) {
	if raw, err := c.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			info, _ = unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO)
		})
	}
	return info
}

// unsent is how many bytes the peers of these connections have not acknowledged; a connection that is gone
// has none.
func unsent(conns ...*net.TCPConn) (most int32) {
	for _, c := range conns {
		if closedByPeer(c) {
			continue
		}
		if raw, err := c.SyscallConn(); err == nil {
			raw.Control(func(fd uintptr) {
				n, _ := sysUnsent(int32(fd))
				most = max(most, n)
			})
		}
	}
	return most
}

// clientMoved reports whether the client has sent something that was not read, or was cut; an end in order
// does not count.
func (s *copySession) clientMoved() (moved bool) {
	if raw, err := s.client.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) {
			var b [1]byte
			n, e := sysPeek(int32(fd), b[:])
			moved = n > 0 || e != 0 && e != unix.EAGAIN
		})
	}
	return moved
}

// writeMore writes what is soon followed by more or by the end: the kernel may wait for that before it sends a
// segment that is not full, send(2) MSG_MORE.
func writeMore(c *net.TCPConn, b []byte) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var e error
	err = raw.Write(func(fd uintptr) bool {
		for e = nil; len(b) > 0 && e == nil; {
			var n int
			n, e = unix.SendmsgN(int(fd), b, nil, nil, unix.MSG_MORE|unix.MSG_NOSIGNAL)
			b = b[max(n, 0):]
			if e == unix.EINTR {
				e = nil
			}
		}
		return e != unix.EAGAIN
	})
	if err == nil {
		err = e
	}
	return err
}
