package sni

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"testing"
)

// TestSamples parses the first flights of real clients as their index says.
func TestSamples(t *testing.T) {
	all := samples(t)
	if len(all) != 21 {
		t.Fatalf("%d samples, want 21", len(all))
	}
	for _, s := range all {
		t.Run(s.Client, func(t *testing.T) {
			hello, err := parse(s.bytes)
			if !s.Valid {
				if err != ErrNotTLS {
					t.Fatalf("verdict %+v, %v; want ErrNotTLS", hello, err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if hello.ServerName != s.name() {
				t.Errorf("server name %q, want %q", hello.ServerName, s.name())
			}
			if got := hello.ALPN.Protocols(-1); !slices.Equal(got, s.ALPN) {
				t.Errorf("ALPN %q, want %q", got, s.ALPN)
			}
			if hello.Size != s.HelloBytes || hello.Records != s.Records {
				t.Errorf("%d bytes in %d records, want %d in %d", hello.Size, hello.Records, s.HelloBytes, s.Records)
			}
			if hello.ECH != s.ECH {
				t.Errorf("ECH %v, want %v", hello.ECH, s.ECH)
			}
			if hello.Version != highest(t, s.Versions) {
				t.Errorf("version %#04x, want the highest of %v", hello.Version, s.Versions)
			}
			if early := s.Size > s.HelloBytes; hello.EarlyData != early {
				t.Errorf("early data %v, want %v", hello.EarlyData, early)
			}
		})
	}
}

// highest is the highest of versions that is no GREASE.
func highest(t *testing.T, versions []string) (v uint16) {
	t.Helper()
	for _, s := range versions {
		n, err := strconv.ParseUint(s, 0, 16)
		if err != nil {
			t.Fatal(err)
		}
		if n>>8 == 3 {
			v = max(v, uint16(n))
		}
	}
	return v
}

// TestTruncated cuts every sample at every byte of its hello: never a name, never a refusal.
func TestTruncated(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.Client, func(t *testing.T) {
			want := ErrMore
			if !s.Valid {
				want = ErrNotTLS
			}
			for n := range s.bytes {
				hello, err := parse(s.bytes[:n])
				switch {
				case s.Valid && n >= s.HelloBytes: // in the early data
					if err != nil {
						t.Fatalf("%d bytes: %v", n, err)
					}
				case n == 0:
					if err != ErrMore {
						t.Fatalf("no bytes: %v", err)
					}
				case err != want:
					t.Fatalf("%d bytes: verdict %+v, %v; want %v", n, hello, err, want)
				}
			}
		})
	}
}

// TestSplit delivers every sample in two pieces at every point, in the client's own writes, and byte by
// byte: always the same verdict.
func TestSplit(t *testing.T) {
	for _, s := range samples(t) {
		t.Run(s.Client, func(t *testing.T) {
			want, wantErr := parse(s.bytes)
			check := func(how string, pieces ...[]byte) {
				t.Helper()
				if got, err := parseIn(pieces...); !equal(got, want) || err != wantErr {
					t.Fatalf("%s: verdict %+v, %v; want %+v, %v", how, got, err, want, wantErr)
				}
			}
			for n := range s.bytes {
				check(fmt.Sprint("split at ", n), s.bytes[:n], s.bytes[n:])
			}
			var writes [][]byte
			rest := s.bytes
			for _, n := range s.Writes {
				writes = append(writes, rest[:n])
				rest = rest[n:]
			}
			if len(rest) > 0 {
				t.Fatalf("writes %v of %d bytes", s.Writes, len(s.bytes))
			}
			check("as written", writes...)
			check("byte by byte", slices.Collect(slices.Chunk(s.bytes, 1))...)
		})
	}
}

// TestRefragmented puts the hellos into records of 1 to 100 bytes, and into two records at every
// byte of the message, so also inside the name.
func TestRefragmented(t *testing.T) {
	for _, s := range samples(t) {
		if !s.Valid {
			continue
		}
		t.Run(s.Client, func(t *testing.T) {
			want, err := parse(s.bytes)
			if err != nil {
				t.Fatal(err)
			}
			msg := payload(s.bytes[:s.HelloBytes])
			check := func(data []byte) {
				t.Helper()
				want.Size, want.Records = len(data), len(recordTypes(data))
				if got, err := parse(slices.Concat(data, []byte("behind"))); !equal(got, want) || err != nil {
					t.Fatalf("verdict %+v, %v; want %+v", got, err, want)
				}
			}
			for size := 1; size <= 100; size++ {
				check(records(msg, size))
			}
			for n := 1; n < len(msg); n++ {
				check(slices.Concat(records(msg[:n], maxRecord), records(msg[n:], maxRecord)))
			}
		})
	}
}

// TestRefragmentedAndSplit has both at once: few bytes to a record, any bytes to a read.
func TestRefragmentedAndSplit(t *testing.T) {
	msg := payload(realHello(t, "go126_tls12"))
	for _, size := range []int{1, 3, 7, 64} {
		data := records(msg, size)
		want, err := parse(data)
		if err != nil || want.ServerName != "sni.lab.test" {
			t.Fatalf("records of %d: %+v, %v", size, want, err)
		}
		for n := range data {
			if _, err := parse(data[:n]); err != ErrMore {
				t.Fatalf("records of %d, %d bytes: %v, want ErrMore", size, n, err)
			}
			if got, err := parseIn(data[:n], data[n:]); !equal(got, want) || err != nil {
				t.Fatalf("records of %d, split at %d: %+v, %v; want %+v", size, n, got, err, want)
			}
		}
	}
}

// TestLargest goes up to the limit and over it.
func TestLargest(t *testing.T) {
	const most = handshakeHeader + MaxHandshake
	for _, n := range []int{16384, 16385, 16389, 32768, 60000, most} {
		msg := padded(t, "a.test", n)
		for _, size := range []int{100, 512, maxRecord} {
			data := records(msg, size)
			hello, err := parse(data)
			if err != nil || hello.Name != "a.test" || hello.Size != len(data) {
				t.Errorf("message of %d in records of %d: %+v, %v", n, size, hello, err)
			}
			compare(t, data)
		}
	}
	data := records(padded(t, "a.test", most), 1)
	data = append(data[:len(data)-6], record(typeHandshake, 0x0301, make([]byte, maxRecord))...)
	if hello, err := parse(data); err != nil || hello.Size != MaxHello {
		t.Errorf("the longest hello: %d bytes, %v; want %d", hello.Size, err, MaxHello)
	}
	if n := len(records(padded(t, "a.test", most), maxRecord)); n != 65565 {
		t.Errorf("the longest hello in full records has %d bytes; the comment at MaxHello says 65565", n)
	}
	over := records(padded(t, "a.test", most+1), maxRecord)
	if _, err := parse(over[:recordHeader+handshakeHeader]); err != Malformed("message too long") {
		t.Errorf("one byte over the limit: %v", err)
	}
	compare(t, over)
}

// TestAtOnce refuses impossible bytes when they are there, and not a byte later.
func TestAtOnce(t *testing.T) {
	claim := func(n int) []byte { return []byte{1, byte(n >> 16), byte(n >> 8), byte(n)} }
	tests := []struct {
		name  string
		bytes []byte // the last of them is the one that shows it
		want  error
	}{
		{"not TLS", []byte("G"), ErrNotTLS},
		{"SSLv2", []byte{0x80}, ErrNotTLS},
		{"major version", []byte{22, 2}, ErrNotTLS},
		{"DTLS", []byte{22, 0xfe}, ErrNotTLS},
		{"record of 16385", []byte{22, 3, 1, 0x40, 0x01}, Malformed("record too long")},
		{"record of 65535", []byte{22, 3, 1, 0xff, 0xff}, Malformed("record too long")},
		{"empty record", []byte{22, 3, 1, 0, 0}, Malformed("empty record")},
		{"server hello", []byte{22, 3, 1, 0, 50, 2}, Malformed("handshake message of another type")},
		{"hello of 16 MB", slices.Concat([]byte{22, 3, 1, 0, 50}, claim(0xffffff)[:2]), Malformed("message too long")},
		{"hello of 65537", slices.Concat([]byte{22, 3, 1, 0, 50}, claim(65537)), Malformed("message too long")},
		{"hello of 65537, in records", records(claim(65537), 1), Malformed("message too long")},
		{"second record not TLS", slices.Concat(records(claim(300), maxRecord), []byte("G")), Malformed("record of another type inside the hello")},
		{"second record's version", slices.Concat(records(claim(300), maxRecord), []byte{22, 0}), Malformed("record version")},
		{"second record empty", slices.Concat(records(claim(300), maxRecord), []byte{22, 3, 1, 0, 0}), Malformed("empty record")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if _, err := parse(tt.bytes); err != tt.want {
				t.Errorf("verdict %v, want %v", err, tt.want)
			}
			before := tt.bytes[:len(tt.bytes)-1]
			if _, err := parse(before); err != ErrMore {
				t.Errorf("verdict one byte earlier %v, want ErrMore", err)
			}
			if _, err := parseIn(slices.Collect(slices.Chunk(tt.bytes, 1))...); err != tt.want {
				t.Errorf("verdict byte by byte %v, want %v", err, tt.want)
			}
			compare(t, slices.Concat(tt.bytes, make([]byte, 70000)))
		})
	}
}

// TestBehind keeps apart what follows the hello.
func TestBehind(t *testing.T) {
	hello := realHello(t, "go126_nethttp")
	want, err := parse(hello)
	if err != nil {
		t.Fatal(err)
	}
	for name, behind := range map[string][]byte{
		"nothing":       nil,
		"early data":    bytes.Repeat(record(23, 0x0303, make([]byte, 16000)), 5),
		"second hello":  hello,
		"garbage":       []byte("GET / HTTP/1.1\r\n\r\n"),
		"broken record": {22, 0, 0, 0xff, 0xff},
	} {
		if got, err := parse(slices.Concat(hello, behind)); !equal(got, want) || err != nil {
			t.Errorf("%s behind the hello: %+v, %v; want %+v", name, got, err, want)
		}
	}
	// The same in one record: the message counts, the rest of its record belongs to Size.
	msg := payload(hello)
	both := record(typeHandshake, 0x0301, slices.Concat(msg, msg))
	got, err := parse(both)
	if err != nil || got.Name != want.Name || got.Size != len(both) {
		t.Errorf("two messages in a record: %+v, %v", got, err)
	}
	compare(t, both)
}

// TestAgain asks for the verdict again after it was given, with more bytes there.
func TestAgain(t *testing.T) {
	data := records(message(named("a.test")), 9)
	var p Parser
	want, err := p.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := p.Parse(append(data, "more"...)); !equal(got, want) || err != nil {
		t.Errorf("second verdict %+v, %v; want %+v", got, err, want)
	}
}

// TestScratch uses the caller's memory where a hello has to be put together, if it suffices.
func TestScratch(t *testing.T) {
	data := records(message(named("a.test"), offer("h2")), 9)
	scratch := make([]byte, 0, 512)
	p := Parser{Scratch: scratch}
	hello, err := p.Parse(data)
	if err != nil {
		t.Fatal(err)
	}
	if &p.Scratch[0] != &scratch[:1][0] {
		t.Error("scratch was replaced though it suffices")
	}
	if !bytes.Contains(scratch[:cap(scratch)], hello.ALPN) {
		t.Error("the message is not in scratch")
	}
	p = Parser{Scratch: scratch[:0:10]}
	if hello, err := p.Parse(data); err != nil || hello.Name != "a.test" {
		t.Errorf("with too little scratch: %+v, %v", hello, err)
	}
}

func TestParseAllocs(t *testing.T) {
	for _, s := range samples(t) {
		if !s.Valid {
			continue
		}
		want := 1.0
		if s.SNI == nil {
			want = 0
		}
		scratch := make([]byte, 0, len(s.bytes))
		got := testing.AllocsPerRun(100, func() {
			p := Parser{Scratch: scratch}
			if _, err := p.Parse(s.bytes); err != nil {
				t.Error(err)
			}
		})
		if got > want {
			t.Errorf("%s: %v allocations, want at most %v", s.Client, got, want)
		}
	}
	for _, bad := range [][]byte{[]byte("GET / HTTP/1.1\r\n\r\n"), built(named("a"), named("b")), built(named("a"))[:40]} {
		got := testing.AllocsPerRun(100, func() {
			if _, err := parse(bad); err == nil {
				t.Error("no error")
			}
		})
		if got > 1 { // the name, if it comes before the mistake
			t.Errorf("% .8x…: %v allocations, want at most 1", bad, got)
		}
	}
}

// TestErrorText pins what a log shows.
func TestErrorText(t *testing.T) {
	_, err := parse(built(named("a"), named("b")))
	if got, want := fmt.Sprint(err), "sni: malformed hello: extension twice"; got != want {
		t.Errorf("error %q, want %q", got, want)
	}
	if m, ok := errors.AsType[Malformed](err); !ok || m != "extension twice" {
		t.Errorf("reason %q, %v", m, ok)
	}
}

// BenchmarkParse is the cost of a whole hello.
func BenchmarkParse(b *testing.B) {
	for _, client := range []string{"go126_nethttp", "chromium156_default", "curl_http11", "java17_frag"} {
		data := realHello(b, client)
		b.Run(client, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(data)))
			scratch := make([]byte, 0, len(data))
			for b.Loop() {
				p := Parser{Scratch: scratch}
				if _, err := p.Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkDribble is the cost of a hello of 64 KiB that comes byte by byte, and of one with as many
// extensions as fit.
func BenchmarkDribble(b *testing.B) {
	var exts [][]byte
	for i := range 16000 {
		exts = append(exts, ext(uint16(1000+i)))
	}
	for name, data := range map[string][]byte{
		"full":       records(padded(b, "a.test", 65540), maxRecord),
		"tiny":       records(padded(b, "a.test", 65540), 1),
		"extensions": records(message(exts...), maxRecord),
	} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				var p Parser
				for n := range data {
					if _, err := p.Parse(data[:n]); err != ErrMore {
						b.Fatal(err)
					}
				}
				if _, err := p.Parse(data); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
