package l4

import (
	"encoding/binary"
	"net/netip"
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
