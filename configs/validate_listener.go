package configs

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
)

func (f *file) validateListener(t *entry, l *Listener) {
	f.validateName(t, l.Name)
	if len(l.Address) == 0 {
		f.err(t.at("address"), "it has no address", `set address, such as ":9000"`)
	}
	for i, address := range l.Address {
		if e := t.at("address").item(i); !e.bad {
			if _, bad := parseBind(address); bad != nil {
				f.err(e, bad.what, bad.right)
			}
		}
	}
	f.within(t.at("sessions"), l.Sessions, 0, many)
	f.validateClients(t, l)
	if t.isBad("tls") {
		return // what follows depends on it
	}

	routed := len(l.Routes) > 0 || t.isBad("route")
	switch {
	case l.TLS == Plain && routed:
		f.keyErr(t.at("route").item(0), "there is no server name to route by, since this listener does not look at TLS", `set tls = "passthrough" or tls = "terminate"`)
	case l.TLS == Plain && l.Pool == "":
		f.err(t.at("pool"), "there is no pool to send its sessions to", "set pool")
	case l.Pool == "" && !routed:
		f.err(t.at("pool"), "there is neither a route nor a pool, so every session would be refused", "set pool, or write [[listener.route]]")
	}
	if len(l.Routes) > maxRoutes {
		f.err(t.at("route"), fmt.Sprintf("these are more than %d routes", maxRoutes), "name several names in one route")
		return
	}
	f.validateRoutes(l)
	f.validateTermination(t, l)
}

// validateClients checks who may connect and who is believed.
func (f *file) validateClients(t *entry, l *Listener) {
	for i, p := range l.ProxyFrom {
		if p.IsValid() && p.Bits() == 0 {
			f.warn(t.at("proxy_from").item(i), "every client may say that it is another one", "name the balancers in front of this one")
		}
	}
	for i, allowed := range l.Allow {
		within := func(denied netip.Prefix) bool {
			return allowed.IsValid() && denied.IsValid() && denied.Bits() <= allowed.Bits() && denied.Contains(allowed.Addr())
		}
		if k := slices.IndexFunc(l.Deny, within); k >= 0 {
			f.warn(t.at("allow").item(i), fmt.Sprintf("nobody from %s gets in, since deny has %s, and wins", allowed, l.Deny[k]), "take one of the two out")
		}
	}
}

// maxRoutes bounds the routes of a listener, each of which is compared with those of the same name.
const maxRoutes = 4096

// validateRoutes checks what each route asks for, and that it can be reached.
func (f *file) validateRoutes(l *Listener) {
	taken := make(map[string][]*Route)
	for _, r := range l.Routes {
		t := f.entries[r]
		if len(r.SNI) == 0 {
			f.err(t.at("sni"), "it asks for no name", `set sni, such as ["s3.example.net", "*.s3.example.net"]`)
		}
		if r.Pool == "" {
			f.err(t.at("pool"), "it has no pool", "set pool")
		}
		f.validateALPN(t.at("alpn"), r.ALPN)
		for i, name := range r.SNI {
			e := t.at("sni").item(i)
			if e.bad {
				continue
			}
			name, bad := parsePattern(name)
			if bad != nil {
				f.err(e, bad.what, bad.right)
				continue
			}
			r.SNI[i] = name
			if first := shadow(taken[name], r); first != nil {
				f.err(e, fmt.Sprintf("%q never gets here, the route on line %d takes it", name, first.Pos.Line), "name it in one route, or tell the routes apart by alpn")
				continue
			}
			taken[name] = append(taken[name], r)
		}
	}
}

// shadow returns the route before r that leaves it nothing, for a name that they share, or nil. The
// order among them is that of sni.Table: those that ask for ALPN as they stand in the file, and the one
// that does not after them all, wherever it stands.
func shadow(before []*Route, r *Route) *Route {
	left := slices.Clone(r.ALPN)
	for _, first := range before {
		if first == r || len(first.ALPN) == 0 && len(r.ALPN) == 0 {
			return first
		}
		if len(r.ALPN) == 0 {
			continue
		}
		left = slices.DeleteFunc(left, func(protocol string) bool { return slices.Contains(first.ALPN, protocol) })
		if len(left) == 0 {
			return first
		}
	}
	return nil
}

// parsePattern returns the one way to write a server name or a wildcard: lower case, no dot at the end.
func parsePattern(s string) (string, *flaw) {
	if s == "*" {
		return "", flawf("leave it out, and set pool in the listener: that takes every name without a route", "%q is not a name", s)
	}
	if _, rest, found := strings.Cut(s, "://"); found {
		rest, _, _ = strings.Cut(rest, "/")
		return "", flawf(fmt.Sprintf("did you mean %q?", rest), "%s is a URL, not a name", clipped(s))
	}
	if _, err := netip.ParseAddr(strings.Trim(s, "[]")); err == nil {
		return "", flawf("clients that connect by address send no name: set pool in the listener for them", "%q is an address, which is no server name (RFC 6066)", s)
	}
	if host, _, found := strings.Cut(s, ":"); found {
		return "", flawf(fmt.Sprintf("did you mean %q?", host), "%s is not a name, names have no port", clipped(s))
	}
	name := strings.ToLower(strings.TrimSuffix(s, "."))
	host := strings.TrimPrefix(name, "*.")
	if strings.Contains(host, "*") {
		return "", flawf(`write the wildcard for whole labels at the beginning, such as "*.s3.example.net"`, "%s has a wildcard in the middle", clipped(s))
	}
	if why := badHost(host); why != "" {
		return "", flawf(`write a name such as "s3.example.net" or "*.s3.example.net"`, "%s is not a name: %s", clipped(s), why)
	}
	return name, nil
}

// validateALPN checks names of protocols (RFC 7301: 1 to 255 bytes).
func (f *file) validateALPN(e *entry, protocols []string) {
	for i, p := range protocols {
		if known := []string{"http/1.1", "h2"}; len(p) == 0 || len(p) > 255 {
			f.err(e.item(i), fmt.Sprintf("the name of a protocol has 1 to 255 bytes, and this one %d", len(p)), suggest("", known))
		} else if best, ok := closest(p, known); ok && p != best && !strings.HasPrefix(p, "h3") && p != "h2c" {
			f.warn(e.item(i), fmt.Sprintf("%s is a protocol that no S3 client speaks", clipped(p)), fmt.Sprintf("did you mean %q?", best))
		}
	}
}
