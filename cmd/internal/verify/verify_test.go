package verify

import (
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/netip"
	"net/url"
	"os"
	"runtime"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/authority"
	"github.com/sluicelb/sluice/cmd/internal/demo"
)

// stage is four toy nodes, and in front of one of them an S3 address that a test may spoil.
type stage struct {
	*demo.Cluster
	o Options // good ones, with keys

	onRequest  func(*http.Request)                           // sees what goes to the node
	onResponse func(*http.Response) error                    // changes what comes back
	instead    func(http.ResponseWriter, *http.Request) bool // answers itself, if it wants to
}

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{}
	loopback := netip.AddrFrom4([4]byte{127, 0, 0, 1})
	o := demo.Options{
		Addresses: [demo.Size]netip.Addr{loopback, loopback, loopback, loopback}, Dir: t.TempDir(),
		S3Name: "s3.localhost", ConsoleName: "console.localhost",
	}
	front := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if s.onRequest != nil {
			s.onRequest(r)
		}
		if s.instead != nil && s.instead(w, r) {
			return
		}
		proxy := &httputil.ReverseProxy{
			Rewrite:        func(p *httputil.ProxyRequest) { p.SetURL(urlOf(s.Nodes[0].S3())); p.Out.Host = p.In.Host },
			ModifyResponse: s.onResponse,
			Transport:      &http.Transport{DisableKeepAlives: true},
			ErrorLog:       slog.NewLogLogger(slog.DiscardHandler, slog.LevelError),
		}
		proxy.ServeHTTP(w, r)
	}))
	t.Cleanup(front.Close)
	c, err := demo.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	s.Cluster = c
	s.o = Options{
		URL: parse(t, front.URL), Console: urlOf(c.Nodes[1].Console()),
		AccessKey: "someone", SecretKey: "hush-hush-hush", Size: 12<<20 + 7,
	}
	s.redirectTo(s.o.Console.String())
	return s
}

// redirectTo answers browsers as a node does that has MINIO_BROWSER_REDIRECT_URL set.
func (s *stage) redirectTo(location string) {
	s.instead = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/" || !strings.Contains(r.UserAgent(), "Mozilla") {
			return false
		}
		w.Header().Set("Location", location)
		w.WriteHeader(http.StatusTemporaryRedirect)
		return true
	}
}

// also answers a path itself, in addition to what is answered already.
func (s *stage) also(path string, status int, header ...string) {
	before := s.instead
	s.instead = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != path {
			return before(w, r)
		}
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		return true
	}
}

func urlOf(a netip.AddrPort) *url.URL { return &url.URL{Scheme: "http", Host: a.String()} }

func parse(t *testing.T, s string) *url.URL {
	t.Helper()
	u, err := url.Parse(s)
	if err != nil {
		t.Fatal(err)
	}
	return u
}

// want checks how some steps ended, that all others passed, and that every failure says what to do.
func want(t *testing.T, r *Report, others map[string]Status) {
	t.Helper()
	for _, s := range r.Steps {
		status, named := others[s.Name]
		if !named {
			status = Passed
		}
		if s.Status != status {
			t.Errorf("%s: got %s %q, want %s", s.Name, s.Status, s.Detail, status)
		}
		if s.Status == Failed && s.Advice == "" {
			t.Errorf("%s: %q has no advice", s.Name, s.Detail)
		}
		delete(others, s.Name)
	}
	for name := range others {
		t.Errorf("no step %q", name)
	}
	if strings.Contains(fmt.Sprintf("%+v", r), "hush-hush-hush") {
		t.Error("the report has the secret key in it")
	}
}

// said checks what a step says.
func said(t *testing.T, r *Report, name, detail, advice string) {
	t.Helper()
	i := slices.IndexFunc(r.Steps, func(s Step) bool { return s.Name == name })
	if i < 0 {
		t.Fatalf("no step %q", name)
	}
	if s := r.Steps[i]; !strings.Contains(s.Detail, detail) || !strings.Contains(s.Advice, advice) {
		t.Errorf("%s: got %q, advice %q, want in them %q and %q", name, s.Detail, s.Advice, detail, advice)
	}
}

// empty checks that nothing was left on the nodes.
func empty(t *testing.T, s *stage) {
	t.Helper()
	resp, err := http.Get(urlOf(s.Nodes[0].S3()).String())
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil || strings.Contains(string(b), "<Bucket>") {
		t.Errorf("buckets left: %s, error %v", b, err)
	}
}

// back checks that no more goroutines run than did before. Those of the stage's own server end when
// its connections have; they are given the time.
func back(t *testing.T, before int) {
	t.Helper()
	for end := time.Now().Add(5 * time.Second); runtime.NumGoroutine() > before; time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			buf := make([]byte, 1<<16)
			t.Fatalf("goroutines: %d before, %d after\n%s", before, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
		}
	}
}

func TestAllGood(t *testing.T) {
	s := newStage(t)
	var began, ended []string
	var done, total atomic.Int64
	before := runtime.NumGoroutine()
	r := Run(t.Context(), s.o, Watcher{
		Begin:    func(name string) { began = append(began, name) },
		Progress: func(d, t int64) { done.Store(max(done.Load(), d)); total.Store(t) },
		End:      func(s Step) { ended = append(ended, s.Name) },
	})
	back(t, before)
	want(t, r, nil)
	empty(t, s)
	if !r.Passed() || !slices.Equal(began, ended) || len(ended) != 18 {
		t.Errorf("passed %t, began %q, ended %q", r.Passed(), began, ended)
	}
	if done.Load() != s.o.Size || total.Load() != s.o.Size {
		t.Errorf("progress ended at %d of %d, want %d", done.Load(), total.Load(), s.o.Size)
	}
	if id := s.Nodes[0].ID(); !slices.Equal(r.Nodes, []string{id}) {
		t.Errorf("nodes: got %q, want %q", r.Nodes, id)
	}
	said(t, r, "upload", "12 MiB in 3 parts", "")
	said(t, r, "delete", "the object is gone, the temporary bucket is gone", "")
}

func TestTLS(t *testing.T) {
	s := newStage(t)
	pem, err := os.ReadFile(s.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	o := s.o
	o.Roots = x509.NewCertPool()
	o.Roots.AppendCertsFromPEM(pem)
	o.Resolve = netip.MustParseAddr("127.0.0.1")
	o.URL = parse(t, fmt.Sprintf("https://s3.localhost:%d", s.Nodes[0].S3TLS().Port()))
	o.Console = parse(t, fmt.Sprintf("https://console.localhost:%d", s.Nodes[0].ConsoleTLS().Port()))
	r := Run(t.Context(), o, Watcher{})
	// The stage's redirect is in front of the plain port only.
	want(t, r, map[string]Status{"redirect": Failed, "s3 tls": Passed, "console tls": Passed})
	said(t, r, "s3 name", "127.0.0.1, as given by --resolve", "")
	said(t, r, "s3 tls", "TLS 1.3, certificate for s3.localhost, until ", "")

	t.Run("unknown CA", func(t *testing.T) {
		o := o
		o.Roots = x509.NewCertPool()
		r := Run(t.Context(), o, Watcher{})
		said(t, r, "s3 tls", `nobody that is trusted here has signed it (issuer: "CN=Sluice demo CA")`, "--ca FILE")
		if r.Passed() || len(r.With(Passed)) != 4 {
			t.Errorf("got %d passed, want names and connections alone: %+v", len(r.With(Passed)), r.Steps)
		}
		o.Insecure = true
		r = Run(t.Context(), o, Watcher{})
		want(t, r, map[string]Status{"redirect": Failed})
		said(t, r, "s3 tls", "TLS 1.3", "ignored by --insecure: certificate: nobody")
	})
	t.Run("wrong name", func(t *testing.T) {
		o := o
		o.URL = parse(t, fmt.Sprintf("https://s3.example.net:%d", s.Nodes[0].S3TLS().Port()))
		r := Run(t.Context(), o, Watcher{})
		said(t, r, "s3 tls", "it is for s3.localhost and not for s3.example.net", "no route takes this name")
	})
	t.Run("plain port", func(t *testing.T) {
		o := o
		o.URL = parse(t, "https://"+s.Nodes[0].S3().String())
		said(t, Run(t.Context(), o, Watcher{}), "s3 tls", "handshake with 127.0.0.1", "http://")
	})
	t.Run("TLS port asked in plain", func(t *testing.T) {
		o := o
		o.URL = parse(t, "http://"+s.Nodes[0].S3TLS().String())
		said(t, Run(t.Context(), o, Watcher{}), "live", "400 Bad Request: the node speaks TLS", "https://")
	})
}

// TestNoRoute is a listener that refuses a name: alert unrecognized_name, 112.
func TestNoRoute(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			// A TLS record: alert (21), version 3.3, two bytes: fatal (2), unrecognized_name (112).
			conn.Write([]byte{21, 3, 3, 0, 2, 2, 112})
			io.Copy(io.Discard, conn)
			conn.Close()
		}
	}()
	r := Run(t.Context(), Options{URL: parse(t, "https://"+ln.Addr().String())}, Watcher{})
	said(t, r, "s3 tls", "unrecognized name", "no route for this name")
	if len(r.With(Skipped)) != 14 {
		t.Errorf("got %d skipped, want all 14 behind it", len(r.With(Skipped)))
	}
}

func TestNobodyThere(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ln.Close()
	r := Run(t.Context(), Options{URL: parse(t, "http://"+ln.Addr().String())}, Watcher{})
	said(t, r, "s3 connect", "connection refused", "Is the balancer running")
	if r.Passed() {
		t.Error("passed")
	}
	r = Run(t.Context(), Options{URL: parse(t, "http://sluice-verify.invalid")}, Watcher{}) // RFC 6761: never exists
	said(t, r, "s3 name", `"sluice-verify.invalid" has no address`, "--resolve")
}

// TestClosed is a balancer that takes connections and has no node for them.
func TestClosed(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { ln.Close() })
	go func() {
		for {
			conn, err := ln.Accept()
			if err != nil {
				return
			}
			conn.Close()
		}
	}()
	r := Run(t.Context(), Options{URL: parse(t, "http://"+ln.Addr().String())}, Watcher{})
	said(t, r, "live", "", "no node is available")
}

func TestWithoutKeys(t *testing.T) {
	s := newStage(t)
	s.o.SecretKey = ""
	r := Run(t.Context(), s.o, Watcher{})
	others := map[string]Status{"login": Skipped}
	for _, name := range objectSteps {
		others[name] = Skipped
	}
	want(t, r, others)
	if !r.Passed() {
		t.Error("a step that was not asked counts as failed")
	}
}

func TestHealthFails(t *testing.T) {
	tests := []struct {
		name, path string
		status     int
		header     []string
		step       string
		detail     string
		advice     string
	}{
		{"not joined", "/minio/health/live", 200, []string{"X-Minio-Server-Status", "offline"}, "live",
			`200, but x-minio-server-status: "offline"`, "has not joined its cluster yet"},
		{"busy", "/minio/health/live", 503, nil, "live", "503 Service Unavailable: the node is busy", "more requests waiting"},
		{"busy, AIStor", "/minio/health/ready", 429, nil, "ready", "429 Too Many Requests: the node is busy", "more requests waiting"},
		{"Console", "/minio/health/live", 200, []string{"Content-Type", "text/html"}, "live", "with a page for people", "address of the Console"},
		{"somebody else", "/minio/health/live", 404, nil, "live", "404 Not Found", "not the S3 address"},
		{"another proxy", "/minio/health/ready", 502, nil, "ready", "502 Bad Gateway", "another proxy"},
		{"no quorum", "/minio/health/cluster", 503, []string{"X-Minio-Write-Quorum", "3"}, "cluster",
			"503 Service Unavailable: the cluster has lost its write quorum of 3", "mc admin info"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t)
			s.o.SecretKey = ""
			s.also(tt.path, tt.status, tt.header...)
			r := Run(t.Context(), s.o, Watcher{})
			said(t, r, tt.step, tt.detail, tt.advice)
			if r.Passed() {
				t.Error("passed")
			}
		})
	}
}

func TestQuorumLost(t *testing.T) {
	s := newStage(t)
	s.Nodes[2].Unplug()
	s.Nodes[3].Unplug()
	r := Run(t.Context(), s.o, Watcher{})
	want(t, r, map[string]Status{"cluster": Failed})
}

func TestOneNodeFails(t *testing.T) {
	s := newStage(t)
	s.o.SecretKey = ""
	n, before := 0, s.instead
	s.instead = func(w http.ResponseWriter, r *http.Request) bool {
		if r.URL.Path != "/minio/health/live" {
			return before(w, r)
		}
		if n++; n%4 == 3 {
			w.WriteHeader(502)
			return true
		}
		return false
	}
	r := Run(t.Context(), s.o, Watcher{})
	said(t, r, "nodes", "4 of 16 connections failed: 502 Bad Gateway", "still sends clients to a node that does not serve")
}

func TestWrongKeys(t *testing.T) {
	for code, advice := range map[string]string{
		"InvalidAccessKeyId": "does not know this access key", "SignatureDoesNotMatch": "secret key is wrong",
		"RequestTimeTooSkewed": "clocks", "AccessDenied": "may not do this", "Unheard": "own log",
	} {
		t.Run(code, func(t *testing.T) {
			s := newStage(t)
			before := s.instead
			s.instead = func(w http.ResponseWriter, r *http.Request) bool {
				if before(w, r) {
					return true
				}
				if r.Header.Get("Authorization") == "" {
					return false
				}
				w.WriteHeader(403)
				fmt.Fprintf(w, "<Error><Code>%s</Code><Message>No.</Message></Error>", code)
				return true
			}
			r := Run(t.Context(), s.o, Watcher{})
			others := map[string]Status{"buckets": Failed}
			for _, name := range objectSteps[1:] {
				others[name] = Skipped
			}
			want(t, r, others)
			said(t, r, "buckets", "No.", advice)
		})
	}
}

// onObject changes the answer to a GET of the object.
func onObject(change func(*http.Response)) func(*http.Response) error {
	return func(resp *http.Response) error {
		if resp.Request.Method == "GET" && strings.HasSuffix(resp.Request.URL.Path, "/object") {
			change(resp)
		}
		return nil
	}
}

func TestCorruptedDownload(t *testing.T) {
	tests := []struct {
		name   string
		change func(*http.Response)
		step   string
		detail string
	}{
		{"a byte flipped", func(r *http.Response) {
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(r.Body, 1000), flip{r.Body}), r.Body}
		}, "download", "byte 1000 differs from what was sent"},
		{"cut short", func(r *http.Response) {
			r.Body = struct {
				io.Reader
				io.Closer
			}{io.MultiReader(io.LimitReader(r.Body, 5000), failing{}), r.Body}
		}, "download", "it ended after "},
		{"another object", func(r *http.Response) {
			r.Body = io.NopCloser(strings.NewReader("hello"))
			r.ContentLength = 5
			r.Header.Set("Content-Length", "5")
		}, "download", "it has 5 bytes, 12582919 were sent"},
		{"ranges not known", func(r *http.Response) {
			if r.StatusCode == 206 {
				r.Header.Set("Content-Range", "bytes 0-65535/12582919")
			}
		}, "range", "asked for bytes 6291459-6356994/12582919 and was given"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := newStage(t)
			s.onResponse = onObject(tt.change)
			r := Run(t.Context(), s.o, Watcher{})
			said(t, r, tt.step, tt.detail, "")
			if r.Passed() {
				t.Error("passed")
			}
			empty(t, s)
		})
	}
}

// flip inverts the bytes of a stream.
type flip struct{ r io.Reader }

func (f flip) Read(p []byte) (int, error) {
	n, err := f.r.Read(p)
	for i := range p[:n] {
		p[i] ^= 0xff
	}
	return n, err
}

type failing struct{}

func (failing) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

// TestBucketOfSomeone works in a bucket that exists, and before it as it was.
func TestBucketOfSomeone(t *testing.T) {
	s := newStage(t)
	s.o.Bucket = "theirs"
	r := Run(t.Context(), s.o, Watcher{})
	said(t, r, "buckets", `there is no bucket "theirs"`, "leave --bucket away")

	base := urlOf(s.Nodes[0].S3()).String()
	for _, path := range []string{"/theirs", "/theirs/file"} {
		req, err := http.NewRequest("PUT", base+path, strings.NewReader("data"))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		resp.Body.Close()
	}
	want(t, Run(t.Context(), s.o, Watcher{}), nil)
	resp, err := http.Get(base + "/theirs")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if b, _ := io.ReadAll(resp.Body); strings.Count(string(b), "<Contents>") != 1 || !bytes.Contains(b, []byte("<Key>file</Key>")) {
		t.Errorf("the bucket was %s, want the file that was there", b)
	}
}

// TestInterrupted ends a run in the midst of its upload: what was stored goes all the same.
func TestInterrupted(t *testing.T) {
	s := newStage(t)
	s.o.Size = 64 << 20
	ctx, cancel := context.WithCancel(t.Context())
	before := runtime.NumGoroutine()
	r := Run(ctx, s.o, Watcher{Progress: func(done, _ int64) {
		if done > 3<<20 {
			cancel()
		}
	}})
	back(t, before)
	said(t, r, "upload", "interrupted", "")
	said(t, r, "delete", "nothing was stored, the temporary bucket is gone", "")
	if r.Passed() {
		t.Error("passed")
	}
	empty(t, s)
}

func TestRedirect(t *testing.T) {
	s := newStage(t)
	s.o.SecretKey = ""
	good := s.o.Console.String()

	t.Run("found by it", func(t *testing.T) {
		o := s.o
		o.Console = nil
		r := Run(t.Context(), o, Watcher{})
		said(t, r, "page", `"Sluice demo"`, "")
		if !r.Passed() {
			t.Errorf("failed: %+v", r.With(Failed))
		}
	})
	t.Run("elsewhere", func(t *testing.T) {
		s.redirectTo("http://10.9.9.9:9001")
		r := Run(t.Context(), s.o, Watcher{})
		said(t, r, "redirect", "307 to http://10.9.9.9:9001, want "+good, "Set MINIO_BROWSER_REDIRECT_URL="+good)
	})
	t.Run("written differently", func(t *testing.T) {
		s.redirectTo(good + "/")
		said(t, Run(t.Context(), s.o, Watcher{}), "redirect", "307 to "+good, "")
	})
	t.Run("to nowhere", func(t *testing.T) {
		ln, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		ln.Close()
		s.redirectTo("http://" + ln.Addr().String())
		o := s.o
		o.Console = nil
		r := Run(t.Context(), o, Watcher{})
		said(t, r, "console connect", "connection refused", "Nothing listens there")
		if r.Passed() {
			t.Error("passed")
		}
	})
	t.Run("nonsense", func(t *testing.T) {
		s.redirectTo("mailto:someone")
		said(t, Run(t.Context(), s.o, Watcher{}), "redirect", "which is no URL of a page", "MINIO_BROWSER_REDIRECT_URL")
	})
	t.Run("none", func(t *testing.T) {
		s.instead = nil
		said(t, Run(t.Context(), s.o, Watcher{}), "redirect", "200 OK, want 307", "MINIO_BROWSER=off")
		o := s.o
		o.Console = nil
		r := Run(t.Context(), o, Watcher{})
		if !r.Passed() || len(r.With(Skipped)) != len(objectSteps)+4 {
			t.Errorf("got %+v, want the Console's steps skipped", r.Steps)
		}
	})
}

func TestConsoleFails(t *testing.T) {
	page := func(w http.ResponseWriter) {
		w.Header().Set("Content-Type", "text/html")
		io.WriteString(w, "<title>A Console</title>")
	}
	tests := []struct {
		name           string
		handler        http.HandlerFunc
		step           string
		status         Status
		detail, advice string
	}{
		{"an S3 port", func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/xml")
			w.WriteHeader(403)
		}, "page", Failed, "403 Forbidden, from S3", "one of its own"},
		{"a plain file server", func(w http.ResponseWriter, r *http.Request) { io.WriteString(w, "hello") },
			"page", Failed, `200 OK, "text/plain`, "Console port"},
		{"keys refused", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				w.WriteHeader(401)
				io.WriteString(w, `{"message":"invalid login"}`)
				return
			}
			page(w)
		}, "login", Failed, "401 Unauthorized: ", "those of a user"},
		{"hairpin", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				w.WriteHeader(503)
				return
			}
			page(w)
		}, "login", Failed, "503 Service Unavailable", "MINIO_SERVER_URL"},
		{"no login of this kind", func(w http.ResponseWriter, r *http.Request) {
			if r.Method == "POST" {
				w.WriteHeader(404)
				return
			}
			page(w)
		}, "login", Skipped, "404 Not Found", ""},
		{"no WebSocket", func(w http.ResponseWriter, r *http.Request) { page(w) },
			"websocket", Failed, "200 OK, want 101", "every bucket empty"},
		{"WebSocket after a login", func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.URL.Path, "/ws/") {
				w.WriteHeader(403)
				return
			}
			page(w)
		}, "websocket", Passed, "403 Forbidden: the Console was reached", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			console := httptest.NewServer(tt.handler)
			defer console.Close()
			r := newRunner(t.Context(), Options{
				URL: parse(t, "http://s3.invalid"), Console: parse(t, console.URL), AccessKey: "a", SecretKey: "hush-hush-hush",
			}, Watcher{})
			r.console(false)
			said(t, r.finish(), tt.step, tt.detail, tt.advice)
			for _, s := range r.report.Steps {
				if s.Name == tt.step && s.Status != tt.status {
					t.Errorf("got %s, want %s", s.Status, tt.status)
				}
			}
		})
	}
}

// TestLoginIsUsed checks that the WebSocket is asked for with the session that the login opened.
func TestLoginIsUsed(t *testing.T) {
	var cookie string
	console := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.Method == "POST":
			http.SetCookie(w, &http.Cookie{Name: "token", Value: "session"})
			w.WriteHeader(204)
		case strings.HasPrefix(r.URL.Path, "/ui/ws/"):
			cookie = r.Header.Get("Cookie")
			w.WriteHeader(403)
		default:
			w.Header().Set("Content-Type", "text/html")
		}
	}))
	defer console.Close()
	r := newRunner(t.Context(), Options{
		URL: parse(t, "http://s3.invalid"), Console: parse(t, console.URL+"/ui"), AccessKey: "a", SecretKey: "hush-hush-hush",
	}, Watcher{})
	r.console(false)
	want(t, r.finish(), map[string]Status{"redirect": Skipped})
	if cookie != "token=session" {
		t.Errorf("got cookie %q, want the login's", cookie)
	}
}

// TestNamedCertificate is here for what a real handshake shows: the chain in the order it is sent.
func TestNamedCertificate(t *testing.T) {
	ca, err := authority.New("test CA")
	if err != nil {
		t.Fatal(err)
	}
	pair, err := ca.Issue(&x509.Certificate{IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.TLS = &tls.Config{Certificates: []tls.Certificate{pair}}
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, slog.LevelError)
	server.StartTLS()
	defer server.Close()
	r := Run(t.Context(), Options{URL: parse(t, server.URL), Roots: ca.Pool()}, Watcher{})
	said(t, r, "s3 tls", "certificate for 127.0.0.1, until ", "")
	said(t, r, "live", "404 Not Found", "not the S3 address")
}
