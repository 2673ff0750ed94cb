package sni

import (
	"bytes"
	"crypto/tls"
	"errors"
	"net"
	"slices"
	"testing"
	"time"
)

// The oracle is crypto/tls, which is what MinIO's nodes parse hellos with.

var errSeen = errors.New("the oracle has seen a hello")

// oracle is what a crypto/tls server makes of data followed by the end of the stream.
func oracle(data []byte) (name string, alpn []string, err error) {
	var seen *tls.ClientHelloInfo
	config := &tls.Config{GetConfigForClient: func(info *tls.ClientHelloInfo) (*tls.Config, error) {
		seen = info
		return nil, errSeen
	}}
	err = tls.Server(readOnly{r: bytes.NewReader(data)}, config).Handshake()
	if seen == nil {
		return "", nil, err
	}
	return seen.ServerName, seen.SupportedProtos, nil
}

// readOnly is a connection that yields bytes and swallows what is written to it.
type readOnly struct {
	net.Conn // nil: anything else that is called panics
	r        *bytes.Reader
}

func (c readOnly) Read(b []byte) (int, error)       { return c.r.Read(b) }
func (c readOnly) Write(b []byte) (int, error)      { return len(b), nil }
func (c readOnly) Close() error                     { return nil }
func (c readOnly) SetWriteDeadline(time.Time) error { return nil }

// differences is every case in which this parser and crypto/tls do not agree, with its reason. A
// hello is taken by both with the same name and protocols, or by neither, or one of these applies.
var differences = []struct {
	name    string
	why     string
	applies func(data []byte, ours Hello, err error) bool
}{
	{
		"trailing dot",
		"Chromium sends it when the user types it, other balancers pass it on, and only crypto/tls refuses it: " +
			"taken here, so that nodes that understand it can be reached",
		func(data []byte, ours Hello, err error) bool {
			// Not ServerName: a long one is cut.
			return err == nil && bytes.HasSuffix(rawName(data[:ours.Size]), []byte("."))
		},
	},
	{
		"alert before or between the records of a hello",
		"crypto/tls skips warnings; nobody sends them before a server has spoken, and what precedes " +
			"the hello would have to be kept and sent on: refused here",
		func(data []byte, _ Hello, err error) bool {
			return err != nil && slices.Contains(recordTypes(data), 21)
		},
	},
	{
		"record version outside 3.x",
		"crypto/tls takes anything below 16.0; nothing but 3.0 to 3.3 is or was real: refused here",
		func(data []byte, _ Hello, err error) bool {
			return err != nil && slices.ContainsFunc(recordVersions(data), func(v uint16) bool { return v>>8 != 3 })
		},
	},
}

// rawName is the host name in a hello that was taken.
func rawName(hello []byte) (name cursor) {
	rest := extensionsOf(hello)
	var typ uint16
	var nameType uint8
	var data, list cursor
	for rest.uint16(&typ) && rest.vector16(&data) {
		if typ != extServerName || !data.vector16(&list) {
			continue
		}
		for list.uint8(&nameType) && list.vector16(&data) {
			if nameType == 0 {
				return data
			}
		}
	}
	return nil
}

// extensionsOf is the extension block of a hello that was taken.
func extensionsOf(hello []byte) (exts cursor) {
	c := cursor(payload(hello))
	_ = c.skip(handshakeHeader+2+32) && c.vector8(nil) && c.vector16(nil) && c.vector8(nil) && c.vector16(&exts)
	return exts
}

// recordTypes lists the types of the records at the front of data.
func recordTypes(data []byte) (types []byte) {
	eachRecord(data, func(header []byte) { types = append(types, header[0]) })
	return types
}

func recordVersions(data []byte) (versions []uint16) {
	eachRecord(data, func(header []byte) { versions = append(versions, uint16(header[1])<<8|uint16(header[2])) })
	return versions
}

func eachRecord(data []byte, f func(header []byte)) {
	for len(data) >= recordHeader {
		f(data[:recordHeader])
		data = data[min(len(data), recordHeader+int(data[3])<<8+int(data[4])):]
	}
}

// compare fails the test if the parser and crypto/tls disagree on data in a way that is not in
// the table of differences. It returns the name of the difference, if there is one.
func compare(t testing.TB, data []byte) string {
	t.Helper()
	hello, err := parse(data)
	name, alpn, oracleErr := oracle(data)
	if err != nil && oracleErr != nil {
		return ""
	}
	if err == nil && oracleErr == nil {
		if want := name[:min(len(name), MaxName+1)]; hello.ServerName != want {
			t.Errorf("server name %q, crypto/tls reads %q", hello.ServerName, want)
		}
		if got := hello.ALPN.Protocols(-1); !slices.Equal(got, alpn) {
			t.Errorf("ALPN %q, crypto/tls reads %q", got, alpn)
		}
		return ""
	}
	for _, d := range differences {
		if d.applies(data, hello, err) {
			return d.name
		}
	}
	t.Errorf("verdict %+v, %v; crypto/tls: name %q, %v", hello, err, name, oracleErr)
	return ""
}

// TestDifferences shows each entry of the table to be real, and nothing else to be in it.
func TestDifferences(t *testing.T) {
	hello := built(named("a.test"))
	warning := record(21, 0x0301, []byte{1, 112})
	msg := message(named("a.test"))
	cases := []struct {
		difference string
		data       []byte
	}{
		{"trailing dot", built(named("a.test."))},
		{"trailing dot", built(named("."))},
		{"trailing dot", realHello(t, "openssl30_trailingdot")},
		{"alert before or between the records of a hello", slices.Concat(warning, hello)},
		{"alert before or between the records of a hello", slices.Concat(record(22, 0x0301, msg[:9]), warning, record(22, 0x0301, msg[9:]))},
		{"record version outside 3.x", record(22, 0x0000, msg)},
		{"record version outside 3.x", record(22, 0x0200, msg)},
		{"record version outside 3.x", record(22, 0x0400, msg)},
		{"record version outside 3.x", slices.Concat(record(22, 0x0301, msg[:9]), record(22, 0x0fff, msg[9:]))},
		{"", hello},
		{"", slices.Concat(record(21, 0x0301, []byte{2, 40}), hello)}, // a fatal alert ends it for both
	}
	seen := map[string]bool{"": true}
	for _, tt := range cases {
		if got := compare(t, tt.data); got != tt.difference {
			t.Errorf("difference %q, want %q, for % x", got, tt.difference, tt.data)
		}
		seen[tt.difference] = true
	}
	for _, d := range differences {
		if !seen[d.name] {
			t.Errorf("difference %q (%s) is not shown to be real", d.name, d.why)
		}
	}
}
