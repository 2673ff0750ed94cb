//go:build e2e && linux

package page

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"text/template"
	"time"
)

// A stage is four nodes, a Sluice in front of them, and its clients.
type stage struct {
	nodes   [4]*node
	token   string
	admin   string // http://host:port
	s3, tls string // addresses of listeners
	config  string // file
	process *exec.Cmd

	mu      sync.Mutex // guards clients
	clients []net.Conn
}

// checkInterval is what the configuration says: a node that is killed is down after some of them.
const checkInterval = 500 * time.Millisecond

var config = template.Must(template.New("").Parse(`
[log]
level = "warn"
sessions = false
[admin]
listen = "{{.Admin}}"
token = "{{.Token}}"
[[listener]]
name = "s3"
address = "{{.S3}}"
pool = "s3"
[[listener]]
name = "tls"
address = "{{.TLS}}"
tls = "passthrough"
pool = "s3"
[[listener]]
name = "console"
address = "127.0.0.1:0"
pool = "console"
[[pool]]
name = "s3"
nodes = [{{range .Nodes}}"{{.}}", {{end}}]
[pool.check]
interval = "500ms"
[[pool]]
name = "console"
nodes = [{{range .Consoles}}"{{.}}", {{end}}]
balance = "roundrobin"
[pool.check]
type = "tcp"
interval = "500ms"
`))

// newStage starts all that there is, and ends it with the test.
func newStage(t *testing.T, token string) *stage {
	t.Helper()
	s := &stage{token: token, config: filepath.Join(t.TempDir(), "sluice.toml")}
	var nodes, consoles []string
	for i := range s.nodes {
		s.nodes[i] = newNode(t, fmt.Sprintf("127.0.1.%d:0", i+1))
		nodes = append(nodes, s.nodes[i].address)
		consoles = append(consoles, newNode(t, fmt.Sprintf("127.0.1.%d:0", i+1)).address)
	}
	s.s3, s.tls = freePort(t), freePort(t)
	address := freePort(t)
	s.admin = "http://" + address
	file, err := os.Create(s.config)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if err := config.Execute(file, map[string]any{
		"Admin": address, "Token": token, "S3": s.s3, "TLS": s.tls, "Nodes": nodes, "Consoles": consoles,
	}); err != nil {
		t.Fatal(err)
	}
	s.start(t)
	t.Cleanup(func() { s.dropClients() })
	return s
}

// freePort is an address on loopback that nobody has now.
func freePort(t *testing.T) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	return ln.Addr().String()
}

// start runs Sluice until it is ready, and ends it with the test.
func (s *stage) start(t *testing.T) {
	t.Helper()
	cmd := exec.Command(binary, "run", "-c", s.config)
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.process = cmd
	t.Cleanup(func() {
		cmd.Process.Kill()
		cmd.Wait()
	})
	if line, err := bufio.NewReader(out).ReadString('\n'); err != nil || !strings.HasPrefix(line, "ready") {
		t.Fatalf("sluice run says %q, %v", line, err)
	}
}

// stop ends Sluice at once.
func (s *stage) stop() {
	s.process.Process.Kill()
	s.process.Wait()
}

// hold opens sessions that stay, each after a few bytes went to and fro.
func (s *stage) hold(t *testing.T, n int) {
	t.Helper()
	for range n {
		c, err := net.DialTimeout("tcp", s.s3, 10*time.Second)
		if err != nil {
			t.Fatal(err)
		}
		s.keep(c)
		if _, err := io.WriteString(c, "hello, node"); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 11)); err != nil {
			t.Fatal(err)
		}
	}
}

// holdName opens a session that asks for a server name, of any text.
func (s *stage) holdName(t *testing.T, name string) {
	t.Helper()
	c, err := net.DialTimeout("tcp", s.tls, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	s.keep(c)
	go tls.Client(c, &tls.Config{ServerName: name, InsecureSkipVerify: true}).Handshake() // the echo is no answer
}

// traffic moves bytes to and fro until the test ends.
func (s *stage) traffic(t *testing.T, rate int) {
	t.Helper()
	c, err := net.DialTimeout("tcp", s.s3, 10*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	s.keep(c)
	go io.Copy(io.Discard, c)
	go func() {
		block := make([]byte, rate/20)
		for {
			if _, err := c.Write(block); err != nil {
				return
			}
			time.Sleep(50 * time.Millisecond)
		}
	}()
}

func (s *stage) keep(c net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.clients = append(s.clients, c)
}

// dropClients ends all sessions from the clients' side.
func (s *stage) dropClients() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, c := range s.clients {
		c.Close()
	}
	s.clients = nil
}

// api asks the admin API behind the page's back.
func (s *stage) api(t *testing.T, method, path string) map[string]any {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, s.admin+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	if s.token != "" {
		req.Header.Set("Authorization", "Bearer "+s.token)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil || resp.StatusCode >= 300 {
		t.Fatalf("%s %s: status %d, %v, %v", method, path, resp.StatusCode, answer, err)
	}
	return answer
}

// admins is what the operator said of the nodes of pool s3, by address.
func (s *stage) admins(t *testing.T) map[string]string {
	t.Helper()
	words := map[string]string{}
	for _, p := range s.api(t, "GET", "/api/v1/status")["pools"].([]any) {
		for _, n := range p.(map[string]any)["nodes"].([]any) {
			one := n.(map[string]any)
			words[one["name"].(string)] = one["admin"].(string)
		}
	}
	return words
}
