package l4

import (
	"bytes"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"
	"github.com/pires/go-proxyproto/tlvparse"
)

var (
	client4 = netip.MustParseAddrPort("192.0.2.33:33333")
	server4 = netip.MustParseAddrPort("198.51.100.44:443")
	client6 = netip.MustParseAddrPort("[2001:db8::33]:33333")
	server6 = netip.MustParseAddrPort("[2001:db8::44]:443")
)

func TestAppendProxyHeader(t *testing.T) {
	mapped := netip.AddrPortFrom(netip.AddrFrom16(client4.Addr().As16()), client4.Port())
	zoned := netip.MustParseAddrPort("[fe80::1%eth0]:33333")
	v2mixed := v2(0x21, 0x21, mapped.Addr().AsSlice(), tcp6[16:])
	tests := []struct {
		name string
		out  proxyOut
		want string
	}{
		{"v1/IPv4", proxyOut{version: 1, src: client4, dst: server4}, "PROXY TCP4 192.0.2.33 198.51.100.44 33333 443\r\n"},
		{"v1/IPv6", proxyOut{version: 1, src: client6, dst: server6}, "PROXY TCP6 2001:db8::33 2001:db8::44 33333 443\r\n"},
		{"v1/IPv4 to IPv6", proxyOut{version: 1, src: client4, dst: server6}, "PROXY TCP6 ::ffff:192.0.2.33 2001:db8::44 33333 443\r\n"},
		{"v1/IPv4 in IPv6", proxyOut{version: 1, src: mapped, dst: server4}, "PROXY TCP4 192.0.2.33 198.51.100.44 33333 443\r\n"},
		{"v1/zone", proxyOut{version: 1, src: zoned, dst: server6}, "PROXY TCP6 fe80::1 2001:db8::44 33333 443\r\n"},
		{"v1/no address", proxyOut{version: 1, dst: server4}, "PROXY UNKNOWN\r\n"},
		{"v1/a check", proxyOut{version: 1, local: true, src: client4, dst: server4}, "PROXY TCP4 192.0.2.33 198.51.100.44 33333 443\r\n"},
		{"v1/TLVs have no place", proxyOut{version: 1, src: client4, dst: server4, authority: "a.test", checksum: true, inherit: []byte("broken")},
			"PROXY TCP4 192.0.2.33 198.51.100.44 33333 443\r\n"},
		{"v2/IPv4", proxyOut{version: 2, src: client4, dst: server4}, string(v2(0x21, 0x11, tcp4))},
		{"v2/IPv6", proxyOut{version: 2, src: client6, dst: server6}, string(v2(0x21, 0x21, tcp6))},
		{"v2/IPv4 to IPv6", proxyOut{version: 2, src: client4, dst: server6}, string(v2mixed)},
		{"v2/no address", proxyOut{version: 2, dst: server4}, string(v2(0x20, 0x00))},
		{"v2/a check", proxyOut{version: 2, local: true, src: client4, dst: server4}, string(v2(0x20, 0x00))},
		{"v2/a check with checksum", proxyOut{version: 2, local: true, checksum: true}, string(summed(v2(0x20, 0x00, crc)))},
		{"v2/TLVs", proxyOut{version: 2, src: client4, dst: server4, authority: "a.test", alpn: "h2", uniqueID: []byte{0, 1}},
			string(v2(0x21, 0x11, tcp4, tlv(1, "h2"), tlv(2, "a.test"), tlv(5, "\x00\x01")))},
		{"v2/checksum", proxyOut{version: 2, src: client4, dst: server4, authority: "a.test", checksum: true},
			string(summed(v2(0x21, 0x11, tcp4, tlv(2, "a.test"), crc)))},
		{"v2/inherited", proxyOut{version: 2, src: client4, dst: server4, authority: "a.test", checksum: true,
			inherit: slices.Concat(tlv(2, "b.test"), tlv(4, "padding"), tlv(0xea, "vpce"), tlv(5, "id"), tlv(3, "abcd"))},
			string(summed(v2(0x21, 0x11, tcp4, tlv(0xea, "vpce"), tlv(5, "id"), tlv(2, "a.test"), crc)))},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := appendProxyHeader([]byte("before"), tt.out)
			if err != nil {
				t.Fatal(err)
			}
			header, ok := bytes.CutPrefix(got, []byte("before"))
			if !ok || string(header) != tt.want {
				t.Fatalf("got  %q\nwant %q", header, tt.want)
			}
			h, err := parseProxyHeader(header)
			if err != nil {
				t.Fatal(err)
			}
			if len(h.raw) != len(header) || !h.local && (h.src != unmapped(netip.AddrPortFrom(tt.out.src.Addr().WithZone(""), tt.out.src.Port())) || h.dst != tt.out.dst) {
				t.Errorf("read back: %v to %v", h.src, h.dst)
			}
		})
	}
}

// TestProxyTLS reads back what is told of the client's TLS, and compares it with the sample.
func TestProxyTLS(t *testing.T) {
	full := proxyTLS{version: "TLSv1.3", commonName: "example.com", cipher: "TLS_AES_128_GCM_SHA256",
		sigAlg: "RSA-SHA256", keyAlg: "RSA2048", certificate: true, verified: true}
	got, err := appendProxyHeader(nil, proxyOut{version: 2, src: client4, dst: server4, tls: &full})
	if err != nil {
		t.Fatal(err)
	}
	if want := proxySampleNamed(t, "v2_tlv_ssl"); !bytes.Equal(got, want) {
		t.Errorf("got  % x\nwant % x", got, want)
	}
	tests := []struct {
		tls    proxyTLS
		client uint8
		verify uint32
	}{
		{full, 7, 0},
		{proxyTLS{version: "TLSv1.2"}, 1, 1},
		{proxyTLS{version: "TLSv1.2", certificate: true}, 7, 1},
		{proxyTLS{version: "TLSv1.2", certificate: true, verified: true, resumed: true}, 5, 0},
	}
	for _, tt := range tests {
		tlv, err := tt.tls.tlv()
		if err != nil {
			t.Fatal(err)
		}
		ssl, err := tlvparse.SSL(tlv)
		if err != nil {
			t.Fatal(err)
		}
		if version, _ := ssl.SSLVersion(); version != tt.tls.version || ssl.Client != tt.client || ssl.Verify != tt.verify {
			t.Errorf("%+v: version %q, client %#x, verify %d; want %#x and %d", tt.tls, version, ssl.Client, ssl.Verify, tt.client, tt.verify)
		}
	}
}

func TestAppendProxyHeaderErrors(t *testing.T) {
	for want, out := range map[string]proxyOut{
		"a unique id of 129 bytes, at most 128 are allowed": {version: 2, uniqueID: make([]byte, 129)},
		"inherit: proxyproto: truncated TLV":                {version: 2, inherit: []byte{1, 2}},
		"cannot format TLV":                                 {version: 2, authority: strings.Repeat("x", 65536)},
		"overflow":                                          {version: 2, src: client4, dst: server4, authority: strings.Repeat("x", 65530)},
	} {
		got, err := appendProxyHeader([]byte("before"), out)
		if err == nil || !strings.Contains(err.Error(), want) || string(got) != "before" {
			t.Errorf("%q and error %v, want %q", got, err, want)
		}
	}
}

// FuzzProxyHeader holds what must be true of every verdict, and compares it with the library's.
func FuzzProxyHeader(f *testing.F) {
	for _, s := range proxySamples(f) {
		f.Add(s.bytes, uint16(20))
	}
	f.Add(v2(0x20, 0x00, []byte("anything")), uint16(1))
	f.Add(v2(0x21, 0x31, make([]byte, 216), tlv(5, "id")), uint16(1))
	f.Add(summed(v2(0x21, 0x21, tcp6, tlv(2, "a.test"), crc)), uint16(40))
	f.Add([]byte("PROXY TCP6 ::ffff:192.0.2.1 ::1 0 65535\r\n"), uint16(8))
	f.Add([]byte("PROXY UNKNOWN \r anything\r\n"), uint16(8))
	f.Fuzz(func(t *testing.T, buf []byte, cut uint16) {
		h, err := parseProxyHeader(buf)
		reason := proxyReason(t, err)
		library, libraryErr := libraryRead(buf)

		// However it is cut: less is never a header, and a refusal of less is a refusal of all.
		n := min(int(cut), len(buf))
		if early, e := parseProxyHeader(buf[:n]); e == nil && (err != nil || len(early.raw) != len(h.raw)) {
			t.Errorf("%d of %d bytes are taken", n, len(buf))
		} else if e != nil && e != errProxyMore && err == nil {
			t.Errorf("%d of %d bytes: %v; all are taken", n, len(buf), e)
		}
		if err != nil {
			if reason == "more" && len(buf) >= proxyHeaderMax {
				t.Errorf("more is wanted beyond %d bytes", len(buf))
			}
			// The library does not look into TLVs, and goes only by the byte that begins a header.
			if libraryErr == nil && !slices.Contains([]string{"tlv", "checksum"}, reason) {
				t.Errorf("refused: %v; the library takes %+v", err, library)
			}
			return
		}

		if len(h.raw) > proxyHeaderMax || !bytes.HasPrefix(buf, h.raw) || !bytes.HasSuffix(h.raw, h.tlvs) && h.version == 2 {
			t.Errorf("header of %d bytes of %d", len(h.raw), len(buf))
		}
		if h.local == (h.src.IsValid() && h.dst.IsValid()) || h.src.Addr().Is4In6() || h.src.Addr().Zone() != "" {
			t.Errorf("local %v, from %v to %v", h.local, h.src, h.dst)
		}
		// Only where nothing is announced, and for size, the library is the stricter one.
		if libraryErr != nil && !h.local && len(h.raw) <= int(proxyproto.MaxV2HeaderSize) {
			t.Errorf("taken: %v to %v; the library: %v", h.src, h.dst, libraryErr)
		}
		if libraryErr == nil && !h.local {
			src, dst, ok := library.TCPAddrs()
			if !ok || unmapped(src.AddrPort()) != h.src || unmapped(dst.AddrPort()) != h.dst {
				t.Errorf("from %v to %v; the library reads %v to %v", h.src, h.dst, src, dst)
			}
		}

		// What was read can be written, and reads the same.
		out := proxyOut{version: h.version, local: h.local, src: h.src, dst: h.dst, inherit: h.tlvs, checksum: true}
		again, err := appendProxyHeader(nil, out)
		if err != nil {
			t.Fatal(err)
		}
		if len(again) > proxyHeaderMax {
			return // the checksum was too much
		}
		h2, err := parseProxyHeader(again)
		if err != nil || h2.local != h.local || h2.src != h.src || h2.dst != h.dst || len(h2.raw) != len(again) {
			t.Fatalf("written again: %q: %+v, %v", again, h2, err)
		}
		out.inherit = h2.tlvs
		if third, err := appendProxyHeader(nil, out); err != nil || !bytes.Equal(third, again) {
			t.Errorf("written twice: %q, %v; before: %q", third, err, again)
		}
	})
}
