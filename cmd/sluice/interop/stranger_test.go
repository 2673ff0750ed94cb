//go:build interop && linux

package interop

import (
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
)

// A sample is a PROXY header of l4/testdata with what follows it.
type sample struct {
	Name   string
	File   string
	Length int    `json:"header_len"`
	Expect string // accept, local or reject
	bytes  []byte
}

func headerSamples(t *testing.T) (all []sample) {
	t.Helper()
	root, err := cluster.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "l4", "testdata", "proxyproto")
	index, err := os.ReadFile(filepath.Join(dir, "index.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(index, &all); err != nil {
		t.Fatal(err)
	}
	for i := range all {
		if all[i].bytes, err = os.ReadFile(filepath.Join(dir, all[i].File)); err != nil {
			t.Fatal(err)
		}
	}
	if len(all) != 15 {
		t.Fatalf("%d samples, want 15", len(all))
	}
	return all
}

const sampleFront = `
[[listener]]
name       = "edge"
address    = "127.0.0.1:0"
relay      = "{relay}"
proxy_from = ["{trusted}"]
deny       = ["192.0.2.0/24", "2001:db8::/32"]   # whom the samples announce
pool       = "nodes"
[[pool]]
name  = "nodes"
nodes = ["{node}"]
proxy = "{proxy}"
check = { type = "none" }
`

// A header that ends before it is whole reaches no node, wherever it ends, and the record says why.
func TestHeadersCutShort(t *testing.T) {
	engines(t, func(t *testing.T, relay string) {
		var reached atomic.Int64
		e := start(t, sampleFront, "relay", relay, "trusted", "127.0.0.0/8", "proxy", "off",
			"node", node(t, func(*net.TCPConn) { reached.Add(1) }))
		sessions := 0
		var all sync.WaitGroup
		slots := make(chan struct{}, 16)
		for _, s := range headerSamples(t) {
			for n := range s.Length {
				sessions++
				slots <- struct{}{}
				all.Go(func() {
					defer func() { <-slots }()
					if got := verdictOn(t, e.at["edge"], string(s.bytes[:n])+fin); got != closed {
						t.Errorf("%d of the %d bytes of %s: %s, want it closed", n, s.Length, s.Name, got)
					}
				})
			}
		}
		all.Wait()
		causes := map[string]int{}
		for _, s := range e.sessions(sessions) {
			causes[s.text("cause")]++
			if s.text("phase") != "header" || !strings.HasPrefix(s.text("client"), "127.0.0.1:") {
				t.Fatalf("a record: %v, want it to end in the header, with the peer as its client", s)
			}
		}
		if n := reached.Load(); n != 0 {
			t.Errorf("%d of %d sessions reached a node", n, sessions)
		}
		t.Logf("%d sessions: %v", sessions, causes)
	})
}

// Whoever may not announce anybody changes no address, whatever it sends: not in the record, not for the access rules,
// not in what the node is told. Its header is payload.
func TestHeadersOfStrangers(t *testing.T) {
	samples := headerSamples(t)
	engines(t, func(t *testing.T, relay string) {
		for _, proxy := range []string{"off", "v1", "v2", "passthrough"} {
			t.Run(proxy, func(t *testing.T) {
				tapes := make(chan []byte, len(samples))
				e := start(t, sampleFront, "relay", relay, "trusted", "198.51.100.0/24", "proxy", proxy, "node", node(t, func(c *net.TCPConn) {
					all, _ := io.ReadAll(c)
					tapes <- all
				}))
				for _, s := range samples {
					c := connect(t, e.at["edge"])
					c.Write(s.bytes)
					c.CloseWrite()
					io.ReadAll(c)
					c.Close()
					var got []byte
					select {
					case got = <-tapes:
					case <-time.After(patience):
						t.Fatalf("%s: nothing reached the node", s.Name)
					}
					want := addrPort(c.LocalAddr().String())
					if proxy != "off" {
						h, err := readHeader(got)
						if err != nil || h.local || h.src != want || h.tlv(tlvAuthority) != "" || h.tlv(tlvSSL) != "" {
							t.Fatalf("%s: the node was told %+v, %v, want %v and no more", s.Name, h, err, want)
						}
						got = got[len(h.raw):]
					}
					if !bytes.Equal(got, s.bytes) {
						t.Errorf("%s: the node got %q, want what the client sent", s.Name, got)
					}
				}
				for _, s := range e.sessions(len(samples)) {
					if !strings.HasPrefix(s.text("client"), "127.0.0.1:") {
						t.Errorf("the record has client %s, want the peer", s.text("client"))
					}
				}
			})
		}
	})
}
