package doctor

import (
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/sluicelb/sluice/cmd/internal/units"
	"github.com/sluicelb/sluice/configs"
)

// bindReading is an address of the configuration and what came of trying to bind it.
type bindReading struct {
	listenAddress
	err    error
	owners []process // who listens there
}

type process struct {
	pid  int
	name string
}

// listening is a row of /proc/net/tcp.
type listening struct {
	addr  netip.AddrPort
	inode string
}

// readBinds binds each address for a moment, without listening: nobody's connection ends up there.
func readBinds(root fs.FS, cfg *configs.Config) (all []bindReading) {
	var table []listening
	for _, name := range []string{"proc/net/tcp", "proc/net/tcp6"} {
		table = append(table, readListening(readText(root, name))...)
	}
	for _, a := range listenAddresses(cfg) {
		if portOf(a.text) == 0 {
			continue
		}
		r := bindReading{listenAddress: a, err: tryBind(a.text)}
		if errors.Is(r.err, syscall.EADDRINUSE) {
			r.owners = owners(root, table, a.text)
		}
		all = append(all, r)
	}
	return all
}

// tryBind binds an address as Sluice does and lets go of it.
func tryBind(address string) error {
	host, port, _ := cutPort(address)
	family, sockaddr := syscall.AF_INET6, syscall.Sockaddr(&syscall.SockaddrInet6{Port: port})
	only := 0 // no host: both families
	if host != "" {
		addr, err := netip.ParseAddr(host)
		if err != nil {
			return err
		}
		if addr.Unmap().Is4() {
			family, sockaddr = syscall.AF_INET, &syscall.SockaddrInet4{Port: port, Addr: addr.Unmap().As4()}
		} else {
			sockaddr, only = &syscall.SockaddrInet6{Port: port, Addr: addr.As16()}, 1
		}
	}
	fd, err := syscall.Socket(family, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	syscall.CloseOnExec(fd)
	syscall.SetsockoptInt(fd, syscall.SOL_SOCKET, syscall.SO_REUSEADDR, 1) // as Go's listeners do
	if family == syscall.AF_INET6 {
		syscall.SetsockoptInt(fd, syscall.IPPROTO_IPV6, syscall.IPV6_V6ONLY, only)
	}
	return syscall.Bind(fd, sockaddr)
}

// readListening reads the listening sockets of /proc/net/tcp or tcp6, proc_net(5): state 0A.
func readListening(text string) (all []listening) {
	for line := range strings.Lines(text) {
		f := strings.Fields(line)
		if len(f) < 10 || f[3] != "0A" {
			continue
		}
		if a, ok := hexAddr(f[1]); ok {
			all = append(all, listening{a, f[9]})
		}
	}
	return all
}

// hexAddr reads 0100007F:2328: words of 32 bits in the order of this machine, which is little-endian wherever
// Sluice is built for, and the port.
func hexAddr(s string) (a netip.AddrPort, ok bool) {
	host, port, _ := strings.Cut(s, ":")
	raw, err := hex.DecodeString(host)
	n, portErr := strconv.ParseUint(port, 16, 16)
	if err != nil || portErr != nil || len(raw)%4 != 0 {
		return a, false
	}
	for i := 0; i < len(raw); i += 4 {
		slices.Reverse(raw[i : i+4])
	}
	addr, ok := netip.AddrFromSlice(raw)
	return netip.AddrPortFrom(addr.Unmap(), uint16(n)), ok
}

// owners are the processes that listen where address would, as far as this user may see them.
func owners(root fs.FS, table []listening, address string) (all []process) {
	host, port, _ := cutPort(address)
	want, _ := netip.ParseAddr(host)
	inodes := map[string]bool{}
	for _, l := range table {
		at := l.addr.Addr()
		if int(l.addr.Port()) == port && (!want.IsValid() || want.IsUnspecified() || at.IsUnspecified() || at == want.Unmap()) {
			inodes["socket:["+l.inode+"]"] = true
		}
	}
	entries, _ := fs.ReadDir(root, "proc")
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || len(inodes) == 0 {
			continue
		}
		files, _ := fs.ReadDir(root, path.Join("proc", e.Name(), "fd"))
		for _, file := range files {
			if link, err := fs.ReadLink(root, path.Join("proc", e.Name(), "fd", file.Name())); err == nil && inodes[link] {
				all = append(all, process{pid, commandOf(root, pid)})
				break
			}
		}
	}
	return all
}

// judgeBinds takes the pid of the Sluice that runs this configuration, 0 if none is known.
func judgeBinds(readings []bindReading, running int) (all []Finding) {
	const subject = "listening"
	var fine, served []string
	for _, r := range readings {
		here := fmt.Sprintf("%s (%s)", r.text, r.owner)
		switch {
		case r.err == nil:
			fine = append(fine, r.text)
		case errors.Is(r.err, syscall.EADDRINUSE) && running > 0 && slices.ContainsFunc(r.owners, func(o process) bool { return o.pid == running }):
			served = append(served, r.text)
		case errors.Is(r.err, syscall.EADDRINUSE) && len(r.owners) > 0:
			var who []string
			for _, o := range r.owners {
				who = append(who, fmt.Sprintf("%s (pid %d)", units.Text(o.name), o.pid))
			}
			all = append(all, bad(subject, fmt.Sprintf("%s is in use by %s", here, strings.Join(who, ", ")),
				fmt.Sprintf("stop it (systemctl status %d names its unit), or another address at %s", r.owners[0].pid, r.place)))
		case errors.Is(r.err, syscall.EADDRINUSE):
			all = append(all, doubtful(subject, here+" is in use; only root may see whether by Sluice",
				fmt.Sprintf("sudo ss -ltnp 'sport = :%d'", portOf(r.text))))
		case errors.Is(r.err, syscall.EADDRNOTAVAIL):
			host, _, _ := cutPort(r.text)
			all = append(all, bad(subject, here+": no interface of this machine has the address",
				fmt.Sprintf("ip address add %s dev INTERFACE; if VRRP moves it here: sysctl -w net.ipv4.ip_nonlocal_bind=1", host)))
		case errors.Is(r.err, syscall.EACCES):
			all = append(all, doubtful(subject, here+": this user may not bind a port that low",
				"AmbientCapabilities=CAP_NET_BIND_SERVICE under [Service] (systemctl edit sluice)"))
		default:
			all = append(all, bad(subject, fmt.Sprintf("%s: %v", here, r.err), "another address at "+r.place))
		}
	}
	if served != nil {
		all = append(all, good(subject, fmt.Sprintf("%s: this configuration's own Sluice is there, pid %d", strings.Join(served, ", "), running)))
	}
	if fine != nil {
		all = append(all, good(subject, "free: "+strings.Join(fine, ", ")))
	}
	return all
}
