//go:build interop && linux

package interop

import (
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

// The verdicts on a client's first bytes.
const (
	goesOn  = "goes on" // with a handshake message
	refuses = "refuses"
	waits   = "waits" // for more, as far as the test has
)

// A difference is one between a node's verdict and Sluice's that is meant to be. Sluice has to read the name in a
// hello, and where a specification forbids what it reads, or it is larger than anybody's, Sluice is strict.
type difference struct{ directly, through, because string }

// goServer is a node with the library that MinIO has.
func goServer(t *testing.T) string {
	t.Helper()
	cfg := &tls.Config{Certificates: []tls.Certificate{issue(t, shop, shop)}}
	return node(t, func(c *net.TCPConn) {
		s := tls.Server(c, cfg)
		if s.Handshake() == nil {
			s.Read(make([]byte, 1))
		}
	})
}

// On each of the hostile hellos a node directly and Sluice before it have the same verdict.
func TestSameVerdictOnHellos(t *testing.T) {
	t.Parallel()
	need.Program(t, "openssl")
	majorVersion := difference{goesOn, refuses, "no TLS was ever of another major version than 3"}
	between := difference{goesOn, refuses, "RFC 8446, 5.1: nothing between the records of one message, and no alert is a client's first word"}
	for _, server := range []struct {
		name    string
		address string
		differs map[string]difference
	}{
		{"OpenSSL", opensslServer(t, "-www"), map[string]difference{
			"an empty name":             {goesOn, refuses, "RFC 6066, 3: HostName<1..2^16-1>"},
			"an empty record":           {goesOn, refuses, "RFC 8446, 5.1: handshake messages have no empty fragments"},
			"a message of 64 KiB and 1": {waits, refuses, "the bound on what is kept"},
		}},
		{"Go", goServer(t), map[string]difference{
			"record of version 0.0":        majorVersion,
			"record of version 2.0":        majorVersion,
			"record of version 4.0":        majorVersion,
			"an alert between two records": between,
			"a warning, then the hello":    between,
		}},
	} {
		t.Run(server.name, func(t *testing.T) {
			engines(t, func(t *testing.T, relay string) {
				edge := start(t, byName, "relay", relay, "shop", shop, "node", server.address).at["edge"]
				seen := map[string]int{}
				for _, tt := range hostile() {
					want, differs := server.differs[tt.name]
					directly, through := verdictOnHello(t, server.address, tt.sent), verdictOnHello(t, edge, tt.sent)
					if !differs {
						want = difference{directly: directly, through: directly}
					}
					if directly != want.directly || through != want.through {
						t.Errorf("%s: directly the node %s, through Sluice it %s; want %q, %q %s", tt.name, directly, through, want.directly, want.through, want.because)
					}
					seen[through]++
				}
				if seen[goesOn] < 10 || seen[refuses] < 10 {
					t.Errorf("nothing was shown: %v", seen)
				}
			})
		})
	}
}

// verdictOnHello is what a server makes of a client's first bytes.
func verdictOnHello(t *testing.T, address, sent string) string {
	t.Helper()
	c := connect(t, address)
	defer c.Close()
	go io.WriteString(c, sent) // ends with the connection, where nobody reads it
	c.SetReadDeadline(time.Now().Add(2 * time.Second))
	first := make([]byte, 1)
	_, err := io.ReadFull(c, first)
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		return waits
	case err != nil || first[0] != 22: // an alert, or what OpenSSL says to HTTP
		return refuses
	default:
		return goesOn
	}
}

// What no proper client sends behind a proper hello, in the manner of tlsfuzzer's scripts: the node's own word on it
// reaches the client, and nothing else does.
func TestOddHandshakes(t *testing.T) {
	t.Parallel()
	need.Program(t, "openssl")
	node := opensslServer(t, "-www")
	h := helloFor(shop)
	h.extensions = []extension{h.extensions[1],
		{10, []byte{0, 2, 0, 23}},            // supported_groups: P-256
		{11, []byte{1, 0}},                   // ec_point_formats: uncompressed
		{13, []byte{0, 6, 4, 1, 8, 4, 4, 3}}, // signature_algorithms
		{23, nil},                            // extended_master_secret
		{0xff01, []byte{0}},                  // renegotiation_info
	}
	message := h.message()
	good := h.bytes()
	tls12 := func(typ byte, content ...byte) []byte { return record(typ, 0x0303, content) }
	exchange := append([]byte{16, 0, 0, 66, 65, 4}, bytes.Repeat([]byte{0x11}, 64)...) // a ClientKeyExchange off the curve
	tests := []struct {
		name  string
		parts [][]byte // sent one after the other, each when the node has gone quiet
	}{
		{"nothing more", [][]byte{good, nil}},
		{"the hello again", [][]byte{good, good}},
		{"a handshake message nobody knows", [][]byte{good, tls12(22, 99, 0, 0, 0)}},
		{"an empty handshake message", [][]byte{good, tls12(22)}},
		{"hello_request from the client", [][]byte{good, tls12(22, 0, 0, 0, 0)}},
		{"finished too early", [][]byte{good, tls12(22, append([]byte{20, 0, 0, 12}, make([]byte, 12)...)...)}},
		{"change_cipher_spec too early", [][]byte{good, tls12(20, 1)}},
		{"change_cipher_spec of 2 bytes", [][]byte{good, tls12(20, 1, 1)}},
		{"change_cipher_spec of value 2", [][]byte{good, tls12(20, 2)}},
		{"application data too early", [][]byte{good, tls12(23, []byte("GET / HTTP/1.0\r\n\r\n")...)}},
		{"a point off the curve", [][]byte{good, tls12(22, exchange...)}},
		{"a key exchange cut short", [][]byte{good, tls12(22, 16, 0, 0, 66, 65, 4)}},
		{"close_notify", [][]byte{good, tls12(21, 1, 0)}},
		{"a warning", [][]byte{good, tls12(21, 1, 90)}},
		{"a fatal alert", [][]byte{good, tls12(21, 2, 40)}},
		{"an alert of 1 byte", [][]byte{good, tls12(21, 2)}},
		{"an alert of level 3", [][]byte{good, tls12(21, 3, 40)}},
		{"a record type nobody knows", [][]byte{good, tls12(99, 1, 2, 3)}},
		{"a heartbeat", [][]byte{good, tls12(24, 1, 0x40, 0, 1, 2, 3)}},
		{"a record of another version", [][]byte{good, record(22, 0x0505, exchange)}},
		{"a record over the bound", [][]byte{good, append([]byte{22, 3, 3, 0x48, 0x01}, make([]byte, 0x4801)...)}},
		{"no TLS any more", [][]byte{good, []byte("GET / HTTP/1.0\r\n\r\n")}},
		{"zeros", [][]byte{good, make([]byte, 4096)}},
		{"everything at once", [][]byte{append(bytes.Clone(good), append(tls12(22, exchange...), tls12(20, 1)...)...)}},
		{"the hello in pieces", [][]byte{records(0x0301, 20, message), tls12(20, 1)}},
	}
	known := map[string]string{} // the answers directly
	engines(t, func(t *testing.T, relay string) {
		edge := start(t, byName, "relay", relay, "shop", shop, "node", node).at["edge"]
		for _, tt := range tests {
			t.Run(tt.name, func(t *testing.T) {
				const moment = 150 * time.Millisecond
				directly, through := known[tt.name], reaction(t, edge, moment, tt.parts)
				if directly == "" {
					directly = reaction(t, node, moment, tt.parts)
					known[tt.name] = directly
				}
				if directly != through { // a busy machine may be quiet when it has something to say
					directly, through = reaction(t, node, time.Second, tt.parts), reaction(t, edge, time.Second, tt.parts)
				}
				if directly != through {
					t.Errorf("directly the node's answer was %s, through Sluice %s", directly, through)
				}
				if tt.name == "nothing more" && !strings.HasPrefix(directly, "22") {
					t.Errorf("nothing was shown: directly the node's answer was %s", directly)
				}
			})
		}
	})
}

// reaction is what a server answers to each part until it is quiet for a moment: the types of its records, the
// content of its alerts, its end.
func reaction(t *testing.T, address string, moment time.Duration, parts [][]byte) string {
	t.Helper()
	c := connect(t, address)
	defer c.Close()
	var said []string
	var got []byte
	buf := make([]byte, 64<<10)
	for _, part := range parts {
		c.Write(part)
		for {
			c.SetReadDeadline(time.Now().Add(moment))
			n, err := c.Read(buf)
			got = append(got, buf[:n]...)
			for len(got) >= 5 && len(got) >= 5+int(got[3])<<8+int(got[4]) {
				end := 5 + int(got[3])<<8 + int(got[4])
				word := fmt.Sprint(got[0])
				if got[0] == 21 {
					word += fmt.Sprintf(":%x", got[5:end])
				}
				said, got = append(said, word), got[end:]
			}
			if errors.Is(err, os.ErrDeadlineExceeded) {
				said = append(said, "quiet")
				break
			}
			if err != nil {
				return strings.Join(append(said, "end"), " ")
			}
		}
	}
	return strings.Join(said, " ")
}
