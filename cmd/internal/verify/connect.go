package verify

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// maxAddresses is how many addresses of a name are tried: more than any balancer has.
const maxAddresses = 16

// reach runs the steps up to the connection: name, TCP, and TLS where the URL says so. It returns whether
// there is somebody to talk to. The steps' names begin with who.
func (r *runner) reach(who string, u *url.URL) bool {
	var addresses []netip.Addr
	port := portOf(u)
	if !r.step(who+" name", stepTimeout, func(ctx context.Context) (detail string, err error) {
		addresses, detail, err = r.lookup(ctx, u.Hostname())
		return detail, err
	}) {
		r.skip("the name is not known", who+" connect")
		if u.Scheme == "https" {
			r.skip("the name is not known", who+" tls")
		}
		return false
	}
	if !r.step(who+" connect", stepTimeout, func(ctx context.Context) (string, error) {
		return connectAll(ctx, addresses, port)
	}) {
		if u.Scheme == "https" {
			r.skip("no connection", who+" tls")
		}
		return false
	}
	if u.Scheme != "https" {
		return true
	}
	return r.step(who+" tls", stepTimeout, func(ctx context.Context) (string, error) {
		return r.handshake(ctx, u)
	})
}

// resolved is what needs no look-up: a literal address, or the one that Options.Resolve gives to all
// names, in which case isName is true.
func (r *runner) resolved(host string) (address netip.Addr, isName bool) {
	if literal, err := netip.ParseAddr(host); err == nil {
		return literal, false
	}
	return r.o.Resolve, r.o.Resolve.IsValid()
}

// lookup finds the addresses of a host.
func (r *runner) lookup(ctx context.Context, host string) (addresses []netip.Addr, detail string, err error) {
	address, isName := r.resolved(host)
	switch {
	case isName:
		return []netip.Addr{address}, fmt.Sprintf("%s, as given by --resolve", address), nil
	case address.IsValid():
		return []netip.Addr{address}, address.String(), nil
	}
	addresses, err = net.DefaultResolver.LookupNetIP(ctx, "ip", host)
	if err != nil {
		return nil, "", fail(fmt.Sprintf("Give %q an A or AAAA record with the balancer's address, or test before that with --resolve IP.", host),
			"%q has no address: %w", host, err)
	}
	addresses = addresses[:min(len(addresses), maxAddresses)]
	return addresses, join(addresses), nil
}

// connectAll connects to every address of a name: a client may be given any of them.
func connectAll(ctx context.Context, addresses []netip.Addr, port string) (string, error) {
	var good []netip.Addr
	var bad []error
	for _, a := range addresses {
		var d net.Dialer
		d.SetMultipathTCP(false)
		// Each gets its share of the time, or a silent one would leave none for the others.
		d.Timeout = stepTimeout / time.Duration(len(addresses)+1)
		conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(a.Unmap().String(), port))
		if err != nil {
			bad = append(bad, err)
			continue
		}
		conn.Close()
		good = append(good, a)
	}
	switch {
	case len(bad) == 0:
		return fmt.Sprintf("port %s of %s", port, join(good)), nil
	case len(good) == 0:
		return "", errors.Join(bad...)
	}
	return "", fail("Clients take any of a name's addresses, and some will take this one: remove it from the DNS, or bring up what should listen there.",
		"%d of %d addresses do not answer: %w", len(bad), len(addresses), errors.Join(bad...))
}

// handshake speaks TLS with a host and judges its certificate.
func (r *runner) handshake(ctx context.Context, u *url.URL) (string, error) {
	raw, err := r.dial(ctx, "tcp", net.JoinHostPort(u.Hostname(), portOf(u)))
	if err != nil {
		return "", err
	}
	defer raw.Close()
	conn := tls.Client(raw, &tls.Config{
		ServerName:         u.Hostname(),
		NextProtos:         []string{"http/1.1"},
		InsecureSkipVerify: true, // judge does it, and says everything that is wrong, not only the first
	})
	if err := conn.HandshakeContext(ctx); err != nil {
		return "", fmt.Errorf("handshake with %s: %w", u.Host, err)
	}
	state := conn.ConnectionState()
	detail, err := judge(state.PeerCertificates, u.Hostname(), r.o.Roots, time.Now())
	detail = fmt.Sprintf("%s, %s", tls.VersionName(state.Version), detail)
	if r.o.Insecure && err != nil {
		if _, ok := errors.AsType[noted](err); !ok {
			return detail, noted{"ignored by --insecure: " + err.Error()}
		}
	}
	return detail, err
}

// portOf is the port of a URL, given or implied.
func portOf(u *url.URL) string {
	switch {
	case u.Port() != "":
		return u.Port()
	case u.Scheme == "https":
		return "443"
	}
	return "80"
}

func join(addresses []netip.Addr) string {
	var all []string
	for _, a := range addresses {
		all = append(all, a.Unmap().String())
	}
	return strings.Join(all, ", ")
}
