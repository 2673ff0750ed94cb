package l4

import (
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicelb/sluice/configs"
)

// tuneListening sets what accepted connections inherit, tcp(7): no delay, keepalive and
// TCP_USER_TIMEOUT. Options are advice: one that the kernel does not take leaves its default.
func tuneListening(fd int, t *configs.Timeouts) {
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1)
	setKeepalive(fd, t)
}

// setKeepalive makes the kernel notice that a peer is gone: by probes while nothing is sent, and by
// the time that sent bytes stay unacknowledged.
func setKeepalive(fd int, t *configs.Timeouts) {
	if t.Keepalive > 0 {
		idle := max(1, int(t.Keepalive/time.Second))
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 1)
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPIDLE, idle)
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPINTVL, max(1, idle/3))
		unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_KEEPCNT, keepaliveProbes)
	} else {
		unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_KEEPALIVE, 0)
	}
	unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int(t.Unacked/time.Millisecond))
}

// keepaliveProbes is how many probes go unanswered before a peer counts as gone.
const keepaliveProbes = 5
