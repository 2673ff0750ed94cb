package doctor

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/sluicelb/sluice/cmd/internal/units"
	"github.com/sluicelb/sluice/configs"
)

// widePorts is what a balancer may use for connections to nodes: all but the ports where services are.
var widePorts = portRange{10240, 65535}

// judgePorts looks at the ports that connections to nodes leave from: to each node, one is needed for every
// session (and for a minute after those that Sluice closed first), and none that a listener may want back
// after a restart.
func judgePorts(m *machine, cfg *configs.Config) []Finding {
	const subject = "local ports"
	if m.portLow <= 0 || m.portHigh < m.portLow {
		return nil
	}
	usable := countPorts(portRange{m.portLow, m.portHigh}, m.reserved)
	found := fmt.Sprintf("%d-%d: %s sessions to each node", m.portLow, m.portHigh, units.Count(usable))
	all := judgeListenerPorts(m, cfg)

	for _, p := range cfg.Pools {
		each := sessionsEach(m, cfg, p)
		if each <= int64(usable) || p.Source == configs.SourceClient {
			continue
		}
		var fixes []string
		if wide := countPorts(widePorts, m.reserved); wide > usable {
			fixes = append(fixes, fmt.Sprintf(`sysctl -w net.ipv4.ip_local_port_range="%d %d"`, widePorts.low, widePorts.high))
			if each > int64(wide) {
				fixes = append(fixes, fmt.Sprintf("sessions_per_node = %d in pool %q", wide*9/10, p.Name))
			}
		} else {
			fixes = append(fixes, fmt.Sprintf("sessions_per_node = %d in pool %q", usable*9/10, p.Name))
		}
		f := doubtful(subject, fmt.Sprintf("%s; pool %s may have %s on one", found, p.Name, units.Count(each)), strings.Join(fixes, "; and "))
		if cfg.Limits.Sessions > 0 && each > 2*int64(usable) {
			f.State = Fail
		}
		all = append(all, f)
	}
	if all == nil {
		all = append(all, good(subject, found))
	}
	return all
}

// sessionsEach is how many sessions a node of the pool may get while another one is down.
func sessionsEach(m *machine, cfg *configs.Config, p *configs.Pool) int64 {
	nodes := int64(max(1, len(p.Nodes)-len(p.Backup)-1))
	each := (capacity(m, cfg) + nodes - 1) / nodes
	if p.SessionsPerNode > 0 {
		each = min(each, int64(p.SessionsPerNode))
	}
	return each
}

// judgeListenerPorts finds listeners at ports that a connection to a node may take first.
func judgeListenerPorts(m *machine, cfg *configs.Config) []Finding {
	var ports []string
	var at []int
	for _, address := range listenAddresses(cfg) {
		port := portOf(address.text)
		reserved := slices.ContainsFunc(m.reserved, func(r portRange) bool { return r.low <= port && port <= r.high })
		if m.portLow <= port && port <= m.portHigh && !reserved && !slices.Contains(at, port) {
			at, ports = append(at, port), append(ports, strconv.Itoa(port))
		}
	}
	if ports == nil {
		return nil
	}
	var keep []string
	for _, r := range m.reserved {
		keep = append(keep, fmt.Sprintf("%d-%d", r.low, r.high))
	}
	list := strings.Join(ports, ",")
	return []Finding{doubtful("local ports", fmt.Sprintf("%d-%d holds the port of a listener (%s): after a restart some connection may have it", m.portLow, m.portHigh, list),
		"sysctl -w net.ipv4.ip_local_reserved_ports="+strings.Join(append(keep, list), ","))}
}

// countPorts is how many ports of a range are not reserved.
func countPorts(r portRange, reserved []portRange) (n int) {
	for port := r.low; port <= r.high; port++ {
		if !slices.ContainsFunc(reserved, func(x portRange) bool { return x.low <= port && port <= x.high }) {
			n++
		}
	}
	return n
}

// portOf is the port of host:port, 0 if there is none.
func portOf(address string) int {
	_, port, _ := cutPort(address)
	return port
}

func cutPort(address string) (host string, port int, ok bool) {
	i := strings.LastIndexByte(address, ':')
	if i < 0 {
		return address, 0, false
	}
	port, err := strconv.Atoi(address[i+1:])
	return strings.Trim(address[:i], "[]"), port, err == nil
}

// listenAddress is one that the configuration listens on.
type listenAddress struct {
	owner string // listener "s3"
	text  string // host:port
	place string // file:line:column, "" if not known
}

func listenAddresses(cfg *configs.Config) (all []listenAddress) {
	for _, ln := range cfg.Listeners {
		for _, a := range ln.Address {
			all = append(all, listenAddress{fmt.Sprintf("listener %q", ln.Name), a, ln.Pos.String()})
		}
	}
	if host, _, ok := cutPort(cfg.Admin.Listen); ok && !strings.HasPrefix(cfg.Admin.Listen, "unix:") {
		if _, err := netip.ParseAddr(host); err == nil || host == "" {
			all = append(all, listenAddress{"admin.listen", cfg.Admin.Listen, cfg.Path})
		}
	}
	return all
}
