package l4

import (
	"net"
	"net/netip"
	"syscall"

	"github.com/sluicelb/sluice/configs"
)

// A source is the address that connections to a pool's nodes come from: pool.source. The zero value
// leaves it to the system.
type source struct {
	transparent bool       // the client's own
	local       netip.Addr // a given one of this machine
}

// newSource reads a pool's setting, which configs has checked.
func newSource(p *configs.Pool) source {
	if p.Source == configs.SourceClient {
		return source{transparent: true}
	}
	local, _ := netip.ParseAddr(p.Source)
	return source{local: local}
}

// checkSource reports what keeps a pool's source from working. An address that this machine does not have
// is no more than a warning: it may be one that two machines share, and come.
func (s *Server) checkSource(p *configs.Pool) error {
	src := newSource(p)
	if src.transparent {
		return checkTransparent()
	}
	if !src.local.IsValid() {
		return nil
	}
	// UDP, because nobody can send to that by mistake what is meant for a listener.
	c, err := net.ListenUDP("udp", &net.UDPAddr{IP: src.local.AsSlice(), Zone: src.local.Zone()})
	if err != nil {
		s.log.Warn("source", "pool", p.Name, "source", p.Source, "error", err,
			"hint", "no session reaches a node of this pool until an interface of this machine has the address")
		return nil
	}
	c.Close()
	return nil
}

// from is the address to bind to for a client and a node, or the zero one. An address of one family
// cannot reach a node of the other: then the node sees this machine's.
func (src source) from(client, node netip.Addr) netip.Addr {
	from := src.local
	if src.transparent {
		from = client
	}
	if from.IsValid() && from.Is4() == node.Unmap().Is4() {
		return from
	}
	return netip.Addr{}
}

// apply makes a dialer of the copy engine use the source.
func (src source) apply(d *net.Dialer, client, node netip.Addr) {
	from := src.from(client, node)
	if !from.IsValid() {
		return
	}
	d.LocalAddr = &net.TCPAddr{IP: from.AsSlice(), Zone: from.Zone()}
	d.Control = func(_, _ string, raw syscall.RawConn) (err error) {
		if e := raw.Control(func(fd uintptr) { err = prepareSource(int(fd), from, src.transparent) }); e != nil {
			return e
		}
		return err
	}
}
