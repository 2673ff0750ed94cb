package l4

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"slices"

	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"

	"github.com/sluicelb/sluice/configs"
)

// proxyOut is what a PROXY header to a node is to announce. Of its fields only version, local, src and
// dst have a place in version 1.
type proxyOut struct {
	version int // 1 or 2

	// local says that Sluice itself opens the connection, for a check. Version 1 cannot say so; there
	// src and dst should be the connection's own ends, as the specification recommends (2.1).
	local bool

	// src and dst are the client and the address that it connected to. If one is IPv4 and the other
	// IPv6, the first is mapped into IPv6. That keeps the client's address, where UNKNOWN would lose it;
	// HAProxy 2.6, nginx 1.22 and go-proxyproto read it, in version 1 too. If one is not valid, the
	// header announces nothing (UNKNOWN, LOCAL).
	src, dst netip.AddrPort

	authority string    // the client's server name; "" for none
	alpn      string    // the protocol that was agreed on; "" for none
	uniqueID  []byte    // at most proxyUniqueIDMax bytes; nil for none
	tls       *proxyTLS // nil where TLS was not ended here
	checksum  bool      // adds a CRC32C

	// inherit is the TLVs of the header that the client's connection came with. They are passed on, except
	// for those that are set above, the checksum, and padding.
	inherit []byte
}

// proxyTLS is what a node is told of the client's TLS (specification, 2.2.6). Empty strings are left out.
type proxyTLS struct {
	version string // such as "TLSv1.3"
	cipher  string // such as "ECDHE-RSA-AES128-GCM-SHA256"
	sigAlg  string // that signed the listener's certificate, such as "RSA-SHA256"
	keyAlg  string // of the listener's certificate, such as "RSA2048"

	certificate bool   // the client has sent a certificate, in this session or the one it resumes
	resumed     bool   // in the one it resumes
	verified    bool   // and it was verified
	commonName  string // of its subject
}

// appendProxyHeader appends a PROXY header to dst. The error is not nil only if what is to be announced does
// not fit a header.
func appendProxyHeader(dst []byte, out proxyOut) ([]byte, error) {
	h := proxyproto.HeaderProxyFromAddrs(byte(out.version), net.TCPAddrFromAddrPort(out.src), net.TCPAddrFromAddrPort(out.dst))
	if out.local && out.version == 2 {
		h.Command, h.TransportProtocol = proxyproto.LOCAL, proxyproto.UNSPEC
	}
	if out.version == 2 {
		tlvs, err := out.tlvs()
		if err != nil {
			return dst, err
		}
		if err := h.SetTLVs(tlvs); err != nil {
			return dst, fmt.Errorf("PROXY header: %w", err)
		}
	}
	header, err := h.Format()
	if err != nil {
		return dst, fmt.Errorf("PROXY header for %v to %v: %w", out.src, out.dst, err)
	}
	if out.checksum && out.version == 2 {
		at := len(header) - proxyChecksum
		binary.BigEndian.PutUint32(header[at:], proxySum(header, at))
	}
	return append(dst, header...), nil
}

// tlvs is the TLVs of a header of version 2. Invariant: the checksum is the last one, its value yet zero.
func (out *proxyOut) tlvs() ([]proxyproto.TLV, error) {
	var own []proxyproto.TLV
	add := func(typ proxyproto.PP2Type, value string) {
		if value != "" {
			own = append(own, proxyproto.TLV{Type: typ, Value: []byte(value)})
		}
	}
	if len(out.uniqueID) > proxyUniqueIDMax {
		return nil, fmt.Errorf("PROXY header: a unique id of %d bytes, at most %d are allowed", len(out.uniqueID), proxyUniqueIDMax)
	}
	add(proxyproto.PP2_TYPE_ALPN, out.alpn)
	add(proxyproto.PP2_TYPE_AUTHORITY, out.authority)
	add(proxyproto.PP2_TYPE_UNIQUE_ID, string(out.uniqueID))
	if out.tls != nil {
		tlv, err := out.tls.tlv()
		if err != nil {
			return nil, fmt.Errorf("PROXY header: %w", err)
		}
		own = append(own, tlv)
	}
	inherited, err := proxyproto.SplitTLVs(out.inherit)
	if err != nil {
		return nil, fmt.Errorf("PROXY header: inherit: %w", err)
	}
	all := slices.DeleteFunc(inherited, func(t proxyproto.TLV) bool {
		return t.Type == proxyproto.PP2_TYPE_CRC32C || t.Type == proxyproto.PP2_TYPE_NOOP ||
			slices.ContainsFunc(own, func(o proxyproto.TLV) bool { return o.Type == t.Type })
	})
	all = append(all, own...)
	if out.checksum {
		all = append(all, proxyproto.TLV{Type: proxyproto.PP2_TYPE_CRC32C, Value: make([]byte, proxyChecksum)})
	}
	return all, nil
}

// tlv is the PP2_TYPE_SSL.
func (t *proxyTLS) tlv() (proxyproto.TLV, error) {
	ssl := tlvparse.PP2SSL{Client: tlvparse.PP2_BITFIELD_CLIENT_SSL, Verify: 1}
	if t.certificate {
		ssl.Client |= tlvparse.PP2_BITFIELD_CLIENT_CERT_SESS
		if !t.resumed {
			ssl.Client |= tlvparse.PP2_BITFIELD_CLIENT_CERT_CONN
		}
		if t.verified {
			ssl.Verify = 0
		}
	}
	add := func(typ proxyproto.PP2Type, value string) {
		if value != "" {
			ssl.TLV = append(ssl.TLV, proxyproto.TLV{Type: typ, Value: []byte(value)})
		}
	}
	add(proxyproto.PP2_SUBTYPE_SSL_VERSION, t.version)
	add(proxyproto.PP2_SUBTYPE_SSL_CN, t.commonName)
	add(proxyproto.PP2_SUBTYPE_SSL_CIPHER, t.cipher)
	add(proxyproto.PP2_SUBTYPE_SSL_SIG_ALG, t.sigAlg)
	add(proxyproto.PP2_SUBTYPE_SSL_KEY_ALG, t.keyAlg)
	return ssl.Marshal()
}

// CheckHeader is the PROXY header that a health check sends first to a node whose pool has this setting:
// Sluice speaks for itself.
func CheckHeader(p configs.ProxyOut) []byte {
	if p == configs.ProxyV1 {
		return []byte("PROXY UNKNOWN\r\n")
	}
	header, _ := appendProxyHeader(nil, proxyOut{version: 2, local: true}) // nothing in it that would not fit
	return header
}
