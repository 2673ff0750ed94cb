package configs

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// flaw is what is wrong with a piece of text, and what would be right. It becomes a [Problem] where
// the text stands.
type flaw struct{ what, right string }

func flawf(right, what string, args ...any) *flaw {
	return &flaw{what: fmt.Sprintf(what, args...), right: right}
}

// splitHostPort is net.SplitHostPort with messages for people. The host is without brackets, and only
// a host with brackets may have a colon.
func splitHostPort(s, example string) (host string, port uint16, bad *flaw) {
	hint := fmt.Sprintf("write host:port, such as %q", example)
	if _, rest, found := strings.Cut(s, "://"); found {
		rest, _, _ = strings.Cut(rest, "/")
		return "", 0, flawf(fmt.Sprintf("did you mean %q?", rest), "%s is a URL, not an address", clipped(s))
	}
	if s == "" {
		return "", 0, flawf(hint, "the address is empty")
	}
	if a, err := netip.ParseAddr(s); err == nil && a.Is6() {
		return "", 0, flawf(fmt.Sprintf("write it in brackets, and its port behind them: \"[%s]:9000\"", s), "%q has no port", s)
	}
	colon := strings.LastIndexByte(s, ':')
	if colon < 0 || strings.HasSuffix(s, "]") {
		if _, err := strconv.ParseUint(s, 10, 16); err == nil && strings.HasPrefix(example, ":") {
			return "", 0, flawf(fmt.Sprintf("did you mean %q?", ":"+s), "%q has no host", s)
		}
		return "", 0, flawf(hint, "%s has no port", clipped(s))
	}
	host = s[:colon]
	n, err := strconv.ParseUint(s[colon+1:], 10, 16)
	if err != nil {
		return "", 0, flawf("write a number up to 65535", "the port of %s is %q", clipped(s), s[colon+1:])
	}
	if inner, found := strings.CutPrefix(host, "["); found {
		inner, found = strings.CutSuffix(inner, "]")
		if a, err := netip.ParseAddr(inner); !found || err != nil || !a.Is6() {
			return "", 0, flawf(hint, "%s has no IPv6 address in its brackets", clipped(s))
		}
		return inner, uint16(n), nil
	}
	if strings.ContainsAny(host, ":[]") {
		return "", 0, flawf("write an IPv6 address in brackets, such as \"[2001:db8::1]:9000\"", "%s is not an address", clipped(s))
	}
	return host, uint16(n), nil
}

// parseNode returns the one way to write a node's address: lower case, IP addresses in their short form.
func parseNode(s string) (string, *flaw) {
	if service, found := strings.CutPrefix(s, "srv:"); found {
		return parseService(s, service)
	}
	host, port, bad := splitHostPort(s, "10.0.0.1:9000")
	if bad != nil {
		return "", bad
	}
	if port == 0 {
		return "", flawf("S3 is on 9000, the Console on 9001 if --console-address says so", "%s has port 0", clipped(s))
	}
	if host == "" {
		return "", flawf("write which host, such as \"10.0.0.1"+s+"\"", "%q has no host", s)
	}
	if a, err := netip.ParseAddr(host); err == nil {
		if a.IsUnspecified() || a.IsMulticast() {
			return "", flawf("write the address of one host", "%s is not the address of a host", clipped(s))
		}
		return netip.AddrPortFrom(a.Unmap(), port).String(), nil
	}
	if why := badHost(host); why != "" {
		return "", flawf("write an IP address or a host name", "%s is not a host: %s", clipped(host), why)
	}
	return strings.ToLower(host) + ":" + strconv.Itoa(int(port)), nil
}

// parseService takes the name of an SRV record (RFC 2782): _service._proto.name.
func parseService(s, name string) (string, *flaw) {
	const hint = `write "srv:_service._proto.name", such as "srv:_s3._tcp.example.net"`
	labels := strings.SplitN(name, ".", 3)
	if len(labels) < 3 || len(labels[0]) < 2 || labels[0][0] != '_' || len(labels[1]) < 2 || labels[1][0] != '_' {
		return "", flawf(hint, "%s is not the name of a service", clipped(s))
	}
	if why := badHost(name); why != "" {
		return "", flawf(hint, "%s is not the name of a service: %s", clipped(s), why)
	}
	return "srv:" + strings.ToLower(name), nil
}

// badHost says why a name cannot be one that DNS knows, or "". Underscores are not for hosts, but occur.
func badHost(name string) string {
	name = strings.TrimSuffix(name, ".")
	if name == "" {
		return "it is empty"
	}
	if len(name) > 253 {
		return "it is longer than 253 bytes"
	}
	var label string
	for label = range strings.SplitSeq(name, ".") {
		switch {
		case label == "":
			return "it has an empty label"
		case len(label) > 63:
			return "a label is longer than 63 bytes"
		case label[0] == '-' || label[len(label)-1] == '-':
			return "a label begins or ends with a hyphen"
		}
		for _, r := range label {
			if r > 127 {
				return fmt.Sprintf("%q is not ASCII, and DNS wants its xn-- form", r)
			}
			if !(r == '-' || r == '_' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z') {
				return fmt.Sprintf("%q cannot be in a name", r)
			}
		}
	}
	if strings.Trim(label, "0123456789") == "" {
		return "it ends in a number and is not an IP address"
	}
	return ""
}

// bind is an address that is listened on.
type bind struct {
	addr netip.Addr // the zero value: every address of both families
	port uint16
}

// parseBind reads the address of a listener. A name is refused: what it means can change between two
// looks, and which of its addresses would be bound is anyone's guess.
func parseBind(s string) (bind, *flaw) {
	host, port, bad := splitHostPort(s, ":9000")
	if bad != nil {
		return bind{}, bad
	}
	if host == "" {
		return bind{port: port}, nil
	}
	if host == "*" {
		return bind{}, flawf(fmt.Sprintf("did you mean %q?", s[1:]), "%q is not an address", s)
	}
	a, err := netip.ParseAddr(host)
	switch {
	case err != nil && strings.EqualFold(host, "localhost"):
		return bind{}, flawf(fmt.Sprintf("did you mean \"127.0.0.1:%d\"?", port), "%q is a name, and a listener needs an address", s)
	case err != nil:
		return bind{}, flawf("write an IP address of this host, or none for all of them, such as \":9000\"", "%s is not an address", clipped(s))
	case a.IsMulticast():
		return bind{}, flawf("write an IP address of this host", "%q is a multicast address", s)
	}
	return bind{addr: a.Unmap(), port: port}, nil
}

// covers says whether a takes the connections to all addresses of the family of x.
func (a bind) covers(x netip.Addr) bool {
	return !a.addr.IsValid() || a.addr.IsUnspecified() && a.addr.Is4() == x.Is4()
}

// overlaps says whether a and b cannot both be bound. Port 0 is a different one each time. An empty
// host takes both families; "0.0.0.0" only IPv4 and "[::]" only IPv6 (IPV6_V6ONLY), so these two can
// stand side by side.
func (a bind) overlaps(b bind) bool {
	if a.port != b.port || a.port == 0 {
		return false
	}
	if !a.addr.IsValid() || !b.addr.IsValid() {
		return true
	}
	return a.addr == b.addr || a.covers(b.addr) || b.covers(a.addr)
}
