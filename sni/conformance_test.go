package sni

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// TestConformance is the list of derived hellos that balancers and servers judge differently, each
// with the verdict that is right here. Every case is put to crypto/tls as well.
func TestConformance(t *testing.T) {
	msg := message(named("sni.lab.test"), offer("h2", "http/1.1"))
	inName := bytes.Index(msg, []byte("lab.test"))
	legacy := func(version byte) []byte {
		m := slices.Clone(msg)
		m[handshakeHeader] = version
		return records(m, maxRecord)
	}
	versioned := func(version uint16) []byte { return record(typeHandshake, version, msg) }
	type verdict struct {
		name string // [Hello.Name]
		err  error
	}
	route := verdict{name: "sni.lab.test"}
	def := verdict{}
	refuse := func(reason Malformed) verdict { return verdict{err: reason} }
	notTLS := verdict{err: ErrNotTLS}
	more := verdict{err: ErrMore}

	tests := []struct {
		name string
		data []byte
		want verdict
	}{
		{"many records/1 byte each", records(msg, 1), route},
		{"many records/100 bytes each", records(msg, 100), route},
		{"record split inside the name", slices.Concat(records(msg[:inName], maxRecord), records(msg[inName:], maxRecord)), route},
		{"Java's five records", realHello(t, "java17_frag"), route},
		{"just over 16 KiB", records(padded(t, "sni.lab.test", maxRecord+1), maxRecord), route},
		{"32 KiB", records(padded(t, "sni.lab.test", 32768), maxRecord), route},
		{"64 KiB", records(padded(t, "sni.lab.test", handshakeHeader+MaxHandshake), maxRecord), route},
		{"handshake length 65537", records([]byte{1, 1, 0, 1}, maxRecord), refuse("message too long")},
		{"handshake length 16 MB", records([]byte{1, 0xff, 0xff, 0xff}, maxRecord), refuse("message too long")},
		{"record over 16384", record(typeHandshake, 0x0301, padded(t, "sni.lab.test", maxRecord+1)), refuse("record too long")},
		{"record length 0xffff", slices.Concat([]byte{22, 3, 1, 0xff, 0xff}, msg), refuse("record too long")},
		{"empty handshake record/first", slices.Concat(record(typeHandshake, 0x0301, nil), versioned(0x0301)), refuse("empty record")},
		{"empty handshake record/between", slices.Concat(records(msg[:20], 20), record(typeHandshake, 0x0301, nil), records(msg[20:], 500)), refuse("empty record")},

		{"name/upper case", built(named("SNI.Lab.TEST")), route},
		{"name/trailing dot", built(named("sni.lab.test.")), route},
		{"name/upper case and trailing dot", built(named("SNI.lab.test.")), route},
		{"name/two trailing dots", built(named("sni.lab.test..")), def},
		{"name/a dot", built(named(".")), def},
		{"name/IPv4 literal", built(named("192.0.2.10")), def},
		{"name/IPv4 literal with a dot", built(named("192.0.2.10.")), def},
		{"name/IPv6 literal", built(named("2001:db8::10")), def},
		{"name/IPv6 literal in brackets", built(named("[2001:db8::10]")), def},
		{"name/IPv4 in IPv6", built(named("::ffff:192.0.2.10")), def},
		{"name/NUL at the end", built(named("sni.lab.test\x00")), def},
		{"name/NUL inside", built(named("sni.lab.test\x00.evil.test")), def},
		{"name/newline", built(named("sni.lab.test\nx")), def},
		{"name/space", built(named("sni.lab.test x")), def},
		{"name/space at the end", built(named("sni.lab.test ")), def},
		{"name/UTF-8", built(named("bücher.lab.test")), def},
		{"name/full-width", built(named("sni．lab．test")), def},
		{"name/not UTF-8", built(named("\xff\xfe.lab.test")), def},
		{"name/punycode", built(named("xn--bcher-kva.lab.test")), verdict{name: "xn--bcher-kva.lab.test"}},
		{"name/wildcard", built(named("*.lab.test")), def},
		{"name/wildcard alone", built(named("*")), def},
		{"name/leading dot", built(named(".lab.test")), def},
		{"name/empty label", built(named("sni..lab.test")), def},
		{"name/path", built(named("sni.lab.test/x")), def},
		{"name/port", built(named("sni.lab.test:443")), def},
		{"name/underscore", built(named("_sni.lab.test")), verdict{name: "_sni.lab.test"}},
		{"name/label of 63", built(named(strings.Repeat("a", 63) + ".lab.test")), verdict{name: strings.Repeat("a", 63) + ".lab.test"}},
		{"name/label of 64", built(named(strings.Repeat("a", 64) + ".lab.test")), def},
		{"name/253 bytes", built(named(long(253))), verdict{name: long(253)}},
		{"name/253 bytes and a dot", built(named(long(253) + ".")), verdict{name: long(253)}},
		{"name/254 bytes", built(named(long(254))), def},
		{"name/1 KB", built(named(long(1024))), def},
		{"name/16 KB", built(named(long(16000))), def},
		{"name/60 KB", built(named(long(60000))), def},
		{"name/none", built(offer("h2")), def},
		{"name/no extensions", built(), def},
		{"name/no extension block", records(handshake(payload(built())[4:][:2+32+33+6+2]), maxRecord), def},

		{"empty name", built(named("")), refuse("length of a server name")},
		{"empty name/behind one", built(ext(extServerName, vec16(host("sni.lab.test"), host("")))), refuse("length of a server name")},
		{"empty list", built(ext(extServerName, vec16())), refuse("length of the server name list")},
		{"empty extension", built(ext(extServerName)), refuse("length of the server name list")},
		{"two host names", built(ext(extServerName, vec16(host("sni.lab.test"), host("b.test")))), refuse("two server names")},
		{"two host names/the same", built(ext(extServerName, vec16(host("sni.lab.test"), host("sni.lab.test")))), refuse("two server names")},
		{"duplicate extension/server_name", built(named("sni.lab.test"), named("b.test")), refuse("extension twice")},
		{"duplicate extension/ALPN", built(named("sni.lab.test"), offer("h2"), offer("h2")), refuse("extension twice")},
		{"duplicate extension/unknown", built(ext(0x1234), named("sni.lab.test"), ext(0x1234)), refuse("extension twice")},
		{"name type 1 then host name", built(ext(extServerName, vec16(append([]byte{1}, vec16([]byte("x"))...), host("sni.lab.test")))), route},
		{"name type 1 only", built(ext(extServerName, vec16(append([]byte{1}, vec16([]byte("x"))...)))), def},

		{"lengths/list too long", built(ext(extServerName, []byte{0, 99}, host("sni.lab.test"))), refuse("length of the server name list")},
		{"lengths/list too short", built(ext(extServerName, []byte{0, 5}, host("sni.lab.test"))), refuse("length of the server name list")},
		{"lengths/byte behind the list", built(ext(extServerName, vec16(host("sni.lab.test")), []byte{0})), refuse("length of the server name list")},
		{"lengths/name too long", built(ext(extServerName, vec16([]byte{0, 0, 99}, []byte("sni.lab.test")))), refuse("length of a server name")},
		{"lengths/name too short", built(ext(extServerName, vec16([]byte{0, 0, 3}, []byte("sni.lab.test")))), refuse("length of a server name")},
		{"lengths/half an entry", built(ext(extServerName, vec16(host("sni.lab.test"), []byte{1, 0}))), refuse("length of a server name")},
		{"lengths/extension too long", built(named("sni.lab.test"), []byte{0x12, 0x34, 0, 9}), refuse("length of an extension")},
		{"lengths/half an extension header", built(named("sni.lab.test"), []byte{0x12}), refuse("length of an extension")},
		{"lengths/block too long", records(lengthened(msg, 1), maxRecord), refuse("length of the extensions")},
		{"lengths/block too short", records(lengthened(msg, -1), maxRecord), refuse("bytes behind the extensions")},
		{"lengths/block of one byte", records(handshake(append(slices.Clone(msg[4:][:2+32+33+6+2]), 0)), maxRecord), refuse("length of the extensions")},
		{"lengths/trailing byte", records(handshake(append(slices.Clone(msg[4:]), 0)), maxRecord), refuse("bytes behind the extensions")},
		{"lengths/odd ciphers", records(handshake(slices.Concat(msg[4:][:2+32], vec8(), vec16([]byte{1, 2, 3}), vec8([]byte{0}))), maxRecord), refuse("length before the extensions")},
		{"lengths/session id too long", records(handshake(append(slices.Clone(msg[4:][:2+32]), 255)), maxRecord), refuse("length before the extensions")},
		{"lengths/empty message", records(handshake(nil), maxRecord), refuse("length before the extensions")},
		{"lengths/cut in the random", records(handshake(msg[4:][:20]), maxRecord), refuse("length before the extensions")},
		{"lengths/empty ALPN", built(named("sni.lab.test"), ext(extALPN, vec16())), refuse("data of an extension")},
		{"lengths/empty protocol", built(named("sni.lab.test"), ext(extALPN, vec16([]byte{0}))), refuse("data of an extension")},
		{"lengths/protocol too long", built(named("sni.lab.test"), ext(extALPN, vec16([]byte{9, 'h', '2'}))), refuse("data of an extension")},

		{"record version/3.0", versioned(0x0300), route},
		{"record version/3.1", versioned(0x0301), route},
		{"record version/3.2", versioned(0x0302), route},
		{"record version/3.3", versioned(0x0303), route},
		{"record version/3.255", versioned(0x03ff), route},
		{"record version/0.0", versioned(0x0000), notTLS},
		{"record version/2.0", versioned(0x0200), notTLS},
		{"record version/4.0", versioned(0x0400), notTLS},
		{"record version/changes within 3.x", slices.Concat(record(22, 0x0301, msg[:30]), record(22, 0x0303, msg[30:])), route},
		{"record version/changes to 4.0", slices.Concat(record(22, 0x0301, msg[:30]), record(22, 0x0400, msg[30:])), refuse("record version")},
		// The node refuses what it does not speak; the name is beyond doubt.
		{"hello version/0", legacy(0), route},
		{"hello version/2", legacy(2), route},
		{"hello version/4", legacy(4), route},
		{"session id of 33 bytes", records(handshake(slices.Concat(msg[4:][:2+32], vec8(make([]byte, 33)), msg[4+2+32+33:])), maxRecord), route},

		{"SSLv2 hello", slices.Concat([]byte{0x80, 46, 1, 0, 2}, make([]byte, 43)), notTLS},
		{"SSLv2 hello/sslscan", realHello(t, "sslscan_probe"), notTLS},
		{"DTLS", record(22, 0xfeff, msg), notTLS},
		{"HTTP", []byte("GET / HTTP/1.1\r\nHost: sni.lab.test\r\n\r\n"), notTLS},
		{"HTTP/2 preface", []byte("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), notTLS},
		{"ssh", []byte("SSH-2.0-OpenSSH_9.2\r\n"), notTLS},
		{"PROXY header/v1", slices.Concat([]byte("PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n"), versioned(0x0301)), notTLS},
		{"PROXY header/v2", slices.Concat([]byte("\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00"), versioned(0x0301)), notTLS},
		{"Postgres SSLRequest", []byte{0, 0, 0, 8, 4, 210, 22, 47}, notTLS},
		{"alert first", slices.Concat(record(21, 0x0301, []byte{2, 40}), versioned(0x0301)), notTLS},
		{"warning alert first", slices.Concat(record(21, 0x0301, []byte{1, 112}), versioned(0x0301)), notTLS},
		{"change_cipher_spec first", slices.Concat(record(20, 0x0303, []byte{1}), versioned(0x0301)), notTLS},
		{"application data first", slices.Concat(record(23, 0x0303, []byte("sni.lab.test")), versioned(0x0301)), notTLS},
		{"change_cipher_spec between", slices.Concat(records(msg[:30], 30), record(20, 0x0303, []byte{1}), records(msg[30:], 500)), refuse("record of another type inside the hello")},
		{"application data between", slices.Concat(records(msg[:30], 30), record(23, 0x0303, []byte{1}), records(msg[30:], 500)), refuse("record of another type inside the hello")},
		{"HelloRequest first", record(22, 0x0301, []byte{0, 0, 0, 0}), refuse("handshake message of another type")},
		{"ServerHello first", record(22, 0x0301, append([]byte{2}, msg[1:]...)), refuse("handshake message of another type")},

		{"nothing", nil, more},
		{"cut in the last byte", versioned(0x0301)[:recordHeader+len(msg)-1], more},
		{"cut four bytes earlier", versioned(0x0301)[:recordHeader+len(msg)-4], more},
		{"message shorter than its record's bytes say", record(22, 0x0301, msg[:len(msg)-4]), more},
		{"0-RTT behind", realHello(t, "openssl30_0rtt"), route},
		{"64 KB behind", slices.Concat(versioned(0x0301), make([]byte, 65536)), route},
		{"second hello behind", slices.Concat(versioned(0x0301), built(named("other.test"))), route},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			hello, err := parse(tt.data)
			if hello.Name != tt.want.name || err != tt.want.err {
				t.Errorf("verdict %q, %v; want %q, %v", hello.Name, err, tt.want.name, tt.want.err)
			}
			if n := len(hello.ServerName); n > MaxName+1 {
				t.Errorf("%d bytes of server name are kept", n)
			}
			compare(t, tt.data)
		})
	}
}

// lengthened is msg with n added to the length of its extension block.
func lengthened(msg []byte, n int) []byte {
	m := slices.Clone(msg)
	const at = handshakeHeader + 2 + 32 + 33 + 6 + 2
	length := int(m[at])<<8 + int(m[at+1]) + n
	m[at], m[at+1] = byte(length>>8), byte(length)
	return m
}

// TestExtensions breaks the data of each extension whose shape is known, and compares the verdict
// with that of crypto/tls: on the sound data, cut at every byte, with a byte more, and with every byte
// one up or down.
func TestExtensions(t *testing.T) {
	sound := map[uint16][]byte{
		extServerName:          vec16(host("a.test")),
		extStatusRequest:       slices.Concat([]byte{1}, vec16([]byte("id")), vec16([]byte("ext"))),
		extSupportedGroups:     vec16([]byte{0, 29, 0, 23}),
		extPointFormats:        vec8([]byte{0, 1}),
		extSignatures:          vec16([]byte{4, 3, 8, 4}),
		extALPN:                vec16(Offer("h2", "http/1.1")),
		extSCT:                 nil,
		21:                     make([]byte, 9), // padding
		extMasterSecret:        nil,
		35:                     []byte("ticket"),
		extPreSharedKey:        slices.Concat(vec16(vec16([]byte("label")), make([]byte, 4), vec16([]byte("second")), make([]byte, 4)), vec16(vec8(make([]byte, 32)), vec8(make([]byte, 32)))),
		extEarlyData:           nil,
		extVersions:            vec8([]byte{0x6a, 0x6a, 3, 4, 3, 3}),
		extCookie:              vec16([]byte("cookie")),
		extKeyExchangeModes:    vec8([]byte{1}),
		extCertificateSignings: vec16([]byte{4, 3, 8, 4}),
		extKeyShare:            vec16([]byte{0, 29}, vec16(make([]byte, 32)), []byte{0, 23}, vec16([]byte("x"))),
		57:                     []byte("QUIC"),
		extECH:                 slices.Concat([]byte{0, 0, 1, 0, 1, 7}, vec16([]byte("key")), vec16([]byte("payload"))),
		extRenegotiation:       vec8(nil),
		0x0a0a:                 []byte("grease"),
	}
	for typ, data := range sound {
		variants := [][]byte{data, append(slices.Clone(data), 0), append(slices.Clone(data), 1, 2, 3)}
		for n := range data {
			variants = append(variants, data[:n])
			for _, by := range []byte{1, 0xff} {
				v := slices.Clone(data)
				v[n] += by
				variants = append(variants, v)
			}
		}
		if _, err := parse(built(ext(typ, data))); err != nil {
			t.Errorf("extension %d, sound: %v", typ, err)
		}
		for _, v := range variants {
			compare(t, built(ext(typ, v)))
			compare(t, built(ext(typ, v), ext(0xfafa))) // not the last
			if t.Failed() {
				t.Fatalf("extension %d, data % x", typ, v)
			}
		}
	}
	compare(t, built(ext(extECH, []byte{1}))) // an inner hello
	compare(t, built(ext(extECH)))
}

// TestManyExtensions finds a repetition however many extensions there are.
func TestManyExtensions(t *testing.T) {
	for _, n := range []int{2, 31, 32, 33, 34, 100, 16360} { // 65459 bytes hold 16364
		var exts [][]byte
		for i := range n {
			exts = append(exts, ext(uint16(1000+i)))
		}
		if _, err := parse(built(exts...)); err != nil {
			t.Errorf("%d extensions: %v", n, err)
		}
		for _, i := range []int{0, n / 2, n - 2} {
			exts[n-1] = exts[i]
			if _, err := parse(built(exts...)); err != Malformed("extension twice") {
				t.Errorf("%d extensions, the last like number %d: %v", n, i, err)
			}
		}
	}
}
