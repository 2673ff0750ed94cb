package pool

import (
	"context"
	"crypto/tls"
	"encoding/pem"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/configs"
)

// askAt runs one check of a node at addr.
func askAt(t *testing.T, addr string, edit func(*configs.Pool)) Result {
	t.Helper()
	c := poolConfig(addr, func(c *configs.Pool) {
		c.Check = configs.DefaultPool().Check
		c.Check.Timeout = 5 * time.Second
	}, edit)
	s, _ := newSet(t)
	s.CheckHeader = func(p configs.ProxyOut) []byte { return []byte("PROXY UNKNOWN for " + string(p) + "\r\n") }
	return askPool(t, s, c)
}

func askPool(t *testing.T, s *Set, c *configs.Pool) Result {
	t.Helper()
	next, err := s.Prepare([]*configs.Pool{c})
	if err != nil {
		t.Fatal(err)
	}
	p := next.Pool(c.Name)
	return p.probes.probe(p.Nodes()[0]).ask(t.Context())
}

// answer is an HTTP node that gives one answer.
func answer(t *testing.T, status int, header ...string) string {
	t.Helper()
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
	}))
	t.Cleanup(srv.Close)
	return srv.Listener.Addr().String()
}

func expect(t *testing.T, name string, got Result, verdict Verdict, text string) {
	t.Helper()
	if got.Verdict != verdict || !strings.Contains(got.Text, text) {
		t.Errorf("%s: %v %q, want %v %q", name, got.Verdict, got.Text, verdict, text)
	}
}

func TestCheckMinIO(t *testing.T) {
	minio := func(*configs.Pool) {}
	expect(t, "live", askAt(t, answer(t, 200), minio), Pass, "status 200")
	expect(t, "starting", askAt(t, answer(t, 200, minioStatus, "offline"), minio), Fail, `x-minio-server-status: "offline"`)
	expect(t, "starting, unnamed", askAt(t, answer(t, 200, minioStatus, ""), minio), Fail, "x-minio-server-status")
	expect(t, "429", askAt(t, answer(t, 429), minio), Busy, "status 429")
	expect(t, "503", askAt(t, answer(t, 503), minio), Busy, "status 503")
	for _, status := range []int{204, 301, 307, 400, 403, 404, 412, 500, 502} {
		expect(t, fmt.Sprint(status), askAt(t, answer(t, status, "Location", "/elsewhere"), minio), Fail, fmt.Sprint("status ", status))
	}
	expect(t, "refused", askAt(t, closedAddr(t), minio), Fail, "connection refused")
	hostile := "\x1b[31m" + strings.Repeat("x", 1000)
	got := askAt(t, rawNode(t, "HTTP/1.1 200 OK\r\nX-Minio-Server-Status: "+strings.Repeat("offline", 20)+"\r\n\r\n"), minio)
	expect(t, "long value", got, Fail, "offline")
	if len(got.Text) > maxCheckText+3 {
		t.Errorf("a text of %d bytes", len(got.Text))
	}
	got = askAt(t, rawNode(t, hostile+"\r\n\r\n"), minio)
	if got.Verdict != Fail || strings.Contains(got.Text, "\x1b") {
		t.Errorf("not HTTP: %v %q", got.Verdict, got.Text)
	}
	got = askAt(t, rawNode(t, "HTTP/1.1 200 OK\r\nX: "+strings.Repeat("x", 1<<20)+"\r\n\r\n"), minio)
	expect(t, "endless header", got, Fail, "")
	got = askAt(t, rawNode(t, "HTTP/1.1 200 OK\r\n\r\n"+strings.Repeat("x", 8<<20)), minio)
	expect(t, "endless body", got, Pass, "status 200")
	expect(t, "closes at once", askAt(t, rawNode(t, ""), minio), Fail, "EOF")
}

// rawNode sends bytes to whoever asks, and closes.
func rawNode(t *testing.T, bytes string) string {
	t.Helper()
	return serve(t, func(c net.Conn) {
		_, _ = c.Read(make([]byte, 4096))
		_, _ = io.WriteString(c, bytes)
	})
}

// serve handles the connections of a listener, one after the other, and closes them.
func serve(t *testing.T, handle func(net.Conn)) string {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			c, err := ln.Accept()
			if err != nil {
				return
			}
			_ = c.SetDeadline(time.Now().Add(10 * time.Second))
			handle(c)
			c.Close()
		}
	}()
	t.Cleanup(func() { ln.Close(); <-done })
	return ln.Addr().String()
}

// TestCheckRequest is what a node sees of a check.
func TestCheckRequest(t *testing.T) {
	var seen words
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		seen.add(fmt.Sprintf("%s %s host=%s close=%v body=%d", r.Method, r.RequestURI, r.Host, r.Close, r.ContentLength))
	}))
	defer srv.Close()
	addr := srv.Listener.Addr().String()
	askAt(t, addr, func(*configs.Pool) {})
	if got, want := seen.take(), "GET /minio/health/live host="+addr+" close=true body=0"; got != want {
		t.Errorf("seen %q, want %q", got, want)
	}
	askAt(t, addr, func(c *configs.Pool) {
		c.Check.Type, c.Check.Path, c.Check.Host = configs.CheckHTTP, "/a%2fb?deep=1", "s3.example.net"
	})
	if got, want := seen.take(), "GET /a%2fb?deep=1 host=s3.example.net close=true body=0"; got != want {
		t.Errorf("seen %q, want %q", got, want)
	}
}

func TestCheckHTTP(t *testing.T) {
	plain := func(c *configs.Pool) { c.Check.Type = configs.CheckHTTP }
	only := func(c *configs.Pool) { c.Check.Type, c.Check.Status = configs.CheckHTTP, []int{401, 503} }
	for status, want := range map[int]Verdict{200: Pass, 204: Pass, 302: Pass, 399: Pass, 400: Fail, 404: Fail, 429: Fail, 503: Fail} {
		expect(t, fmt.Sprint(status), askAt(t, answer(t, status), plain), want, fmt.Sprint("status ", status))
	}
	for status, want := range map[int]Verdict{200: Fail, 401: Pass, 503: Pass} {
		expect(t, fmt.Sprint("only some: ", status), askAt(t, answer(t, status), only), want, "")
	}
	expect(t, "the header means nothing", askAt(t, answer(t, 200, minioStatus, "offline"), plain), Pass, "")
}

func TestCheckHangs(t *testing.T) {
	hung := serve(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }) // takes all, says nothing
	for _, typ := range []configs.CheckType{configs.CheckMinIO, configs.CheckHTTP, configs.CheckTLS} {
		start := time.Now()
		got := askAt(t, hung, func(c *configs.Pool) { c.Check.Type, c.Check.Timeout = typ, 50*time.Millisecond })
		if got.Verdict == Late {
			t.Skip("this machine is too busy to judge")
		}
		expect(t, string(typ), got, Fail, "no answer within 50ms")
		if d := time.Since(start); d > 5*time.Second {
			t.Errorf("%s took %v", typ, d)
		}
	}
}

// TestCheckCanceled: Close waits for no answer.
func TestCheckCanceled(t *testing.T) {
	asked := make(chan struct{}, 1)
	hung := serve(t, func(c net.Conn) {
		asked <- struct{}{}
		_, _ = io.Copy(io.Discard, c)
	})
	s, _ := newSet(t)
	next, err := s.Prepare([]*configs.Pool{poolConfig(hung, func(c *configs.Pool) {
		c.Check = configs.DefaultPool().Check
		c.Check.Timeout = time.Hour
	})})
	if err != nil {
		t.Fatal(err)
	}
	next.Commit()
	<-asked
	start := time.Now()
	s.Close()
	if d := time.Since(start); d > 5*time.Second {
		t.Errorf("Close waited %v", d)
	}
}

func TestCheckTCP(t *testing.T) {
	tcp := func(c *configs.Pool) { c.Check.Type, c.TLS.Enabled = configs.CheckTCP, true }
	expect(t, "open", askAt(t, answer(t, 500), tcp), Pass, "connected")
	expect(t, "refused", askAt(t, closedAddr(t), tcp), Fail, "connection refused")
}

// tlsNode is a TLS node with httptest's certificate (127.0.0.1, ::1, example.com), and the file with its CA.
func tlsNode(t *testing.T, handler http.HandlerFunc) (addr, ca string, names *words) {
	t.Helper()
	names = &words{}
	srv := httptest.NewUnstartedServer(handler)
	srv.Config.ErrorLog = log.New(io.Discard, "", 0)
	srv.TLS = &tls.Config{GetConfigForClient: func(h *tls.ClientHelloInfo) (*tls.Config, error) {
		names.add(fmt.Sprintf("%q", h.ServerName))
		return nil, nil
	}}
	srv.StartTLS()
	t.Cleanup(srv.Close)
	ca = filepath.Join(t.TempDir(), "ca.pem")
	block := &pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw}
	if err := os.WriteFile(ca, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return srv.Listener.Addr().String(), ca, names
}

func TestCheckTLS(t *testing.T) {
	var protos words
	addr, ca, names := tlsNode(t, func(w http.ResponseWriter, r *http.Request) { protos.add(r.Proto) })
	type edit = func(*configs.Pool)
	with := func(e edit) edit {
		return func(c *configs.Pool) { c.TLS.CA = ca; e(c) }
	}
	for _, typ := range []configs.CheckType{configs.CheckMinIO, configs.CheckHTTP, configs.CheckTLS} {
		over := func(e edit) edit {
			return func(c *configs.Pool) { c.Check.Type, c.Check.TLS = typ, true; e(c) }
		}
		name := string(typ) + " "
		names.take()
		expect(t, name+"by address", askAt(t, addr, over(with(func(*configs.Pool) {}))), Pass, "")
		expect(t, name+"by name", askAt(t, addr, over(with(func(c *configs.Pool) { c.TLS.ServerName = "example.com" }))), Pass, "")
		expect(t, name+"by the check's own name", askAt(t, addr, over(with(func(c *configs.Pool) {
			c.TLS.ServerName, c.Check.ServerName = "wrong.example", "example.com"
		}))), Pass, "")
		if got, want := names.take(), `"" "example.com" "example.com"`; got != want {
			t.Errorf("%snames asked for: %s, want %s", name, got, want)
		}
		expect(t, name+"wrong name", askAt(t, addr, over(with(func(c *configs.Pool) { c.Check.ServerName = "wrong.example" }))),
			Fail, "not wrong.example (pool.tls.ca, check.server_name \"wrong.example\")")
		expect(t, name+"unknown authority", askAt(t, addr, over(func(*configs.Pool) {})), Fail, "certificate: x509: certificate signed by unknown authority")
		expect(t, name+"insecure", askAt(t, addr, over(func(c *configs.Pool) { c.TLS.Insecure = true })), Pass, "")
		expect(t, name+"plain node", askAt(t, answer(t, 200), over(func(*configs.Pool) {})), Fail, "the node does not speak TLS")
	}
	if got := strings.ReplaceAll(protos.take(), "HTTP/1.1", ""); strings.TrimSpace(got) != "" {
		t.Errorf("checks spoke also %s", got)
	}
	expect(t, "plain check of a TLS node", askAt(t, addr, func(*configs.Pool) {}), Fail, "status 400: the node speaks TLS (check.tls = true)")
	expect(t, "tls.enabled is enough", askAt(t, addr, with(func(c *configs.Pool) { c.TLS.Enabled = true })), Pass, "")
}

func TestCheckClientCertificate(t *testing.T) {
	demanding := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {}))
	demanding.TLS = &tls.Config{ClientAuth: tls.RequireAnyClientCert}
	demanding.Config.ErrorLog = log.New(io.Discard, "", 0)
	demanding.StartTLS()
	defer demanding.Close()
	certFile, keyFile := writePair(t, demanding.TLS.Certificates[0])
	at := demanding.Listener.Addr().String()
	edit := func(c *configs.Pool) { c.Check.TLS, c.TLS.Insecure = true, true }
	expect(t, "without", askAt(t, at, edit), Fail, "certificate required")
	expect(t, "with", askAt(t, at, func(c *configs.Pool) {
		edit(c)
		c.TLS.Cert, c.TLS.Key = certFile, keyFile
	}), Pass, "status 200")
}

// TestCheckPort: a Console pool asks the S3 port of the same host.
func TestCheckPort(t *testing.T) {
	tests := []struct {
		typ  configs.CheckType
		port int
		own  uint16
		want uint16
	}{
		{configs.CheckMinIO, 0, 9000, 9000},
		{configs.CheckMinIO, 0, 9001, 9000},
		{configs.CheckMinIO, 9001, 9001, 9001},
		{configs.CheckMinIO, 8000, 9000, 8000},
		{configs.CheckMinIO, 0, 9002, 9002},
		{configs.CheckTCP, 0, 9001, 9001},
		{configs.CheckHTTP, 0, 9001, 9001},
		{configs.CheckTCP, 80, 9001, 80},
	}
	for _, tt := range tests {
		if got := checkPort(&configs.Check{Type: tt.typ, Port: tt.port}, tt.own); got != tt.want {
			t.Errorf("%s, port %d, node port %d: %d, want %d", tt.typ, tt.port, tt.own, got, tt.want)
		}
	}
	up := answer(t, 200)
	got := askAt(t, closedAddr(t), func(c *configs.Pool) {
		c.Check.Port = int(netip.MustParseAddrPort(up).Port())
	})
	expect(t, "another port", got, Pass, "status 200")
}

// TestCheckProxyHeader: nodes that want a PROXY header get one before anything else, checks included.
func TestCheckProxyHeader(t *testing.T) {
	for _, typ := range []configs.CheckType{configs.CheckMinIO, configs.CheckTCP, configs.CheckTLS} {
		for proxy, want := range map[configs.ProxyOut]string{
			configs.ProxyOff: "", configs.ProxyV2: "PROXY UNKNOWN for v2\r\n", configs.ProxyPassthrough: "PROXY UNKNOWN for passthrough\r\n",
		} {
			first := make(chan string, 1)
			addr := serve(t, func(c net.Conn) {
				b := make([]byte, 128)
				n, _ := io.ReadAtLeast(c, b, max(len(want), 1))
				first <- string(b[:n])
			})
			askAt(t, addr, func(c *configs.Pool) {
				c.Check.Type, c.Proxy = typ, proxy
			})
			got := <-first
			if !strings.HasPrefix(got, want) || want == "" && strings.HasPrefix(got, "PROXY") {
				t.Errorf("%s, proxy %s: the node got %q first", typ, proxy, got)
			}
		}
	}
}

func TestCheckSource(t *testing.T) {
	from := make(chan string, 1)
	addr := serve(t, func(c net.Conn) { from <- c.RemoteAddr().String() })
	for source, want := range map[string]string{"127.0.0.77": "127.0.0.77:", "client": "127.0.0.1:", "": "127.0.0.1:"} {
		got := askAt(t, addr, func(c *configs.Pool) { c.Check.Type, c.Source = configs.CheckTCP, source })
		expect(t, source, got, Pass, "connected")
		if peer := <-from; !strings.HasPrefix(peer, want) {
			t.Errorf("source %q: came from %s", source, peer)
		}
	}
}

// TestCheckedForReal is the whole way with sockets: a node dies, is noticed, and returns on its port.
func TestCheckedForReal(t *testing.T) {
	status := make(chan int, 1)
	status <- 200
	srv := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		now := <-status
		status <- now
		w.WriteHeader(now)
	}))
	defer srv.Close()
	set := func(code int) { <-status; status <- code }
	s, _ := newSet(t)
	p := commit(t, s, poolConfig(srv.Listener.Addr().String(), func(c *configs.Pool) {
		c.Check = configs.DefaultPool().Check
		c.Check.Interval, c.Check.Timeout = 40*time.Millisecond, 5*time.Second
	}))
	n := p.Nodes()[0]
	wait := func(what string, done func() bool) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		defer cancel()
		for !done() {
			if ctx.Err() != nil {
				t.Fatalf("it is not %s: %+v", what, n.Stats())
			}
			time.Sleep(5 * time.Millisecond)
		}
	}
	wait("up", func() bool { return n.Health() == Up })
	set(503)
	wait("busy", func() bool { return n.Busy() })
	set(500)
	wait("down", func() bool { return n.Health() == Down })
	set(200)
	wait("up again", func() bool { return n.Health() == Up })
	if st := n.Stats().Checks; st.Took <= 0 || st.Pass == 0 || st.Busy == 0 || st.Fail < 3 || st.Last.Took <= 0 {
		t.Errorf("check stats %+v", st)
	}
}
