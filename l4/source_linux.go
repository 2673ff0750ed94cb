package l4

import (
	"fmt"
	"net/netip"
	"os"

	"golang.org/x/sys/unix"
)

// prepareSource readies a socket for bind to an address without a port: the kernel then chooses the port
// at connect, when it knows the other end, so that one address is good for as many sessions to each
// node as there are ports, ip(7) IP_BIND_ADDRESS_NO_PORT. Transparent sockets may bind to an address
// that is not this machine's, ip(7) IP_TRANSPARENT.
func prepareSource(fd int, from netip.Addr, transparent bool) error {
	unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1) // advice: without it, fewer ports
	if !transparent {
		return nil
	}
	var err error
	if from.Is4() {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_TRANSPARENT, 1)
	} else {
		err = unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_TRANSPARENT, 1)
	}
	return os.NewSyscallError("setsockopt IP_TRANSPARENT", err)
}

// bindSource gives a reactor's socket its source address.
func bindSource(fd int32, from netip.Addr, transparent bool) unix.Errno {
	if prepareSource(int(fd), from, transparent) != nil {
		return unix.EPERM
	}
	var sa sockaddr
	sa.set(netip.AddrPortFrom(from, 0))
	return sysBind(fd, &sa)
}

// checkTransparent reports what would keep source = "client" from working: the privilege. Whether the
// nodes' answers find their way back is for routing to see to, which nothing here can know.
func checkTransparent() error {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return os.NewSyscallError("socket", err)
	}
	defer unix.Close(fd)
	if prepareSource(fd, netip.IPv4Unspecified(), true) != nil {
		return fmt.Errorf(`source = "client" needs the capability CAP_NET_ADMIN: AmbientCapabilities=CAP_NET_ADMIN in the systemd unit, or setcap cap_net_admin+ep on the binary`)
	}
	return nil
}
