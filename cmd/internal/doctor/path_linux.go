package doctor

import (
	"net"

	"golang.org/x/sys/unix"
)

// readTCPInfo asks for the path's MTU and the largest segment that is sent, tcp(7) TCP_INFO.
func readTCPInfo(conn *net.TCPConn) (pmtu, mss int) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return 0, 0
	}
	raw.Control(func(fd uintptr) {
		if info, err := unix.GetsockoptTCPInfo(int(fd), unix.IPPROTO_TCP, unix.TCP_INFO); err == nil {
			pmtu, mss = int(info.Pmtu), int(info.Snd_mss)
		}
	})
	return pmtu, mss
}
