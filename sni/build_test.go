package sni

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// This file makes hellos for the tests: real ones from testdata, and built ones that may be broken in
// any place.

// sample is an entry of testdata/clienthello/index.json: the first flight of a real client.
type sample struct {
	File          string   `json:"file"`
	Client        string   `json:"client"`
	Valid         bool     `json:"valid"`
	SNI           *string  `json:"sni"`
	ALPN          []string `json:"alpn"`
	Versions      []string `json:"supported_versions"`
	RecordVersion *string  `json:"record_version"`
	ECH           bool     `json:"has_ech_ext"`
	Records       int      `json:"records"`
	Size          int      `json:"size"`
	HelloBytes    int      `json:"hello_bytes"`
	Writes        []int    `json:"writes"`

	bytes []byte
}

// name is the server name that the client sent, "" for none.
func (s sample) name() string {
	if s.SNI == nil {
		return ""
	}
	return *s.SNI
}

// samples reads all of testdata/clienthello.
func samples(t testing.TB) []sample {
	t.Helper()
	dir := filepath.Join("testdata", "clienthello")
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all []sample
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

// realHello is the bytes of one sample.
func realHello(t testing.TB, client string) []byte {
	t.Helper()
	all := samples(t)
	i := slices.IndexFunc(all, func(s sample) bool { return s.Client == client })
	if i < 0 {
		t.Fatalf("no sample %q", client)
	}
	return all[i].bytes
}

func vec8(b ...[]byte) []byte {
	body := slices.Concat(b...)
	return append([]byte{byte(len(body))}, body...)
}

func vec16(b ...[]byte) []byte {
	body := slices.Concat(b...)
	return append([]byte{byte(len(body) >> 8), byte(len(body))}, body...)
}

// ext is an extension with data.
func ext(typ uint16, data ...[]byte) []byte {
	return slices.Concat([]byte{byte(typ >> 8), byte(typ)}, vec16(data...))
}

// host is an entry of a server name list.
func host(name string) []byte { return append([]byte{0}, vec16([]byte(name))...) }

// named is a server_name extension with one name.
func named(name string) []byte { return ext(extServerName, vec16(host(name))) }

// offer is an ALPN extension.
func offer(protocols ...string) []byte { return ext(extALPN, vec16(Offer(protocols...))) }

// message is the handshake message of a TLS 1.3 hello with the given extensions.
func message(exts ...[]byte) []byte {
	return handshake(slices.Concat(
		[]byte{3, 3}, make([]byte, 32), vec8(make([]byte, 32)), // version, random, session id
		vec16([]byte{0x13, 0x01, 0x13, 0x02}), vec8([]byte{0}), // ciphers, compression
		vec16(exts...)))
}

// handshake puts the header of a ClientHello before body.
func handshake(body []byte) []byte {
	n := len(body)
	return append([]byte{typeClientHello, byte(n >> 16), byte(n >> 8), byte(n)}, body...)
}

// record is one record of any type and version, whatever its payload.
func record(typ byte, version uint16, payload []byte) []byte {
	n := len(payload)
	return append([]byte{typ, byte(version >> 8), byte(version), byte(n >> 8), byte(n)}, payload...)
}

// records cuts msg into handshake records of at most size bytes.
func records(msg []byte, size int) []byte {
	var out []byte
	for part := range slices.Chunk(msg, size) {
		out = append(out, record(typeHandshake, 0x0301, part)...)
	}
	return out
}

// built is a hello in as few records as possible.
func built(exts ...[]byte) []byte { return records(message(exts...), maxRecord) }

// payload is what the records of a well-formed hello hold.
func payload(hello []byte) []byte {
	var msg []byte
	for len(hello) > 0 {
		n := recordHeader + int(hello[3])<<8 + int(hello[4])
		msg = append(msg, hello[recordHeader:n]...)
		hello = hello[n:]
	}
	return msg
}

// padded is a hello for a name whose message, header included, has exactly n bytes, by an
// unknown extension at the front.
func padded(t testing.TB, name string, n int) []byte {
	t.Helper()
	rest := n - len(message(named(name))) - 4
	if rest < 0 || rest > 65535 {
		t.Fatalf("a message of %d bytes for %q cannot be made by padding", n, name)
	}
	msg := message(ext(0x5a5a, make([]byte, rest)), named(name))
	if len(msg) != n {
		t.Fatalf("message of %d bytes, want %d", len(msg), n)
	}
	return msg
}

// parse is the verdict on bytes that came in one piece.
func parse(buf []byte) (Hello, error) {
	var p Parser
	return p.Parse(buf)
}

// parseIn is the verdict on bytes that came in pieces; it stops at the first that is not ErrMore.
// The buffer moves with every piece, as a growing one may.
func parseIn(pieces ...[]byte) (hello Hello, err error) {
	var p Parser
	var buf []byte
	for _, piece := range pieces {
		buf = append(slices.Clone(buf), piece...)
		if hello, err = p.Parse(buf); err != ErrMore {
			break
		}
	}
	return hello, err
}

// equal compares hellos by what they say.
func equal(a, b Hello) bool {
	return a.ServerName == b.ServerName && a.Name == b.Name && string(a.ALPN) == string(b.ALPN) &&
		a.Size == b.Size && a.Records == b.Records && a.Version == b.Version && a.ECH == b.ECH && a.EarlyData == b.EarlyData
}

// long is a host name of n bytes in labels of up to 63.
func long(n int) string {
	name := strings.Repeat(strings.Repeat("a", 63)+".", n/64+1)[:n]
	if strings.HasSuffix(name, ".") {
		name = name[:n-2] + "aa"
	}
	return name
}
