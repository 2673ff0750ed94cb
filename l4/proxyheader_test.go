package l4

import (
	"bufio"
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/pires/go-proxyproto"
)

// proxySample is an entry of testdata/proxyproto/index.json.
type proxySample struct {
	Name      string  `json:"name"`
	File      string  `json:"file"`
	HeaderLen int     `json:"header_len"`
	Expect    string  `json:"expect"` // accept, local, reject
	Src       *string `json:"src"`
	Dst       *string `json:"dst"`
	TLVs      *string `json:"tlvs"` // hex

	bytes []byte
}

func proxySamples(t testing.TB) []proxySample {
	t.Helper()
	dir := filepath.Join("testdata", "proxyproto")
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []proxySample
	if err := json.Unmarshal(index, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if all[i].bytes, err = os.ReadFile(filepath.Join(dir, all[i].File)); err != nil {
			t.Fatal(err)
		}
	}
	return all
}

// proxySampleNamed is the header of one sample, without the payload behind it.
func proxySampleNamed(t testing.TB, name string) []byte {
	t.Helper()
	all := proxySamples(t)
	i := slices.IndexFunc(all, func(s proxySample) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no sample %q", name)
	}
	return all[i].bytes[:all[i].HeaderLen]
}

// proxyReason is the reason of a *proxyHeaderError, "more" for errProxyMore, "" for none.
func proxyReason(t testing.TB, err error) string {
	t.Helper()
	if err == nil {
		return ""
	}
	if err == errProxyMore {
		return "more"
	}
	e, ok := errors.AsType[*proxyHeaderError](err)
	if !ok || e.reason == "" || e.text == "" {
		t.Fatalf("error %#v", err)
	}
	return e.reason
}

// TestProxySamples parses the samples as their index says, cut at every byte as well: a
// header is never taken before it is whole, and once it is, what follows makes no difference.
func TestProxySamples(t *testing.T) {
	all := proxySamples(t)
	if len(all) != 15 {
		t.Fatalf("%d samples, want 15", len(all))
	}
	for _, s := range all {
		t.Run(s.Name, func(t *testing.T) {
			whole, err := parseProxyHeader(s.bytes)
			if s.Expect == "reject" {
				if r := proxyReason(t, err); r == "" || r == "more" {
					t.Fatalf("verdict %+v, %v", whole, err)
				}
			} else if err != nil {
				t.Fatal(err)
			}
			for n := range len(s.bytes) + 1 {
				h, err := parseProxyHeader(s.bytes[:n])
				switch {
				case s.Expect == "reject":
					if err == nil {
						t.Fatalf("%d bytes are taken: %+v", n, h)
					}
				case n < s.HeaderLen:
					if err != errProxyMore {
						t.Fatalf("%d of %d bytes: %+v, %v", n, s.HeaderLen, h, err)
					}
				default:
					s.check(t, h, err)
				}
			}
		})
	}
}

// check compares a verdict with the index.
func (s proxySample) check(t *testing.T, h proxyHeader, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(h.raw, s.bytes[:s.HeaderLen]) {
		t.Errorf("header of %d bytes, want %d", len(h.raw), s.HeaderLen)
	}
	if h.local != (s.Expect == "local") {
		t.Errorf("local %v, want %v", h.local, s.Expect)
	}
	if s.Src != nil && h.src.String() != *s.Src || s.Dst != nil && h.dst.String() != *s.Dst {
		t.Errorf("from %v to %v, want %v to %v", h.src, h.dst, *s.Src, *s.Dst)
	}
	if s.Src == nil && s.Expect == "local" && (h.src.IsValid() || h.dst.IsValid()) {
		t.Errorf("from %v to %v, want no addresses", h.src, h.dst)
	}
	if s.TLVs != nil && hex.EncodeToString(h.tlvs) != *s.TLVs {
		t.Errorf("TLVs %x, want %s", h.tlvs, *s.TLVs)
	}
}

// v2 builds a header of version 2.
func v2(command, family byte, block ...[]byte) []byte {
	rest := slices.Concat(block...)
	h := append([]byte(proxySignature), command, family)
	h = binary.BigEndian.AppendUint16(h, uint16(len(rest)))
	return append(h, rest...)
}

// tlv builds one TLV.
func tlv(typ proxyproto.PP2Type, value string) []byte {
	return append(binary.BigEndian.AppendUint16([]byte{byte(typ)}, uint16(len(value))), value...)
}

// zeros is a value of n bytes.
func zeros(n int) string { return string(make([]byte, n)) }

// summed sets the CRC32C, which must be the last TLV.
func summed(header []byte) []byte {
	at := len(header) - proxyChecksum
	clear(header[at:])
	binary.BigEndian.PutUint32(header[at:], proxySum(header, at))
	return header
}

var (
	tcp4 = []byte{192, 0, 2, 33, 198, 51, 100, 44, 0x82, 0x35, 1, 187}
	tcp6 = slices.Concat(netip.MustParseAddr("2001:db8::33").AsSlice(), netip.MustParseAddr("2001:db8::44").AsSlice(), tcp4[8:])
	crc  = tlv(proxyproto.PP2_TYPE_CRC32C, zeros(4))
)

func TestParseProxyHeader(t *testing.T) {
	const client4, client6 = "192.0.2.33:33333", "[2001:db8::33]:33333"
	mapped := slices.Concat(make([]byte, 10), []byte{0xff, 0xff, 192, 0, 2, 33}, tcp6[16:])
	line := func(s string) []byte { return []byte(s + "\r\n") }
	tests := []struct {
		name   string
		header []byte
		want   string // the client, "local", or behind a "!" the reason why not; "more"
	}{
		{"v1/IPv4", line("PROXY TCP4 192.0.2.33 198.51.100.44 33333 443"), client4},
		{"v1/IPv6", line("PROXY TCP6 2001:db8::33 2001:db8::44 33333 443"), client6},
		{"v1/IPv6 upper case", line("PROXY TCP6 2001:DB8::33 2001:DB8:0:0::44 33333 443"), client6},
		{"v1/IPv4 in IPv6", line("PROXY TCP6 ::ffff:192.0.2.33 2001:db8::44 33333 443"), client4},
		{"v1/longest", line("PROXY TCP6 2001:0db8:0000:0000:0000:0000:0000:0033 2001:0db8:0000:0000:0000:0000:0000:0044 33333 65535"), client6},
		{"v1/port 0", line("PROXY TCP4 192.0.2.33 198.51.100.44 0 0"), "192.0.2.33:0"},
		{"v1/UNKNOWN", line("PROXY UNKNOWN"), "local"},
		{"v1/UNKNOWN with addresses", line("PROXY UNKNOWN ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535"), "local"},
		{"v1/UNKNOWN with anything", line("PROXY UNKNOWN \x00\xff nothing\r to see"), "local"},
		{"v1/UNKNOWNS", line("PROXY UNKNOWNS"), "!line"},
		{"v1/no CRLF in 107", []byte("PROXY UNKNOWN " + strings.Repeat("x", 200)), "!line"},
		{"v1/CRLF one byte late", line("PROXY UNKNOWN " + strings.Repeat("x", 107-14-1)), "!line"},
		{"v1/CRLF just in time", line("PROXY UNKNOWN " + strings.Repeat("x", 107-14-2)), "local"},
		{"v1/LF", []byte("PROXY TCP4 192.0.2.33 198.51.100.44 33333 443\n"), "!line"},
		{"v1/CR", []byte("PROXY TCP4 192.0.2.33 198.51.100.44 33333 443\r"), "more"},
		{"v1/CR and more", line("PROXY TCP4 192.0.2.33 198.51.100.44 33333 443\rx"), "!line"},
		{"v1/lower case", line("proxy TCP4 192.0.2.33 198.51.100.44 33333 443"), "!missing"},
		{"v1/TCP5", line("PROXY TCP5 192.0.2.33 198.51.100.44 33333 443"), "!family"},
		{"v1/UDP4", line("PROXY UDP4 192.0.2.33 198.51.100.44 33333 443"), "!family"},
		{"v1/two spaces", line("PROXY  TCP4 192.0.2.33 198.51.100.44 33333 443"), "!family"},
		{"v1/two spaces later", line("PROXY TCP4 192.0.2.33  198.51.100.44 33333 443"), "!line"},
		{"v1/tab", line("PROXY TCP4 192.0.2.33\t198.51.100.44 33333 443"), "!line"},
		{"v1/space at the end", line("PROXY TCP4 192.0.2.33 198.51.100.44 33333 443 "), "!line"},
		{"v1/nothing behind TCP4", line("PROXY TCP4"), "!family"},
		{"v1/no ports", line("PROXY TCP4 192.0.2.33 198.51.100.44"), "!line"},
		{"v1/IPv6 in TCP4", line("PROXY TCP4 2001:db8::33 2001:db8::44 33333 443"), "!line"},
		{"v1/IPv4 in TCP6", line("PROXY TCP6 192.0.2.33 198.51.100.44 33333 443"), "!line"},
		{"v1/zone", line("PROXY TCP6 fe80::1%eth0 2001:db8::44 33333 443"), "!line"},
		{"v1/octet 256", line("PROXY TCP4 192.0.2.256 198.51.100.44 33333 443"), "!line"},
		{"v1/octet with a zero in front", line("PROXY TCP4 192.0.2.033 198.51.100.44 33333 443"), "!line"},
		{"v1/three octets", line("PROXY TCP4 192.0.2 198.51.100.44 33333 443"), "!line"},
		{"v1/name", line("PROXY TCP4 localhost 198.51.100.44 33333 443"), "!line"},
		{"v1/port 65536", line("PROXY TCP4 192.0.2.33 198.51.100.44 65536 443"), "!line"},
		{"v1/port with a zero in front", line("PROXY TCP4 192.0.2.33 198.51.100.44 0333 443"), "!line"},
		{"v1/negative port", line("PROXY TCP4 192.0.2.33 198.51.100.44 -1 443"), "!line"},
		{"v1/signed port", line("PROXY TCP4 192.0.2.33 198.51.100.44 +1 443"), "!line"},
		{"v1/empty port", line("PROXY TCP4 192.0.2.33 198.51.100.44  443"), "!line"},

		{"v2/IPv4", v2(0x21, 0x11, tcp4), client4},
		{"v2/IPv6", v2(0x21, 0x21, tcp6), client6},
		{"v2/IPv4 in IPv6", v2(0x21, 0x21, mapped), client4},
		{"v2/PROXY UNSPEC", v2(0x21, 0x00), "local"},
		{"v2/PROXY UNSPEC with a TLV", v2(0x21, 0x00, tlv(2, "x")), "local"},
		{"v2/PROXY UNSPEC with a broken TLV", v2(0x21, 0x00, []byte{1, 2}), "!tlv"},
		{"v2/UDP4", v2(0x21, 0x12, tcp4), "local"},
		{"v2/UDP6", v2(0x21, 0x22, tcp6), "local"},
		{"v2/UNIX", v2(0x21, 0x31, make([]byte, 216)), "local"},
		{"v2/UNIX datagram", v2(0x21, 0x32, make([]byte, 216)), "local"},
		{"v2/UDP4 too short", v2(0x21, 0x12, tcp4[1:]), "!length"},
		{"v2/UNIX too short", v2(0x21, 0x31, make([]byte, 215)), "!length"},
		{"v2/LOCAL", v2(0x20, 0x00), "local"},
		{"v2/LOCAL with a TLV", v2(0x20, 0x00, tlv(2, "x")), "local"},
		{"v2/LOCAL with addresses", v2(0x20, 0x11, tcp4), "local"},
		{"v2/LOCAL with addresses and a checksum", summed(v2(0x20, 0x11, tcp4, crc)), "local"},
		{"v2/LOCAL with a checksum", summed(v2(0x20, 0x00, crc)), "local"},
		{"v2/LOCAL with a wrong checksum", v2(0x20, 0x00, crc), "!checksum"},
		{"v2/LOCAL of IPv4 without addresses", v2(0x20, 0x11), "local"},
		{"v2/LOCAL with anything", v2(0x20, 0x00, []byte("nothing to see")), "local"},
		{"v2/LOCAL with a family that is none", v2(0x20, 0xff, []byte{1}), "local"},
		{"v2/command 2", v2(0x22, 0x11, tcp4), "!command"},
		{"v2/command 15", v2(0x2f, 0x11, tcp4), "!command"},
		{"v2/version 0", v2(0x01, 0x11, tcp4), "!command"},
		{"v2/version 1", v2(0x11, 0x11, tcp4), "!command"},
		{"v2/version 3", v2(0x31, 0x11, tcp4), "!command"},
		{"v2/family 4", v2(0x21, 0x41, tcp4), "!family"},
		{"v2/protocol 3", v2(0x21, 0x13, tcp4), "!family"},
		{"v2/IPv4 of no protocol", v2(0x21, 0x10, tcp4), "!family"},
		{"v2/protocol of no family", v2(0x21, 0x01, tcp4), "!family"},
		{"v2/IPv4 too short", v2(0x21, 0x11, tcp4[1:]), "!length"},
		{"v2/IPv4 empty", v2(0x21, 0x11), "!length"},
		{"v2/IPv6 too short", v2(0x21, 0x21, tcp6[1:]), "!length"},
		{"v2/longest", v2(0x21, 0x11, tcp4, tlv(4, zeros(proxyHeaderMax-proxyPrefix-12-3))), client4},
		{"v2/too long", v2(0x21, 0x11, tcp4, tlv(4, zeros(proxyHeaderMax-proxyPrefix-12-3+1))), "!length"},
		{"v2/65535", v2(0x21, 0x11, make([]byte, 65535)), "!length"},
		{"v2/second signature", append([]byte(proxySignature[:11]), 'X'), "!missing"},

		{"TLV/authority", v2(0x21, 0x11, tcp4, tlv(2, "sni.lab.test")), client4},
		{"TLV/empty", v2(0x21, 0x11, tcp4, tlv(2, "")), client4},
		{"TLV/unknown type", v2(0x21, 0x11, tcp4, tlv(0x99, "abc")), client4},
		{"TLV/cut in the type", v2(0x21, 0x11, tcp4, []byte{2}), "!tlv"},
		{"TLV/cut in the length", v2(0x21, 0x11, tcp4, []byte{2, 0}), "!tlv"},
		{"TLV/runs over", v2(0x21, 0x11, tcp4, []byte{2, 0, 4, 'x', 'y', 'z'}), "!tlv"},
		{"TLV/second runs over", v2(0x21, 0x11, tcp4, tlv(2, "x"), []byte{1, 0xff, 0xff}), "!tlv"},
		{"TLV/unique id of 128", v2(0x21, 0x11, tcp4, tlv(5, zeros(128))), client4},
		{"TLV/unique id of 129", v2(0x21, 0x11, tcp4, tlv(5, zeros(129))), "!tlv"},
		{"checksum/good", summed(v2(0x21, 0x11, tcp4, crc)), client4},
		{"checksum/good, IPv6", summed(v2(0x21, 0x21, tcp6, tlv(2, "x"), crc)), client6},
		{"checksum/good, UNSPEC", summed(v2(0x21, 0x00, crc)), "local"},
		{"checksum/zero", v2(0x21, 0x11, tcp4, crc), "!checksum"},
		{"checksum/of three bytes", v2(0x21, 0x11, tcp4, tlv(3, zeros(3))), "!tlv"},
		{"checksum/of five bytes", v2(0x21, 0x11, tcp4, tlv(3, zeros(5))), "!tlv"},
		{"checksum/twice", summed(v2(0x21, 0x11, tcp4, crc, crc)), "!tlv"},

		{"none", nil, "more"},
		{"TLS", []byte{22, 3, 1, 0, 200}, "!missing"},
		{"HTTP", []byte("GET / HTTP/1.1\r\n"), "!missing"},
		{"HTTP/2", []byte("PRI * HTTP/2.0\r\n"), "!missing"},
		{"POST", []byte("POST / HTTP/1.1\r\n"), "!missing"},
		{"empty line", []byte("\r\nPROXY TCP4 192.0.2.33 198.51.100.44 33333 443\r\n"), "!missing"},
		{"PROXYX", []byte("PROXYX TCP4"), "!missing"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			h, err := parseProxyHeader(slices.Concat(tt.header, []byte("payload"))[:len(tt.header):len(tt.header)])
			got := h.src.String()
			switch r := proxyReason(t, err); {
			case r == "more":
				got = r
			case r != "":
				got = "!" + r
			case h.local:
				got = "local"
			}
			if got != tt.want {
				t.Fatalf("verdict %s, want %s: %v", got, tt.want, err)
			}
			if got == "more" || got[0] == '!' {
				return
			}
			if !bytes.Equal(h.raw, tt.header) {
				t.Errorf("raw % x", h.raw)
			}
			for n := range tt.header {
				if _, err := parseProxyHeader(tt.header[:n]); err != errProxyMore {
					t.Fatalf("%d of %d bytes: %v", n, len(tt.header), err)
				}
			}
			again, err := parseProxyHeader(slices.Concat(tt.header, tt.header))
			if err != nil || !bytes.Equal(again.raw, h.raw) || again.src != h.src || !bytes.Equal(again.tlvs, h.tlvs) {
				t.Errorf("with a second one behind: %+v, %v", again, err)
			}
		})
	}
}

// TestProxyHeaderAtOnce refuses what cannot become a header at the byte that shows it.
func TestProxyHeaderAtOnce(t *testing.T) {
	sig := proxySignature
	for _, bytes := range []string{
		"G", "\x16", "\x00", "p", "\n", // no header begins so
		"PX", "PROXX", "PROXYX", "\r\r", "\r\n\r\n\x00\r\nQUIT\r",
		"PROXY A", "PROXY TCP5", "PROXY TCP4\r", "PROXY UNKNOX",
		"PROXY TCP4 \n", "PROXY UNKNOWN\n", "PROXY UNKNOWN" + strings.Repeat(" ", 107-13),
		sig + "\x22", sig + "\x11", sig + "\x21\x41", sig + "\x21\x01",
		sig + "\x21\x11\x00\x0b", sig + "\x21\x21\x00\x23", sig + "\x21\x11\x3f\xf1", sig + "\x20\x00\xff\xff",
	} {
		for n := range len(bytes) {
			if _, err := parseProxyHeader([]byte(bytes[:n])); err != errProxyMore {
				t.Errorf("%q, %d bytes: %v, want more", bytes, n, err)
			}
		}
		if _, err := parseProxyHeader([]byte(bytes)); err == nil || err == errProxyMore {
			t.Errorf("%q: %v, want a refusal", bytes, err)
		}
	}
}

// TestProxyChecksumFlips flips every bit of headers that carry a CRC32C. None may be taken with anything
// changed. The one thing that no receiver can notice is another type of the CRC32C itself, which makes
// it some other TLV; then all that is announced is still as it was.
func TestProxyChecksumFlips(t *testing.T) {
	headers := map[string][]byte{
		"sample":          proxySampleNamed(t, "v2_crc_good"),
		"IPv6, authority": summed(v2(0x21, 0x21, tcp6, tlv(2, "sni.lab.test"), crc)),
	}
	for name, header := range headers {
		whole, err := parseProxyHeader(header)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		typ := len(header) - len(crc)
		for bit := range len(header) * 8 {
			flipped := slices.Clone(header)
			flipped[bit/8] ^= 1 << (bit % 8)
			h, err := parseProxyHeader(append(flipped, zeros(proxyHeaderMax)...))
			if err == nil && bit/8 != typ {
				t.Errorf("%s: bit %d flipped and taken: %v, from %v to %v", name, bit, h.local, h.src, h.dst)
			}
			if err == nil && (h.src != whole.src || h.dst != whole.dst || h.local != whole.local) {
				t.Errorf("%s: bit %d flipped: %v, from %v to %v", name, bit, h.local, h.src, h.dst)
			}
		}
	}
	// LOCAL announces nothing, and what it carries need not be TLVs at all, so only a checksum that is
	// still one counts.
	local := summed(v2(0x20, 0x00, crc))
	for _, at := range []int{12, 19, 20, 21, 22} {
		flipped := slices.Clone(local)
		flipped[at] ^= 1
		if _, err := parseProxyHeader(flipped); err == nil {
			t.Errorf("LOCAL: byte %d flipped and taken", at)
		}
	}
}

func TestProxyHeaderTLV(t *testing.T) {
	h, err := parseProxyHeader(v2(0x21, 0x11, tcp4, tlv(2, "a.test"), tlv(5, "abc"), tlv(2, "b.test")))
	if err != nil {
		t.Fatal(err)
	}
	if got, ok := findTLV(h.tlvs, proxyproto.PP2_TYPE_AUTHORITY); !ok || string(got) != "a.test" {
		t.Errorf("authority %q, %v", got, ok)
	}
	if got, ok := findTLV(h.tlvs, proxyproto.PP2_TYPE_UNIQUE_ID); !ok || string(got) != "abc" {
		t.Errorf("unique id % x, %v", got, ok)
	}
	if got, ok := findTLV(h.tlvs, proxyproto.PP2_TYPE_ALPN); ok {
		t.Errorf("ALPN %q, though there is none", got)
	}
}

// TestProxyErrorText pins what a log shows.
func TestProxyErrorText(t *testing.T) {
	for header, want := range map[string]string{
		"\x16\x03\x01":                     `PROXY header: a connection from this peer must begin with one, not with "\x16\x03\x01"`,
		"PROXY TCP4 1.2.3 4.5.6.7 1 2\r\n": `PROXY header: "PROXY TCP4 1.2.3 4.5.6.7 1 2\r\n": invalid address: ParseAddr("1.2.3"): IPv4 address too short`,
		string(v2(0x21, 0x11, tcp4, crc)):  `PROXY header: CRC32C 0x00000000, but the header has 0xb0c1dcd5`,
		string(v2(0x21, 0x11, nil)):        `PROXY header: 16 bytes, too short for addresses of family and protocol 0x11`,
		string(v2(0x31, 0x11, nil)):        `PROXY header: version and command 0x31, known are 0x20 (LOCAL) and 0x21 (PROXY)`,
	} {
		if _, err := parseProxyHeader([]byte(header)); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

// TestProxyHeaderAllocs holds what a header may cost. All of it is the library's.
func TestProxyHeaderAllocs(t *testing.T) {
	for _, tt := range []struct {
		sample string
		most   float64
	}{
		{"v1_tcp4", 8}, {"v1_tcp6", 8}, {"v1_unknown", 4},
		{"v2_tcp4", 8}, {"v2_tcp6", 8}, {"v2_tlv_ssl", 8}, {"v2_crc_good", 8}, {"v2_local_unspec_len0", 0},
	} {
		header := proxySampleNamed(t, tt.sample)
		got := testing.AllocsPerRun(100, func() {
			if _, err := parseProxyHeader(header); err != nil {
				t.Error(err)
			}
		})
		if got > tt.most {
			t.Errorf("%s: %v allocations, want at most %v", tt.sample, got, tt.most)
		}
		if got := testing.AllocsPerRun(100, func() { parseProxyHeader(header[:len(header)-1]) }); got > 0 {
			t.Errorf("%s, not complete: %v allocations, want none", tt.sample, got)
		}
	}
}

func BenchmarkParseProxyHeader(b *testing.B) {
	for _, sample := range []string{"v1_tcp4", "v2_tcp4", "v2_tlv_ssl", "v2_crc_good"} {
		header := proxySampleNamed(b, sample)
		b.Run(sample, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := parseProxyHeader(header); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// libraryRead is what the library by itself makes of a buffer.
func libraryRead(buf []byte) (*proxyproto.Header, error) {
	return proxyproto.Read(bufio.NewReaderSize(bytes.NewReader(buf), len(buf)+16))
}
