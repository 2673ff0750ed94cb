package doctor

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// pathReading is the way to a node. The zero value: not known, or it does not leave this machine.
type pathReading struct {
	iface string // that it leaves by
	mtu   int    // of that
	pmtu  int    // what the kernel believes the whole path takes
	mss   int    // what the node takes at once, tcp(7); less than its MTU by the headers
}

// readPath looks at a connection to a node.
func readPath(conn *net.TCPConn) (r pathReading) {
	local := conn.LocalAddr().(*net.TCPAddr).AddrPort().Addr().Unmap().WithZone("")
	if local.IsLoopback() {
		return r
	}
	all, _ := net.Interfaces()
	for _, i := range all {
		addresses, _ := i.Addrs()
		if !slices.ContainsFunc(addresses, func(a net.Addr) bool {
			p, err := netip.ParsePrefix(a.String())
			return err == nil && p.Addr().Unmap() == local
		}) {
			continue
		}
		if i.Flags&net.FlagLoopback != 0 || conn.RemoteAddr().(*net.TCPAddr).AddrPort().Addr().Unmap() == local {
			return r // a node on this very machine
		}
		r.iface, r.mtu = i.Name, i.MTU
		r.pmtu, r.mss = readTCPInfo(conn)
	}
	return r
}

// headers is what of a packet is no payload: 40 bytes in IPv4 and 60 in IPv6, and the options of TCP.
const headers = 100

// judgeMTU looks for a way to a node that takes less than its interface sends. It may differ between the clients'
// side and the nodes', since TCP ends at Sluice.
func judgeMTU(m *machine, nodes []*nodeReading) (all []Finding) {
	const subject = "mtu"
	for _, n := range nodes {
		p := n.path
		where := fmt.Sprintf("%s of pool %s", n.name, n.pool)
		fix := fmt.Sprintf("ip link set dev %s mtu %d, or the same MTU on the node and every switch between", p.iface, 1500)
		switch {
		case p.mtu == 0 || p.pmtu == 0:
		case p.pmtu < p.mtu:
			all = append(all, doubtful(subject, fmt.Sprintf("%s: %s sends packets of %d bytes, the path takes %d", where, p.iface, p.mtu, p.pmtu), fix))
		case p.mss > 0 && p.mss+headers < p.mtu:
			all = append(all, doubtful(subject, fmt.Sprintf("%s: %s sends packets of %d bytes, the node takes segments of %d", where, p.iface, p.mtu, p.mss), fix))
		}
	}
	if all != nil {
		return all
	}
	var seen []string
	for _, i := range m.interfaces {
		if i.Flags&net.FlagLoopback != 0 {
			continue
		}
		text := fmt.Sprintf("%s %d", i.Name, i.MTU)
		if slices.ContainsFunc(nodes, func(n *nodeReading) bool { return n.path.iface == i.Name }) {
			text += " (nodes)"
		}
		seen = append(seen, text)
	}
	const most = 8
	if len(seen) > most {
		seen = append(seen[:most], "...")
	}
	if seen == nil {
		return nil
	}
	return []Finding{good(subject, strings.Join(seen, ", "))}
}
