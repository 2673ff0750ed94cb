package admin

import (
	"net"
	"os"
	"syscall"
)

// peerIsThisProcess reports whether the other end of a unix connection was opened by this process, unix(7)
// SO_PEERCRED.
func peerIsThisProcess(conn net.Conn) (same bool) {
	raw, err := conn.(*net.UnixConn).SyscallConn()
	if err != nil {
		return false
	}
	raw.Control(func(fd uintptr) {
		cred, err := syscall.GetsockoptUcred(int(fd), syscall.SOL_SOCKET, syscall.SO_PEERCRED)
		same = err == nil && int(cred.Pid) == os.Getpid()
	})
	return same
}
