//go:build interop && linux

package interop

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
	"github.com/sluicelb/sluice/cmd/internal/need"
)

// A netns is a network namespace, which a process of its own holds: it is gone with that process, and that with
// this one, whatever happens.
type netns struct {
	t    *testing.T
	name string
	path string
	pid  int
}

func newNetns(t *testing.T, name string) *netns {
	t.Helper()
	need.Root(t)
	for _, program := range []string{"unshare", "nsenter", "ip", "sysctl"} {
		need.Program(t, program)
	}
	p, err := launcher.Start("network namespace", exec.Command("unshare", "--net", "sleep", "infinity"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	ns := &netns{t: t, name: name, path: fmt.Sprintf("/proc/%d/ns/net", p.PID()), pid: p.PID()}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	until(t, "a namespace", func() bool {
		theirs, err := os.Readlink(ns.path)
		select {
		case <-p.Exited():
			need.Missing(t, "needs network namespaces: unshare --net has ended")
		default:
		}
		return err == nil && theirs != own
	})
	// Strict reverse path filters everywhere: what is tested must not need them loosened.
	ns.sh(`
ip link set lo up
sysctl -qw net.ipv4.conf.all.rp_filter=1 net.ipv4.conf.default.rp_filter=1
sysctl -qw net.ipv6.conf.all.accept_dad=0 net.ipv6.conf.default.accept_dad=0
`)
	return ns
}

// enter is the command that runs another in the namespace.
func (ns *netns) enter() []string { return []string{"nsenter", "--net=" + ns.path} }

// sh runs commands in the namespace, each of which has to succeed.
func (ns *netns) sh(commands string) {
	ns.t.Helper()
	args := append(ns.enter(), "sh", "-eu", "-c", commands)
	if out, err := exec.CommandContext(ns.t.Context(), args[0], args[1:]...).CombinedOutput(); err != nil {
		ns.t.Fatalf("in namespace %s: %v: %s\n%s", ns.name, err, out, commands)
	}
}

// do calls f on a thread that is in the namespace: the sockets that f makes belong to it for good.
func (ns *netns) do(f func()) {
	ns.t.Helper()
	done := make(chan error)
	go func() {
		runtime.LockOSThread() // and never unlocked: the thread ends with the goroutine
		there, err := os.Open(ns.path)
		if err == nil {
			err = unix.Setns(int(there.Fd()), unix.CLONE_NEWNET)
			there.Close()
		}
		if err == nil {
			f()
		}
		done <- err
	}()
	if err := <-done; err != nil {
		ns.t.Fatal(err)
	}
}

// listen listens in the namespace.
func (ns *netns) listen(address string) (ln net.Listener) {
	ns.t.Helper()
	var err error
	ns.do(func() { ln, err = net.Listen("tcp", address) })
	if err != nil {
		ns.t.Fatal(err)
	}
	return ln
}

// dial connects from the namespace, from an address of it if one is given.
func (ns *netns) dial(from, to string) (conn net.Conn, err error) {
	d := *dialer
	if from != "" {
		d.LocalAddr = &net.TCPAddr{IP: net.ParseIP(from)}
	}
	ns.do(func() { conn, err = d.Dial("tcp", to) })
	return conn, err
}

// A network is what configs/SOURCE.md draws: clients on one side of the edge, nodes on the other, and a neighbour
// of theirs.
type network struct {
	client, edge, nodes, neighbour *netns
}

// newNetwork sets everything up but what that page says is to be set up.
func newNetwork(t *testing.T) *network {
	t.Helper()
	n := &network{newNetns(t, "client"), newNetns(t, "edge"), newNetns(t, "nodes"), newNetns(t, "neighbour")}
	n.edge.sh(fill(`
ip link add clients0 type veth peer name eth0 netns {client}
ip link add nodes0 type bridge
ip link add port1 type veth peer name eth0 netns {nodes}
ip link add port2 type veth peer name eth0 netns {neighbour}
ip link set port1 master nodes0 up
ip link set port2 master nodes0 up
ip link set clients0 up
ip link set nodes0 up
ip address add 203.0.113.10/24 dev clients0
ip address add 10.0.0.254/24 dev nodes0
ip address add 10.0.0.253/24 dev nodes0
ip -6 address add 2001:db8::10/64 dev clients0 nodad
ip -6 address add fd00:10::fe/64 dev nodes0 nodad
`, "client", fmt.Sprint(n.client.pid), "nodes", fmt.Sprint(n.nodes.pid), "neighbour", fmt.Sprint(n.neighbour.pid)))
	n.client.sh(`
ip link set eth0 up
ip address add 203.0.113.7/24 dev eth0
ip address add 203.0.113.8/24 dev eth0
ip -6 address add 2001:db8::7/64 dev eth0 nodad
`)
	n.nodes.sh(`
ip link set eth0 up
ip address add 10.0.0.1/24 dev eth0
ip address add 10.0.0.2/24 dev eth0
ip -6 address add fd00:10::1/64 dev eth0 nodad
ip -6 address add fd00:10::2/64 dev eth0 nodad
`)
	n.neighbour.sh(`
ip link set eth0 up
ip address add 10.0.0.50/24 dev eth0
`)
	return n
}

// bulkSize is more than all buffers on the way hold.
const bulkSize = 16 << 20

// serve runs the nodes: each says whom it sees, and passes for a MinIO that is well.
func (n *network) serve(t *testing.T) {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("GET /minio/health/live", func(http.ResponseWriter, *http.Request) {})
	mux.HandleFunc("GET /whom", func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, r.RemoteAddr, " ", r.Context().Value(http.LocalAddrContextKey))
	})
	mux.HandleFunc("GET /bulk", func(w http.ResponseWriter, _ *http.Request) {
		w.Write(make([]byte, bulkSize))
	})
	server := &http.Server{Handler: mux}
	for _, address := range []string{"10.0.0.1", "10.0.0.2", "fd00:10::1", "fd00:10::2"} {
		ln := n.nodes.listen(net.JoinHostPort(address, "9000"))
		go server.Serve(ln)
	}
	t.Cleanup(func() { server.Close() })
}

// from is a client that connects from an address in a namespace.
func (ns *netns) from(address string) *http.Client {
	tr := &http.Transport{DisableKeepAlives: true, DialContext: func(_ context.Context, _, to string) (net.Conn, error) {
		return ns.dial(address, to)
	}}
	return &http.Client{Transport: tr, Timeout: 10 * time.Second}
}

// page is one of the files that ship with Sluice.
func page(t *testing.T, name string) string {
	t.Helper()
	root, err := cluster.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "configs", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// block is the first block of a page's text that comes after a heading and has a language.
func block(t *testing.T, page, heading, language string) string {
	t.Helper()
	_, rest, found := strings.Cut(page, "\n"+heading+"\n")
	_, rest, code := strings.Cut(rest, "\n```"+language+"\n")
	text, _, ends := strings.Cut(rest, "\n```")
	if !found || !code || !ends {
		t.Fatalf("the page has no block of %s after %q", language, heading)
	}
	return text + "\n"
}
