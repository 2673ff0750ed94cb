//go:build interop && linux

package interop

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
	"net/netip"
	"testing"
)

// This file reads and writes PROXY headers (HAProxy's doc/proxy-protocol.txt) with nothing of Sluice's and
// without the library that Sluice uses, so that the two can disagree.

// A header is a PROXY header as it was received.
type header struct {
	version  int
	local    bool // LOCAL, or UNKNOWN
	src, dst netip.AddrPort
	tlvs     []tlv
	raw      []byte
}

type tlv struct {
	typ   byte
	value string
}

// The types of TLV that tests speak of, and those within tlvSSL.
const (
	tlvALPN, tlvAuthority, tlvCRC32C, tlvNoop, tlvUniqueID, tlvSSL = 0x01, 0x02, 0x03, 0x04, 0x05, 0x20

	sslVersion, sslCommonName, sslCipher = 0x21, 0x22, 0x23
)

const signature = "\r\n\r\n\x00\r\nQUIT\n"

// tlv is the value of the first TLV of a type, "" if there is none.
func (h *header) tlv(typ byte) string { return find(h.tlvs, typ) }

func find(tlvs []tlv, typ byte) string {
	for _, t := range tlvs {
		if t.typ == typ {
			return t.value
		}
	}
	return ""
}

// ssl is a TLV within the one that tells of TLS.
func (h *header) ssl(typ byte) string {
	value := h.tlv(tlvSSL)
	if len(value) < 5 { // client 1, verify 4
		return ""
	}
	sub, _ := splitTLVs([]byte(value[5:]))
	return find(sub, typ)
}

// passedOn is the TLVs that a proxy between must not lose: all but those that are about the header.
func (h *header) passedOn() (all []tlv) {
	for _, t := range h.tlvs {
		if t.typ != tlvCRC32C && t.typ != tlvNoop {
			all = append(all, t)
		}
	}
	return all
}

// readHeader reads the header that b begins with.
func readHeader(b []byte) (*header, error) {
	if bytes.HasPrefix(b, []byte(signature)) {
		return readV2(b)
	}
	line, _, found := bytes.Cut(b, []byte("\r\n"))
	if !found || !bytes.HasPrefix(line, []byte("PROXY ")) {
		return nil, fmt.Errorf("no PROXY header: %.40q", b)
	}
	h := &header{version: 1, raw: b[:len(line)+2]}
	words := bytes.Split(line, []byte(" "))
	if string(words[1]) == "UNKNOWN" {
		h.local = true
		return h, nil
	}
	if len(words) != 6 {
		return nil, fmt.Errorf("line %q", line)
	}
	var errs [2]error
	join := func(host, port []byte) (netip.AddrPort, error) {
		if bytes.Contains(host, []byte(":")) {
			return netip.ParseAddrPort(fmt.Sprintf("[%s]:%s", host, port))
		}
		return netip.ParseAddrPort(fmt.Sprintf("%s:%s", host, port))
	}
	h.src, errs[0] = join(words[2], words[4])
	h.dst, errs[1] = join(words[3], words[5])
	return h, errors.Join(errs[:]...)
}

// readV2 reads: signature 12, version and command 1, family and protocol 1, length 2, addresses, TLVs.
func readV2(b []byte) (*header, error) {
	if len(b) < 16 || len(b) < 16+int(binary.BigEndian.Uint16(b[14:])) {
		return nil, fmt.Errorf("header cut short: %q", b)
	}
	h := &header{version: 2, local: b[12] == 0x20, raw: b[:16+int(binary.BigEndian.Uint16(b[14:]))]}
	rest := h.raw[16:]
	switch h.raw[13] {
	case 0x11:
		h.src = netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest)), binary.BigEndian.Uint16(rest[8:]))
		h.dst = netip.AddrPortFrom(netip.AddrFrom4([4]byte(rest[4:])), binary.BigEndian.Uint16(rest[10:]))
		rest = rest[12:]
	case 0x21:
		h.src = netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest)), binary.BigEndian.Uint16(rest[32:]))
		h.dst = netip.AddrPortFrom(netip.AddrFrom16([16]byte(rest[16:])), binary.BigEndian.Uint16(rest[34:]))
		rest = rest[36:]
	case 0x00:
	default:
		return nil, fmt.Errorf("family and protocol %#x", h.raw[13])
	}
	var err error
	if h.tlvs, err = splitTLVs(rest); err != nil {
		return nil, err
	}
	at := len(h.raw) - len(rest)
	for _, t := range h.tlvs {
		if t.typ == tlvCRC32C && t.value != checksum(h.raw, at+3) {
			return nil, fmt.Errorf("CRC32C %x does not match in %x", t.value, h.raw)
		}
		at += 3 + len(t.value)
	}
	return h, nil
}

// splitTLVs reads: type 1, length 2, value, and again.
func splitTLVs(b []byte) (all []tlv, err error) {
	for len(b) > 0 {
		if len(b) < 3 || len(b) < 3+int(binary.BigEndian.Uint16(b[1:])) {
			return nil, fmt.Errorf("TLV cut short: %x", b)
		}
		end := 3 + int(binary.BigEndian.Uint16(b[1:]))
		all = append(all, tlv{b[0], string(b[3:end])})
		b = b[end:]
	}
	return all, nil
}

// checksum is the CRC32C that a header must have at a place, which counts as zeros.
func checksum(raw []byte, at int) string {
	zeroed := bytes.Clone(raw)
	clear(zeroed[at : at+4])
	return string(binary.BigEndian.AppendUint32(nil, crc32.Checksum(zeroed, crc32.MakeTable(crc32.Castagnoli))))
}

// writeV2 makes a header of version 2, with a CRC32C behind the given TLVs.
func writeV2(src, dst netip.AddrPort, tlvs ...tlv) []byte {
	b := append([]byte(signature), 0x21, 0x11, 0, 0)
	if src.Addr().Is6() {
		b[13] = 0x21
	}
	b = append(append(b, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
	b = binary.BigEndian.AppendUint16(binary.BigEndian.AppendUint16(b, src.Port()), dst.Port())
	for _, t := range append(tlvs, tlv{tlvCRC32C, "\x00\x00\x00\x00"}) {
		b = append(binary.BigEndian.AppendUint16(append(b, t.typ), uint16(len(t.value))), t.value...)
	}
	binary.BigEndian.PutUint16(b[14:], uint16(len(b)-16))
	copy(b[len(b)-4:], checksum(b, len(b)-4))
	return b
}

// The reader of this package reads what its writer writes, and sees a bit that was turned over.
func TestHeaderReader(t *testing.T) {
	src, dst := netip.MustParseAddrPort("[2001:db8::1]:1000"), netip.MustParseAddrPort("[2001:db8::2]:9000")
	raw := writeV2(src, dst, tlv{tlvAuthority, "s3.example.net"}, tlv{tlvSSL, "\x01\x00\x00\x00\x00\x22\x00\x03joe"})
	h, err := readHeader(append(bytes.Clone(raw), "payload"...))
	if err != nil || h.src != src || h.dst != dst || h.tlv(tlvAuthority) != "s3.example.net" || h.ssl(sslCommonName) != "joe" || !bytes.Equal(h.raw, raw) {
		t.Errorf("got %+v, %v", h, err)
	}
	raw[20] ^= 1
	if h, err := readHeader(raw); err == nil {
		t.Errorf("got %+v for a header with a bit turned over", h)
	}
}
