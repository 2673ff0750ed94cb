package sni

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

// FuzzParse puts any bytes to the parser and to crypto/tls, and holds what must be true of every verdict.
func FuzzParse(f *testing.F) {
	for _, s := range samples(f) {
		f.Add(s.bytes, uint16(100), uint16(50))
	}
	msg := message(named("Sni.lab.test."), offer("h2", "http/1.1"))
	f.Add(records(msg, 7), uint16(3), uint16(1))
	f.Add(slices.Concat(record(21, 0x0301, []byte{1, 112}), records(msg, 60)), uint16(8), uint16(60))
	f.Add(records(padded(f, "a.test", 20000), 5000), uint16(9000), uint16(700))
	f.Fuzz(func(t *testing.T, data []byte, cut, size uint16) {
		compare(t, data)
		hello, err := parse(data)
		checkVerdict(t, data, hello, err)

		// However it arrives, the verdict is the same one; and what is a refusal early stays one.
		n := min(int(cut), len(data))
		if again, e := parseIn(data[:n], data[n:]); !equal(again, hello) || e != err {
			t.Errorf("split at %d: %+v, %v; whole: %+v, %v", n, again, e, hello, err)
		}
		if early, e := parse(data[:n]); e != ErrMore && (e != err || !equal(early, hello)) {
			t.Errorf("%d of %d bytes: %+v, %v; all: %+v, %v", n, len(data), early, e, hello, err)
		}
		if err != nil {
			return
		}
		if n < hello.Size {
			if early, e := parse(data[:n]); e != ErrMore {
				t.Errorf("%d of %d bytes of a hello: %+v, %v", n, hello.Size, early, e)
			}
		}

		// However it is cut into records, the hello is the same one.
		again := records(payload(data[:hello.Size]), max(1, int(size)%maxRecord))
		other, e := parse(again)
		if e != nil || other.ServerName != hello.ServerName || other.Name != hello.Name || !bytes.Equal(other.ALPN, hello.ALPN) ||
			other.Version != hello.Version || other.ECH != hello.ECH || other.EarlyData != hello.EarlyData {
			t.Errorf("in other records: %+v, %v; want %+v", other, e, hello)
		}
	})
}

// FuzzExtensions leaves the lengths around a list of extensions alone, so that the fuzzer gets to what is
// inside.
func FuzzExtensions(f *testing.F) {
	for _, s := range samples(f) {
		if s.Valid {
			f.Add([]byte(extensionsOf(s.bytes[:s.HelloBytes])))
		}
	}
	f.Add(slices.Concat(named("a.test"), offer("h2")))
	f.Add(ext(extServerName, vec16(host("a.test"), host("b.test"))))
	f.Add(slices.Concat(ext(1), ext(2), named("192.0.2.1"), ext(1)))
	f.Fuzz(func(t *testing.T, exts []byte) {
		if len(exts) > 65000 {
			return
		}
		data := built(exts)
		compare(t, data)
		hello, err := parse(data)
		checkVerdict(t, data, hello, err)
		if err == ErrMore || err == ErrNotTLS {
			t.Errorf("verdict %v on a whole message", err)
		}
	})
}

// FuzzName puts any bytes in the place of the name.
func FuzzName(f *testing.F) {
	for _, name := range []string{"sni.lab.test", "SNI.lab.test.", "192.0.2.1", "::1", "a\x00b", "*.test", "bücher.test", "a..b", strings.Repeat("a", 70), long(300) + "."} {
		f.Add(name)
	}
	tab := table(f, Route[string]{Names: []string{"*.lab.test"}, Value: "below"}, Route[string]{Names: []string{"lab.test"}, Value: "exact"})
	f.Fuzz(func(t *testing.T, name string) {
		if len(name) > 65000 {
			return
		}
		data := built(named(name))
		compare(t, data)
		hello, err := parse(data)
		checkVerdict(t, data, hello, err)

		// The table agrees with the plain meaning of its patterns.
		want := ""
		if hello.Name == "lab.test" {
			want = "exact"
		} else if strings.HasSuffix(hello.Name, ".lab.test") {
			want = "below"
		}
		if got, _ := tab.Lookup(hello.Name, hello.ALPN); got != want {
			t.Errorf("%q leads to %q, want %q", name, got, want)
		}

		// A name that can be looked up is one that an operator may write, and the same.
		if hello.Name != "" {
			one := table(t, Route[string]{Names: []string{name}, Value: "it"})
			if _, ok := one.Lookup(hello.Name, nil); !ok {
				t.Errorf("a route for %q does not take it", name)
			}
		} else if err == nil && !strings.HasPrefix(name, "*.") && CheckName(name) == nil {
			t.Errorf("%q may be a route's name but is never looked up", name)
		}
	})
}

// checkVerdict holds the properties that a verdict has by itself.
func checkVerdict(t *testing.T, data []byte, hello Hello, err error) {
	t.Helper()
	if err != nil {
		if !equal(hello, Hello{}) {
			t.Errorf("%+v beside the error %v", hello, err)
		}
		if err == ErrMore && len(data) >= MaxHello {
			t.Errorf("more bytes are wanted beyond %d", len(data))
		}
		if m, ok := err.(Malformed); !ok && err != ErrMore && err != ErrNotTLS || ok && m == "" {
			t.Errorf("error %#v", err)
		}
		return
	}
	if hello.Size > len(data) || hello.Size > MaxHello || hello.Size < recordHeader+handshakeHeader+38 {
		t.Errorf("size %d of %d bytes", hello.Size, len(data))
	}
	if hello.Records < 1 || hello.Records*(recordHeader+1) > hello.Size {
		t.Errorf("%d records in %d bytes", hello.Records, hello.Size)
	}
	if len(hello.ServerName) > MaxName+1 || len(hello.Name) > len(hello.ServerName) {
		t.Errorf("server name %q, name %q", hello.ServerName, hello.Name)
	}
	if hello.Name != "" {
		if !strings.EqualFold(strings.TrimSuffix(hello.ServerName, "."), hello.Name) || Normalise(hello.Name) != hello.Name {
			t.Errorf("server name %q, name %q", hello.ServerName, hello.Name)
		}
		if strings.ContainsAny(hello.Name, "*: \x00\r\n/") {
			t.Errorf("name %q", hello.Name)
		}
	}
}
