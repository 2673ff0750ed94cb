package l4

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"sync"

	"github.com/pires/go-proxyproto"
)

// This file understands a PROXY header (HAProxy's doc/proxy-protocol.txt, "the specification" below)
// as a pure function of bytes that an engine has read. Where a header ends is decided here, so that it
// may arrive in any pieces and no other buffer than the session's is filled; the library is handed
// only headers that are whole. Whether a peer may send one at all is for the caller to decide.

const (
	// proxyLineMax is the longest line of version 1 with its CRLF (specification, 2.1).
	proxyLineMax = 107

	// proxyHeaderMax is the longest header that is taken, in bytes, and so what an engine buffers of one.
	// The specification would allow 65551. A header is an address block of at most 216 bytes and TLVs, of
	// which a client certificate in DER is the one that may have some kilobytes. HAProxy builds a header
	// in one buffer, of 16 KiB by default (tune.bufsize), so whatever it sends fits.
	proxyHeaderMax = 16 << 10

	// proxyUniqueIDMax is the longest PP2_TYPE_UNIQUE_ID (specification, 2.2.5).
	proxyUniqueIDMax = 128

	// proxyPrefix is what a header of version 2 begins with:
	// signature 12, version and command 1, family and protocol 1, length of the rest 2.
	proxyPrefix = 16
)

const (
	proxyLine      = "PROXY "                       // version 1 begins so
	proxySignature = "\r\n\r\n\x00\r\nQUIT\n"       // and version 2 so
	proxyFamilies  = "\x00\x11\x12\x21\x22\x31\x32" // all that version 2 knows
	proxyAddresses = "\x00\x0c\x0c\x24\x24\xd8\xd8" // the bytes of addresses in each
	proxyLocal     = 0x20                           // version 2, LOCAL
	proxyProxied   = 0x21                           // version 2, PROXY
	proxyTCP4      = byte(proxyproto.TCPv4)         // AF_INET, STREAM
	proxyTCP6      = byte(proxyproto.TCPv6)         // AF_INET6, STREAM
)

// errProxyMore says that the bytes so far may become a PROXY header. It is never returned for
// proxyHeaderMax bytes.
var errProxyMore = errors.New("PROXY header: not complete")

// proxyHeaderError is the error for bytes that can never become a PROXY header, or for a whole one
// that must not be believed.
type proxyHeaderError struct {
	// reason is one word, fit for the label of a metric:
	//	missing  what came is no PROXY header at all
	//	line     version 1: the line, or an address or port in it
	//	command  version 2: another version or command
	//	family   a family or protocol that the specification does not have
	//	length   version 2: too short for its addresses, or over proxyHeaderMax
	//	tlv      version 2: a TLV that does not end where the header does, or of a wrong size
	//	checksum version 2: the CRC32C does not match
	reason string
	text   string // what is wrong, for people
}

func (e *proxyHeaderError) Error() string { return "PROXY header: " + e.text }

// badProxy makes a proxyHeaderError.
func badProxy(reason, format string, args ...any) error {
	return &proxyHeaderError{reason: reason, text: fmt.Sprintf(format, args...)}
}

// proxyHeader is what a PROXY header announces.
type proxyHeader struct {
	// version is 1 or 2.
	version int

	// local says that nothing is announced and the real endpoints count: the command LOCAL, the
	// protocol UNKNOWN, or a family that is no TCP (specification, 2.2: a receiver falls back to UNSPEC for
	// the valid ones that it does not support, and may accept those).
	local bool

	// src and dst are the client and the address that it connected to. Both are valid unless local is set.
	// IPv4 addresses mapped into IPv6 are unmapped, so that no rule for an IPv4 network can be passed by
	// writing them the long way.
	src, dst netip.AddrPort

	// tlvs is the TLVs of version 2, well formed; of a local header only if they could be made out.
	tlvs []byte

	// raw is the whole header. Payload begins behind it. Both raw and tlvs are views of the bytes parsed.
	raw []byte
}

// parseProxyHeader gives its verdict on buf, which holds everything received so far from the first byte
// of the connection. The error is nil for a header, errProxyMore, or a *proxyHeaderError; the last as
// soon as the bytes show it. It keeps no state, as its cost on an incomplete header is that
// of a line of version 1 at most.
func parseProxyHeader(buf []byte) (proxyHeader, error) {
	switch {
	case len(buf) == 0:
		return proxyHeader{}, errProxyMore
	case buf[0] == proxySignature[0]:
		return parseProxyV2(buf)
	default:
		return parseProxyV1(buf)
	}
}

// parseProxyV1 reads a header in text form (specification, 2.1).
func parseProxyV1(buf []byte) (proxyHeader, error) {
	line := buf[:min(len(buf), proxyLineMax)]
	if !agrees(line, proxyLine) {
		return proxyHeader{}, badProxy("missing", "a connection from this peer must begin with one, not with %q", buf[:min(len(buf), 16)])
	}
	if rest := line[min(len(line), len(proxyLine)):]; !agrees(rest, "TCP4 ") && !agrees(rest, "TCP6 ") && !agrees(rest, "UNKNOWN") {
		return proxyHeader{}, badProxy("family", "%q is none of TCP4, TCP6 and UNKNOWN", rest[:min(len(rest), 8)])
	}
	end := bytes.IndexByte(line, '\n') + 1
	if end == 0 && len(line) < proxyLineMax {
		return proxyHeader{}, errProxyMore
	}
	if end == 0 {
		return proxyHeader{}, badProxy("line", "no CRLF within %d bytes", proxyLineMax)
	}
	line = line[:end]
	if !bytes.HasSuffix(line, []byte("\r\n")) {
		return proxyHeader{}, badProxy("line", "%q does not end in CRLF", line)
	}
	h, err := readProxyHeader(line)
	if err != nil {
		return proxyHeader{}, badProxy("line", "%q: %v", line, libraryText(err))
	}
	return announced(h, proxyHeader{version: 1, raw: line})
}

// agrees reports whether b begins with prefix, as far as it goes.
func agrees(b []byte, prefix string) bool {
	n := min(len(b), len(prefix))
	return string(b[:n]) == prefix[:n]
}

// parseProxyV2 reads a header in binary form (specification, 2.2).
func parseProxyV2(buf []byte) (proxyHeader, error) {
	if !agrees(buf, proxySignature) {
		return proxyHeader{}, badProxy("missing", "a connection from this peer must begin with one, not with %q", buf[:min(len(buf), 16)])
	}
	if len(buf) > 12 && buf[12] != proxyLocal && buf[12] != proxyProxied {
		return proxyHeader{}, badProxy("command", "version and command %#02x, known are 0x20 (LOCAL) and 0x21 (PROXY)", buf[12])
	}
	if len(buf) > 13 && buf[12] == proxyProxied && strings.IndexByte(proxyFamilies, buf[13]) < 0 {
		return proxyHeader{}, badProxy("family", "family and protocol %#02x", buf[13])
	}
	if len(buf) < proxyPrefix {
		return proxyHeader{}, errProxyMore
	}
	end := proxyPrefix + int(binary.BigEndian.Uint16(buf[14:]))
	if end > proxyHeaderMax {
		return proxyHeader{}, badProxy("length", "%d bytes, at most %d are taken", end, proxyHeaderMax)
	}
	local := buf[12] == proxyLocal
	tlvs := proxyPrefix // where they begin
	if i := strings.IndexByte(proxyFamilies, buf[13]); i >= 0 {
		tlvs += int(proxyAddresses[i])
	}
	if tlvs > end && !local {
		return proxyHeader{}, badProxy("length", "%d bytes, too short for addresses of family and protocol %#02x", end, buf[13])
	}
	if len(buf) < end {
		return proxyHeader{}, errProxyMore
	}
	raw := buf[:end]
	if local {
		return localProxyV2(raw, min(tlvs, end))
	}
	if err := checkTLVs(raw, tlvs); err != nil {
		return proxyHeader{}, err
	}
	h := proxyHeader{version: 2, raw: raw, tlvs: raw[tlvs:]}
	if raw[13] != proxyTCP4 && raw[13] != proxyTCP6 {
		h.local = true
		return h, nil
	}
	read, err := readProxyHeader(raw[:tlvs])
	if err != nil {
		return proxyHeader{}, badProxy("length", "%v", libraryText(err))
	}
	return announced(read, h)
}

// localProxyV2 takes a LOCAL header. What is behind its prefix is to be passed over, whatever it is, even
// the family. Only a checksum that can be made out must match, as it covers the command too: one flipped
// bit makes PROXY of LOCAL.
func localProxyV2(raw []byte, tlvs int) (proxyHeader, error) {
	h := proxyHeader{version: 2, local: true, raw: raw, tlvs: raw[tlvs:]}
	err := checkTLVs(raw, tlvs)
	if e, ok := errors.AsType[*proxyHeaderError](err); ok {
		if e.reason == "checksum" {
			return proxyHeader{}, err
		}
		h.tlvs = nil
	}
	return h, nil
}

// announced puts the addresses that the library has read into h.
func announced(read *proxyproto.Header, h proxyHeader) (proxyHeader, error) {
	if read.Command.IsLocal() {
		h.local = true
		return h, nil
	}
	src, dst, ok := read.TCPAddrs()
	if !ok {
		return proxyHeader{}, badProxy("family", "no TCP addresses in protocol %#02x", byte(read.TransportProtocol))
	}
	h.src, h.dst = unmapped(src.AddrPort()), unmapped(dst.AddrPort())
	if !h.src.IsValid() || !h.dst.IsValid() {
		return proxyHeader{}, badProxy("line", "no valid addresses in %v and %v", src, dst)
	}
	return h, nil
}

// unmapped is a, but an IPv4 address mapped into IPv6 is the IPv4 address.
func unmapped(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap(), a.Port())
}

// proxyReader is what the library needs to read from memory: it takes a bufio.Reader and nothing else. The
// pool saves the allocations.
type proxyReader struct {
	fixed [proxyPrefix + 36]byte
	src   bytes.Reader
	buf   *bufio.Reader
}

var proxyReaders = sync.Pool{New: func() any {
	r := new(proxyReader)
	// Invariant: a whole line fits, because the library wants one in a single read.
	r.buf = bufio.NewReaderSize(&r.src, max(proxyLineMax, len(r.fixed)))
	return r
}}

// readProxyHeader has the library read a whole header: a line of version 1, or prefix and TCP addresses of
// version 2. TLVs are left out. The library would copy them, and take no more than 4096 bytes.
func readProxyHeader(header []byte) (*proxyproto.Header, error) {
	r := proxyReaders.Get().(*proxyReader)
	defer proxyReaders.Put(r)
	if header[0] == proxySignature[0] {
		n := copy(r.fixed[:], header)
		header = r.fixed[:n]
		binary.BigEndian.PutUint16(header[14:], uint16(n-proxyPrefix))
	}
	r.src.Reset(header)
	r.buf.Reset(&r.src)
	defer r.src.Reset(nil) // the pool must not hold on to a session's buffer
	return proxyproto.Read(r.buf)
}

// libraryText is the text of an error of the library without its name.
func libraryText(err error) string { return strings.ReplaceAll(err.Error(), "proxyproto: ", "") }
