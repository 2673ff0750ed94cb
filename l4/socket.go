package l4

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicelb/sluice/configs"
)

// A socket is one bound, listening address. It outlives configurations and engines: a reload changes
// whose rules its connections meet, not the socket, so no connection is refused meanwhile.
type socket struct {
	address string // as configured
	bound   net.Addr
	file    *os.File // owns the descriptor
	fd      int32
	rules   atomic.Pointer[rules]
	engine  engine // that accepts from it; guarded by Server.mu
}

// bind opens a listening socket: dual stack where the address has no host, never MPTCP, because splice
// and the socket options are TCP's. What is set on it here, accepted connections inherit.
func bind(address string, t *configs.Timeouts) (*socket, error) {
	lc := net.ListenConfig{
		KeepAlive: -1, // set by tune, not once per connection
		Control: func(_, _ string, raw syscall.RawConn) error {
			return raw.Control(func(fd uintptr) { tuneListening(int(fd), t) })
		},
	}
	lc.SetMultipathTCP(false)
	ln, err := lc.Listen(context.Background(), network(address), address)
	if err != nil {
		return nil, explainBind(address, err)
	}
	defer ln.Close()
	file, err := unwatched(ln.(*net.TCPListener))
	if err != nil {
		return nil, fmt.Errorf("listen on %s: %w", address, err)
	}
	return &socket{address: address, bound: ln.Addr(), file: file, fd: int32(file.Fd())}, nil
}

// unwatched returns a duplicate of a listener's descriptor that is not in the runtime's network poller, which would
// wake a thread for every connection that the reactor accepts.
func unwatched(ln *net.TCPListener) (*os.File, error) {
	raw, err := ln.SyscallConn()
	if err != nil {
		return nil, err
	}
	var file *os.File
	ctlErr := raw.Control(func(fd uintptr) {
		var dup int
		if dup, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0); err != nil {
			err = os.NewSyscallError("fcntl", err)
			return
		}
		// NewFile takes what does not block into the poller. The flag is that of both descriptors, and of no matter
		// to the listener: nobody has accepted from it, and it is closed.
		unix.SetNonblock(dup, false)
		file = os.NewFile(uintptr(dup), "listener")
		err = os.NewSyscallError("fcntl", unix.SetNonblock(dup, true))
	})
	if err = errors.Join(ctlErr, err); err != nil && file != nil {
		file.Close()
	}
	return file, err
}

// network is the family to bind to: "" means both, and [::] means what it says, IPv6 and no more.
func network(address string) string {
	host, _, _ := net.SplitHostPort(address)
	switch addr, err := netip.ParseAddr(host); {
	case err != nil:
		return "tcp"
	case addr.Is4():
		return "tcp4"
	default:
		return "tcp6"
	}
}

// explainBind adds what would help to the errors that everybody meets.
func explainBind(address string, err error) error {
	switch {
	case errors.Is(err, syscall.EADDRINUSE):
		return fmt.Errorf("listen on %s: the address is in use; stop what has it (ss -ltnp shows it) or choose another: %w", address, syscall.EADDRINUSE)
	case errors.Is(err, syscall.EACCES):
		return fmt.Errorf("listen on %s: ports below net.ipv4.ip_unprivileged_port_start need CAP_NET_BIND_SERVICE: %w", address, syscall.EACCES)
	case errors.Is(err, syscall.EADDRNOTAVAIL):
		return fmt.Errorf("listen on %s: no interface of this machine has the address: %w", address, syscall.EADDRNOTAVAIL)
	}
	return fmt.Errorf("listen on %s: %w", address, err)
}

// tune applies the timeouts of a new configuration to connections accepted from now on.
func (sk *socket) tune(t *configs.Timeouts) { tuneListening(int(sk.fd), t) }

// An accept that fails because the process or the machine is short of something is tried again after a
// while that doubles: the connection that waits stays there, and asking again at once would spin.
const (
	minAcceptWait = 5 * time.Millisecond
	maxAcceptWait = time.Second
)

// acceptTrouble reports an accept that failed for want of something, once per bout.
func (s *Server) acceptTrouble(sk *socket, err error, wait time.Duration) {
	if wait == minAcceptWait {
		s.log.Error("accept", "listener", sk.rules.Load().Name, "address", sk.address, "error", err,
			"hint", "raise LimitNOFILE or lower limits.sessions")
	}
}

// close closes the socket. No engine may have it any more.
func (sk *socket) close() { sk.file.Close() }
