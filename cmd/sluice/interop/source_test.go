//go:build interop && linux

package interop

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

// whom asks a node whom it sees, and which of them it is.
func whom(c *http.Client, url string) (seen, node string, err error) {
	r, err := c.Get(url + "/whom")
	if err != nil {
		return "", "", err
	}
	defer r.Body.Close()
	text, err := io.ReadAll(r.Body)
	seen, node, _ = strings.Cut(string(text), " ")
	seen, _, _ = net.SplitHostPort(seen)
	node, _, _ = net.SplitHostPort(node)
	return seen, node, err
}

// What configs/SOURCE.md tells the operator to do is done here as it stands there, in each combination, and then
// nodes see clients.
func TestSourcePage(t *testing.T) {
	text := page(t, "SOURCE.md")
	config := block(t, text, "## The configuration", "toml")
	for _, onEdge := range []string{"### By ip rule", "### By nftables"} {
		for _, onNodes := range []string{"### The edge as the way out", "### The edge for answers only"} {
			t.Run(onEdge[4:]+", "+onNodes[4:], func(t *testing.T) {
				if strings.Contains(onEdge, "nft") {
					need.Program(t, "nft")
				}
				n := newNetwork(t)
				n.serve(t)
				n.edge.sh(block(t, text, onEdge, "sh"))
				n.nodes.sh(block(t, text, onNodes, "sh"))
				engines(t, func(t *testing.T, relay string) {
					e := startBy(t, n.edge.enter(), strings.ReplaceAll(config, "[[listener]]", "[[listener]]\nrelay = \""+relay+"\""))
					tests := []struct{ from, to, want string }{
						{"203.0.113.7", "http://203.0.113.10:9000", "203.0.113.7"},
						{"203.0.113.8", "http://203.0.113.10:9000", "203.0.113.8"},
						{"2001:db8::7", "http://[2001:db8::10]:9000", "2001:db8::7"},
					}
					for _, tt := range tests {
						nodes := map[string]bool{}
						for range 4 {
							seen, node, err := whom(n.client.from(tt.from), tt.to)
							if err != nil || seen != tt.want {
								t.Errorf("from %s: the node saw %q, %v, want %s", tt.from, seen, err, tt.want)
							}
							nodes[node] = true
						}
						if r, err := n.client.from(tt.from).Get(tt.to + "/bulk"); err != nil {
							t.Errorf("bulk from %s: %v", tt.from, err)
						} else if size, err := io.Copy(io.Discard, r.Body); size != bulkSize || err != nil {
							t.Errorf("bulk from %s: %d bytes, %v", tt.from, size, err)
						}
						if len(nodes) != 2 {
							t.Errorf("from %s: nodes %v, want both", tt.from, nodes)
						}
					}
					// One of the nodes' own network is served inside.
					if seen, _, err := whom(n.neighbour.from(""), "http://10.0.0.254:9000"); err != nil || seen != "10.0.0.254" {
						t.Errorf("from the nodes' network: the node saw %q, %v, want 10.0.0.254", seen, err)
					}
					for _, s := range e.log.entries("session") {
						if s.text("retries") != "0" {
							t.Errorf("a record: %v", s)
						}
					}
					e.process.Kill()
				})
			})
		}
	}
}

const sourceFront = `
[timeouts]
dial       = "300ms"
dial_total = "1s"
[[listener]]
name       = "s3"
address    = ["203.0.113.10:9000", "10.0.0.254:9000"]
relay      = "{relay}"
proxy_from = {proxy_from}
pool       = "s3"
[[pool]]
name   = "s3"
nodes  = [{nodes}]
source = "{source}"
check  = { type = "tcp" }
`

// What the page says will not work, and what it says happens then.
func TestSourceLimits(t *testing.T) {
	text := page(t, "SOURCE.md")
	engines(t, func(t *testing.T, relay string) {
		run := func(n *network, source, proxyFrom string, nodes ...string) *edge {
			return startBy(t, n.edge.enter(), sourceFront, "relay", relay, "source", source, "proxy_from", proxyFrom, "nodes", `"`+strings.Join(nodes, `", "`)+`"`)
		}
		n := newNetwork(t)
		n.serve(t)
		const client, front = "203.0.113.7", "http://203.0.113.10:9000"

		// The nodes answer through the edge, but the edge does not take the answers: nothing comes of it.
		n.nodes.sh(block(t, text, "### The edge as the way out", "sh"))
		e := run(n, "client", "[]", "10.0.0.1:9000")
		if seen, _, err := whom(n.client.from(client), front); err == nil {
			t.Errorf("without the rules on the edge: the node saw %q, want nothing to work", seen)
		}
		if s := e.sessions(1)[0]; s.text("cause") != "dial" || s.text("client") == "" {
			t.Errorf("without the rules on the edge: the record is %v, want the cause to be dial", s)
		}
		e.process.Kill()

		n.edge.sh(block(t, text, "### By ip rule", "sh"))
		e = run(n, "client", "[]", "10.0.0.1:9000")
		if seen, _, err := whom(n.client.from(client), front); err != nil || seen != client {
			t.Errorf("with them: the node saw %q, %v, want %s", seen, err, client)
		}
		if seen, _, err := whom(n.neighbour.from(""), "http://10.0.0.254:9000"); err == nil {
			t.Errorf("one of the nodes' network: the node saw %q, want nothing to work", seen)
		}
		if s := e.sessions(2)[1]; s.text("cause") != "dial" {
			t.Errorf("one of the nodes' network: the record is %v, want the cause to be dial", s)
		}
		e.process.Kill()

		e = run(n, "client", "[]", "[fd00:10::1]:9000")
		if seen, _, err := whom(n.client.from(client), front); err != nil || seen != "fd00:10::fe" {
			t.Errorf("another family: the node saw %q, %v, want the edge's address", seen, err)
		}
		e.process.Kill()

		// Behind another balancer the announced client counts, whom the edge itself does not know a way to.
		e = run(n, "client", `["203.0.113.8/32"]`, "10.0.0.1:9000")
		for _, announced := range []string{"198.51.100.99", "203.0.113.200"} {
			c, err := n.client.dial("203.0.113.8", "203.0.113.10:9000")
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(c, "PROXY TCP4 %s 203.0.113.10 4711 9000\r\nGET /whom HTTP/1.0\r\n\r\n", announced)
			all, err := io.ReadAll(c)
			c.Close()
			if _, body, _ := strings.Cut(string(all), "\r\n\r\n"); err != nil || !strings.HasPrefix(body, announced+":") {
				t.Errorf("announced as %s: the node saw %q, %v", announced, body, err)
			}
		}
		e.process.Kill()

		// A given address of this machine, for all clients; then one that it does not have.
		e = run(n, "10.0.0.253", "[]", "10.0.0.1:9000", "10.0.0.2:9000")
		if seen, _, err := whom(n.client.from(client), front); err != nil || seen != "10.0.0.253" {
			t.Errorf("a given address: the node saw %q, %v, want it", seen, err)
		}
		n.edge.sh("ip address del 10.0.0.253/24 dev nodes0")
		for range 5 {
			if seen, _, err := whom(n.client.from(client), front); err == nil {
				t.Errorf("an address that is gone: the node saw %q", seen)
			}
		}
		if r := e.reload(); r.text("result") != "in effect" || !e.log.contains("until an interface of this machine has the address") {
			t.Errorf("a reload while the address is gone: %v, want it to take place and a warning", r)
		}
		n.edge.sh("ip address add 10.0.0.253/24 dev nodes0")
		if seen, _, err := whom(n.client.from(client), front); err != nil || seen != "10.0.0.253" {
			t.Errorf("an address that came back: the node saw %q, %v; want no node to have been blamed", seen, err)
		}
	})
}

// One address is good for as many sessions to each node as there are ports, and for as many again to another, and so
// is each client's. When a client has them all, that is nobody else's trouble.
func TestSourcePorts(t *testing.T) {
	const ports = 32
	text := page(t, "SOURCE.md")
	engines(t, func(t *testing.T, relay string) {
		for _, source := range []string{"client", "10.0.0.253"} {
			t.Run(source, func(t *testing.T) {
				n := newNetwork(t)
				n.edge.sh(block(t, text, "### By ip rule", "sh"))
				n.nodes.sh(block(t, text, "### The edge as the way out", "sh"))
				for _, address := range []string{"10.0.0.1:9000", "10.0.0.2:9000"} {
					serveOn(t, n.nodes.listen(address), func(c *net.TCPConn) {
						io.WriteString(c, c.RemoteAddr().String()+"\n")
						io.Copy(io.Discard, c)
					})
				}
				n.edge.sh(fmt.Sprintf("sysctl -qw net.ipv4.ip_local_port_range='40000 %d'", 40000+ports-1))
				e := startBy(t, n.edge.enter(), sourceFront, "relay", relay, "source", source, "proxy_from", "[]", "nodes", `"10.0.0.1:9000", "10.0.0.2:9000"`)
				open := func(client string) (seen string, err error) {
					c, err := n.client.dial(client, "203.0.113.10:9000")
					if err != nil {
						return "", err
					}
					t.Cleanup(func() { c.Close() })
					line := make([]byte, 64)
					k, err := c.Read(line)
					return strings.TrimSpace(string(line[:k])), err
				}
				clients := []string{"203.0.113.7", "203.0.113.8"}
				if source != "client" {
					clients = clients[:1]
				}
				var seen []string
				for _, client := range clients {
					for i := range 2 * ports {
						from, err := open(client)
						if err != nil {
							t.Fatalf("session %d of %s: %v", i, client, err)
						}
						if source == "client" && !strings.HasPrefix(from, client+":") || source != "client" && !strings.HasPrefix(from, source+":") {
							t.Fatalf("a node saw %s, want %s", from, client)
						}
						seen = append(seen, from)
					}
				}
				slices.Sort(seen)
				if distinct := len(slices.Compact(slices.Clone(seen))); distinct != len(clients)*ports {
					t.Errorf("%d sessions came from %d addresses with port, want each of the %d to be used towards both nodes", len(seen), distinct, len(clients)*ports)
				}
				for range 5 { // three in a row would eject a node that was blamed for them
					if from, err := open(clients[0]); err == nil {
						t.Errorf("beyond all ports: a node saw %s", from)
					}
				}
				if source == "client" {
					n.client.sh("ip address add 203.0.113.9/24 dev eth0")
					if from, err := open("203.0.113.9"); err != nil || !strings.HasPrefix(from, "203.0.113.9:") {
						t.Errorf("another client: %q, %v, want it to be served", from, err)
					}
				}
				if e.log.contains("eject") {
					t.Errorf("a node was ejected:\n%s", e.log.tail(10))
				}
			})
		}
	})
}

// Without the capability Sluice does not begin what cannot work, and says what is missing; with it and no other it
// works.
func TestSourceCapability(t *testing.T) {
	need.Root(t)
	setpriv := need.Program(t, "setpriv")
	config := fill(plainFront, "relay", "auto", "node", "127.0.0.1:9") + "source = \"client\"\n"

	e := launch(t, []string{setpriv, "--bounding-set", "-net_admin,-net_raw", "--inh-caps", "-net_admin,-net_raw"}, config)
	code, err := e.process.Wait(t.Context())
	if want := `source = "client" needs the capability CAP_NET_ADMIN`; err != nil || code != 1 || !strings.Contains(e.log.all(), want) {
		t.Errorf("exit code %d, %v, and it wrote %q, want 1 and %q", code, err, e.log.all(), want)
	}

	n := newNetwork(t)
	n.serve(t)
	text := page(t, "SOURCE.md")
	n.edge.sh(block(t, text, "### By ip rule", "sh"))
	n.nodes.sh(block(t, text, "### The edge as the way out", "sh"))
	by := append(n.edge.enter(), setpriv, "--bounding-set", "-all,+net_admin", "--inh-caps", "-all")
	e = startBy(t, by, sourceFront, "relay", "auto", "source", "client", "proxy_from", "[]", "nodes", `"10.0.0.1:9000"`)
	if seen, _, err := whom(n.client.from("203.0.113.7"), "http://203.0.113.10:9000"); err != nil || seen != "203.0.113.7" {
		t.Errorf("with CAP_NET_ADMIN: the node saw %q, %v", seen, err)
	}
	if status := e.proc("status"); !strings.Contains(status, "CapEff:\t0000000000001000\n") {
		t.Errorf("it had more than CAP_NET_ADMIN:\n%s", status)
	}
}
