package l4

import (
	"encoding/binary"
	"net"
	"net/netip"
	"strconv"
	"unsafe"

	"golang.org/x/sys/unix"
)

// A sockaddr is an address in the kernel's form, made in place: connect(2) and bind(2) take it without
// an allocation.
type sockaddr struct {
	raw  unix.RawSockaddrInet6 // large enough for both families
	size uint32
}

// set fills in an IPv4 or IPv6 address and returns its family. IPv4 in IPv6 form counts as IPv4.
func (sa *sockaddr) set(to netip.AddrPort) (family int) {
	addr := to.Addr().Unmap()
	if addr.Is4() {
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(&sa.raw))
		*four = unix.RawSockaddrInet4{Family: unix.AF_INET, Addr: addr.As4()}
		binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&four.Port))[:], to.Port())
		sa.size = unix.SizeofSockaddrInet4
		return unix.AF_INET
	}
	sa.raw = unix.RawSockaddrInet6{Family: unix.AF_INET6, Addr: addr.As16(), Scope_id: zoneID(addr.Zone())}
	binary.BigEndian.PutUint16((*[2]byte)(unsafe.Pointer(&sa.raw.Port))[:], to.Port())
	sa.size = unix.SizeofSockaddrInet6
	return unix.AF_INET6
}

// addrPort is the address that the kernel filled in; IPv4 in IPv6 form, as a dual-stack listener
// sees it, comes out as IPv4. The zero value stands for any other family.
func addrPort(raw *unix.RawSockaddrAny) netip.AddrPort {
	switch raw.Addr.Family {
	case unix.AF_INET:
		four := (*unix.RawSockaddrInet4)(unsafe.Pointer(raw))
		port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&four.Port))[:])
		return netip.AddrPortFrom(netip.AddrFrom4(four.Addr), port)
	case unix.AF_INET6:
		six := (*unix.RawSockaddrInet6)(unsafe.Pointer(raw))
		port := binary.BigEndian.Uint16((*[2]byte)(unsafe.Pointer(&six.Port))[:])
		addr := netip.AddrFrom16(six.Addr).Unmap()
		if addr.Is6() && six.Scope_id != 0 {
			addr = addr.WithZone(zoneName(six.Scope_id))
		}
		return netip.AddrPortFrom(addr, port)
	}
	return netip.AddrPort{}
}

// zoneID is the index of an IPv6 zone's interface, 0 if there is none.
func zoneID(zone string) uint32 {
	if zone == "" {
		return 0
	}
	if index, err := strconv.ParseUint(zone, 10, 32); err == nil {
		return uint32(index)
	}
	if ifi, err := net.InterfaceByName(zone); err == nil {
		return uint32(ifi.Index)
	}
	return 0
}

// zoneName is the zone of an interface by its number, which needs no look at the system.
func zoneName(index uint32) string { return strconv.FormatUint(uint64(index), 10) }
