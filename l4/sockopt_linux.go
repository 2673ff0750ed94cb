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

// refuseNewcomers makes a listening socket ignore connection requests, while handshakes that have begun are
// completed: a client that is ignored asks again in a second and meets whoever listens then, while one
// that is connected and not yet accepted would be reset when the socket is closed. It is a classic
// BPF program on the socket, bpf(2), which sees segments from the TCP header on.
func (sk *socket) refuseNewcomers() {
	const flags, syn, ack = 13, 0x02, 0x10
	program := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: flags},
		{Code: unix.BPF_ALU | unix.BPF_AND | unix.BPF_K, K: syn | ack},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: syn, Jt: 0, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: 0},          // drop
		{Code: unix.BPF_RET | unix.BPF_K, K: 0xffffffff}, // take all of it
	}
	// Without it a few more clients are reset, which is no reason not to stop.
	unix.SetsockoptSockFprog(int(sk.fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(program)), Filter: &program[0]})
}

// keepaliveProbes is how many probes go unanswered before a peer counts as gone.
const keepaliveProbes = 5
