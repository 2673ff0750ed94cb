package doctor

import (
	"context"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

func TestJudgeReach(t *testing.T) {
	fine := nodeReading{pool: "s3", name: "n1:9000", asked: "n1:9000", minio: true, status: 200, server: "MinIO", took: 2 * time.Millisecond}
	tests := []struct {
		name   string
		change func(*nodeReading)
		want   string
	}{
		{"fine", func(*nodeReading) {}, "ok nodes: pool s3: 1 of 1 answer, the slowest connects in 2.00 ms"},
		{"only connected to", func(n *nodeReading) { *n = nodeReading{pool: "s3", name: "n1:9000"} }, "ok nodes: pool s3: 1 of 1"},
		{"refused", func(n *nodeReading) { n.dialErr = fmt.Errorf("dial: %w", syscall.ECONNREFUSED) }, "fail nodes: n1:9000 of pool s3: connection refused...-> systemctl start minio"},
		{"no route", func(n *nodeReading) { n.dialErr = syscall.EHOSTUNREACH }, "fail nodes:...no route"},
		{"no file of its CA", func(n *nodeReading) {
			*n = nodeReading{pool: "s3", name: "n1:9000", setupErr: errors.New("tls.ca: no such file")}
		}, "fail nodes:...tls.ca: no such file -> the files that [pool.tls] names"},
		{"no TLS for clients", func(n *nodeReading) { n.sni, n.helloErr = "s3.example", errors.New("EOF") }, "fail nodes:...clients that ask for s3.example get no TLS: EOF -> openssl s_client -connect n1:9000 -servername s3.example"},
		{"silent", func(n *nodeReading) { n.dialErr = context.DeadlineExceeded }, "fail nodes:...no answer within 5s -> a firewall"},
		{"unknown name", func(n *nodeReading) { n.dialErr = &net.DNSError{Name: "n1"} }, `its name "n1" is not known -> getent hosts n1`},
		{"no answer", func(n *nodeReading) { n.askErr = errors.New("EOF\x1b") }, `fail nodes:...no answer at n1:9000: EOF\x1b ->`},
		{"TLS that is not asked for", func(n *nodeReading) { n.status, n.body = 400, "Client sent an HTTP request to an HTTPS server.\n" }, "fail nodes:...speaks TLS...-> tls = true in [pool.check]"},
		{"not joined", func(n *nodeReading) { n.notJoined = "offline" }, "fail nodes:...has not joined its cluster (x-minio-server-status: offline)"},
		{"busy", func(n *nodeReading) { n.status = 503 }, "warn nodes:...busy"},
		{"another port", func(n *nodeReading) { n.status = 404 }, "fail nodes:...status 404...-> port in [pool.check]"},
		{"another server, as configured", func(n *nodeReading) { n.server, n.minio, n.status = "nginx", false, 404 }, "ok nodes"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := fine
			tt.change(&n)
			wants(t, judgeReach([]*nodeReading{&n}), tt.want)
		})
	}
	other := nodeReading{pool: "s3", name: "n2:9000", dialErr: syscall.ECONNREFUSED}
	wants(t, judgeReach([]*nodeReading{&fine, &other}), "fail nodes: n2:9000", "ok nodes: pool s3: 1 of 2 answer")
}

func TestJudgeNodeClocks(t *testing.T) {
	skewed := func(d time.Duration) []*nodeReading { return []*nodeReading{{pool: "s3", name: "n1:9000", skew: d}} }
	wants(t, judgeNodeClocks(skewed(3*time.Second)))
	wants(t, judgeNodeClocks(skewed(20*time.Second)), "warn clock: that of n1:9000 (pool s3) is 20s ahead of this machine's")
	wants(t, judgeNodeClocks(skewed(-time.Minute)), "warn clock:...1m0s behind this machine's")
	wants(t, judgeNodeClocks(skewed(-15*time.Minute)), "fail clock:...15m0s behind")

	now := time.Date(2026, 1, 2, 3, 4, 5, 600e6, time.UTC)
	for date, want := range map[time.Duration]time.Duration{ // Date is without fractions
		-600 * time.Millisecond: 0, -1600 * time.Millisecond: -600 * time.Millisecond, 2400 * time.Millisecond: 2300 * time.Millisecond,
	} {
		if got := skewBetween(now.Add(date), now, now.Add(100*time.Millisecond)); got != want {
			t.Errorf("date %v from now: got %v, want %v", date, got, want)
		}
	}
}

func TestJudgeVersions(t *testing.T) {
	node := func(name, version, server string) *nodeReading {
		return &nodeReading{name: name, asked: name, minio: true, status: 200, version: version, server: server}
	}
	wants(t, judgeVersions([]*nodeReading{{name: "n1", dialErr: errors.New("x")}}))
	wants(t, judgeVersions([]*nodeReading{node("n1", "A", "MinIO"), node("n2", "A", "MinIO")}), "ok versions: A (n1, n2)")
	wants(t, judgeVersions([]*nodeReading{node("n1", "A", "MinIO"), node("n2", "B", "MinIO")}), "warn versions: they differ: A (n1), B (n2) ->")
	wants(t, judgeVersions([]*nodeReading{node("n1", "", "MinIO"), node("n2", "", "AIStor")}), "warn versions:...AIStor (n2), MinIO (n1)")
	wants(t, judgeVersions([]*nodeReading{node("n1", "", "MinIO")}), "ok versions: not told to strangers...MinIO (n1)")
	wants(t, judgeVersions([]*nodeReading{node("n1", "A", "MinIO"), node("n2", "", "nginx")}), "warn versions: not all are MinIO...MinIO (n1), nginx (n2) -> name the nodes themselves")
	if got := findVersion("# HELP x\nminio_software_version_info{server=\"a:9000\",version=\"2025-01-01T00:00:00Z\"} 1\n"); got != "2025-01-01T00:00:00Z" {
		t.Errorf("findVersion: got %q", got)
	}
}

func TestJudgeRedirects(t *testing.T) {
	plain := config(t, "[[listener]]\nname = \"console\"\naddress = \":9001\"\npool = \"s3\"")
	to := func(destinations ...string) (all []*nodeReading) {
		for i, d := range destinations {
			n := &nodeReading{name: fmt.Sprintf("192.0.2.%d:9000", i+1), minio: true, redirect: 307, destination: d}
			if n.asked = n.name; d == "" {
				n.redirect = 403
			}
			all = append(all, n)
		}
		return all
	}
	wants(t, judgeRedirects(nil, plain))
	wants(t, judgeRedirects(to("", ""), plain), "ok console url:...MINIO_BROWSER=off")
	wants(t, judgeRedirects(to("https://console.example.net", "https://console.example.net"), plain), "ok console url:...https://console.example.net on every node")
	wants(t, judgeRedirects(to("https://a.example", "https://b.example"), plain), "warn console url:...https://a.example (192.0.2.1:9000), https://b.example")
	wants(t, judgeRedirects(to("http://"+askedHost+":9001"), plain), "ok console url:...not set; the guess, port 9001")
	wants(t, judgeRedirects(to("http://"+askedHost+":9009"), plain), "warn console url:...port 9009...where no listener is -> MINIO_BROWSER_REDIRECT_URL=")
	wants(t, judgeRedirects(to("http://192.0.2.1:9001"), plain), "warn console url:...past Sluice")
	wants(t, judgeRedirects(to("nonsense\x1b"), plain), `fail console url:...no URL`)
	ends := *plain
	ends.Listeners = append(ends.Listeners, &configs.Listener{TLS: configs.Terminate})
	wants(t, judgeRedirects(to("http://"+askedHost+":9001"), &ends), "warn console url:...plain http")
}

func TestJudgeCertificates(t *testing.T) {
	now := time.Date(2026, 6, 15, 0, 0, 0, 0, time.UTC)
	until := func(days int) *x509.Certificate {
		return &x509.Certificate{NotBefore: now.AddDate(0, 0, -90), NotAfter: now.AddDate(0, 0, days)}
	}
	for days, want := range map[int]string{
		-1: "fail certificate: a.pem expired on 2026-06-14 -> renew a.pem", 13: "warn certificate: a.pem expires in 13 days, on 2026-06-28",
		14: "ok certificate: a.pem is good until 2026-06-29",
	} {
		wants(t, judgeCertificates([]certificateReading{{"s3", "a.pem", "a.key", until(days), nil}}, now), want)
	}
	wants(t, judgeCertificates([]certificateReading{{"s3", "a.pem", "a.key", until(9), nil}}, now.AddDate(0, 0, -91)), "fail certificate: a.pem is good only from")
	wants(t, judgeCertificates([]certificateReading{{"s3", "a.pem", "a.key", nil, errors.New("no such file")}}, now), `fail certificate: listener "s3": a.pem: no such file -> openssl x509`)

	nodes := []*nodeReading{{name: "n1"}, {name: "n2", pool: "s3", leaf: until(40)}, {name: "n3", pool: "s3", leaf: until(30)}}
	wants(t, judgeNodeCertificates(nodes, now), "ok certificate: of the nodes' the first to end: that of node n3 (pool s3) is good until 2026-07-15")
	nodes[1].verifyErr = errors.New("unknown authority")
	wants(t, judgeNodeCertificates(nodes, now), "fail certificate: that of node n2 (pool s3) is refused: unknown authority -> [pool.tls]")
}

// stub is a node that says what a MinIO node does.
func stub(version string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "MinIO")
		switch isBrowser := strings.Contains(r.UserAgent(), "Mozilla"); {
		case r.URL.Path == "/" && isBrowser:
			http.Redirect(w, r, "http://"+r.Host+":9001", http.StatusTemporaryRedirect)
		case r.URL.Path == "/minio/v2/metrics/node" && !isBrowser:
			fmt.Fprintf(w, "minio_software_version_info{server=%q,version=%q} 1\n", r.Host, version)
		case r.URL.Path != liveQuestion:
			http.Error(w, "denied", http.StatusForbidden)
		}
	})
}

// TestAskNodes asks four stubs: two of different versions, one that speaks TLS without being asked to, one that is gone.
func TestAskNodes(t *testing.T) {
	old, young, encrypted, gone := httptest.NewServer(stub("A")), httptest.NewServer(stub("B")), httptest.NewTLSServer(stub("A")), httptest.NewServer(nil)
	defer old.Close()
	defer young.Close()
	defer encrypted.Close()
	gone.Close()
	cfg := configs.Default()
	plain, secret := configs.DefaultPool(), configs.DefaultPool()
	plain.Name, secret.Name, secret.Check.TLS = "plain", "secret", true
	for _, s := range []*httptest.Server{old, young, encrypted, gone} {
		plain.Nodes = append(plain.Nodes, s.Listener.Addr().String())
	}
	secret.Nodes = []string{encrypted.Listener.Addr().String()}
	cfg.Pools = []*configs.Pool{plain, secret}

	nodes := askNodes(t.Context(), cfg)
	wants(t, judgeReach(nodes), "fail nodes:...speaks TLS", "fail nodes:...connection refused",
		"ok nodes: pool plain: 2 of 4", "ok nodes: pool secret: 1 of 1")
	wants(t, judgeVersions(nodes), "warn versions: they differ: A (...), B (")
	wants(t, judgeRedirects(nodes, cfg), "warn console url:...port 9001 of the name they asked, where no listener is")
	wants(t, judgeNodeCertificates(nodes, time.Now()), "fail certificate:...is refused: x509: certificate signed by unknown authority")
	wants(t, judgeNodeClocks(nodes))
}

// TestAskNodesBehindPassthrough meets the nodes' own TLS, as clients do: httptest's certificate is for example.com.
func TestAskNodesBehindPassthrough(t *testing.T) {
	encrypted, plain := httptest.NewTLSServer(stub("A")), httptest.NewServer(stub("A"))
	defer encrypted.Close()
	defer plain.Close()
	ask := func(s *httptest.Server, name string) []*nodeReading {
		cfg := configs.Default()
		p := configs.DefaultPool()
		p.Name, p.Nodes, p.Check.Type = "s3", []string{s.Listener.Addr().String()}, configs.CheckTCP
		cfg.Pools = []*configs.Pool{p}
		cfg.Listeners = []*configs.Listener{{TLS: configs.Passthrough, Routes: []*configs.Route{{SNI: []string{"*.example.com", name}, Pool: "s3"}}}}
		return askNodes(t.Context(), cfg)
	}
	wants(t, judgeNodeCertificates(ask(encrypted, "example.com"), time.Now()), "ok certificate: of the nodes'")
	wants(t, judgeNodeCertificates(ask(encrypted, "s3.example.net"), time.Now()), "fail certificate:...not s3.example.net -> a certificate on the node that names s3.example.net")
	wants(t, judgeReach(ask(plain, "example.com")), "fail nodes:...clients that ask for example.com get no TLS")
}

// TestAskNodesWithProxyHeader checks that a node that insists on a PROXY header gets one on each connection.
func TestAskNodesWithProxyHeader(t *testing.T) {
	for kind, want := range map[configs.ProxyOut]string{
		configs.ProxyV1: "PROXY UNKNOWN\r\n", configs.ProxyV2: "\r\n\r\n\x00\r\nQUIT\n\x20\x00\x00\x00", configs.ProxyOff: "",
	} {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		server := &http.Server{Handler: stub("A")}
		go server.Serve(&headerListener{ln, want})
		p := configs.DefaultPool()
		p.Name, p.Nodes, p.Proxy = "s3", []string{ln.Addr().String()}, kind
		cfg := configs.Default()
		cfg.Pools = []*configs.Pool{p}
		wants(t, judgeReach(askNodes(t.Context(), cfg)), "ok nodes: pool s3: 1 of 1 answer")
		server.Close()
	}
}

// headerListener takes a header off each connection; one with another header is closed.
type headerListener struct {
	net.Listener
	header string
}

func (l *headerListener) Accept() (net.Conn, error) {
	conn, err := l.Listener.Accept()
	if err != nil {
		return nil, err
	}
	got := make([]byte, len(l.header))
	conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	for n := 0; n < len(got); {
		m, err := conn.Read(got[n:])
		if n += m; err != nil {
			break
		}
	}
	conn.SetReadDeadline(time.Time{})
	if string(got) != l.header {
		conn.Close()
	}
	return conn, nil
}
