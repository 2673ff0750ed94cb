package demo

import (
	"bufio"
	"bytes"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/netip"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/minio/minio-go/v7"
	"github.com/minio/minio-go/v7/pkg/credentials"
)

// start starts a cluster on free ports of loopback, and checks at the end of the test that nothing of
// it is left.
func start(t *testing.T, o Options) *Cluster {
	t.Helper()
	goroutines := runtime.NumGoroutine()
	for i := range o.Addresses {
		o.Addresses[i] = netip.AddrFrom4([4]byte{127, 0, 0, 1})
	}
	o.Dir, o.S3Name, o.ConsoleName = t.TempDir(), "s3.localhost", "console.localhost"
	c, err := Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.Close(); err != nil {
			t.Error(err)
		}
		if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
			t.Errorf("files left: %v, error %v", left, err)
		}
		for end := time.Now().Add(3 * time.Second); runtime.NumGoroutine() > goroutines; {
			if time.Now().After(end) {
				buf := make([]byte, 1<<16)
				t.Fatalf("goroutines: %d at the start, %d at the end\n%s", goroutines, runtime.NumGoroutine(), buf[:runtime.Stack(buf, true)])
			}
			time.Sleep(10 * time.Millisecond)
		}
	})
	return c
}

// client asks on a fresh connection each time, and trusts the cluster's certificates.
func client(t *testing.T, c *Cluster, serverName string) *http.Client {
	t.Helper()
	pem, err := os.ReadFile(c.CAFile)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	if !roots.AppendCertsFromPEM(pem) {
		t.Fatal("no certificate in the CA file")
	}
	return &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			DisableKeepAlives: true,
			TLSClientConfig:   &tls.Config{RootCAs: roots, ServerName: serverName},
		},
	}
}

// ask sends a request and returns the answer, its body read.
func ask(t *testing.T, c *http.Client, method, url string, body io.Reader, header ...string) (*http.Response, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, body)
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	resp, err := c.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp, string(b)
}

func TestHealth(t *testing.T) {
	c := start(t, Options{})
	tests := []struct {
		running int
		path    string
		want    int
	}{
		{4, "live", 200}, {4, "ready", 200}, {4, "cluster", 200}, {4, "cluster?maintenance=true", 200},
		{3, "live", 200}, {3, "ready", 200}, {3, "cluster", 200}, {3, "cluster?maintenance=true", 412},
		{3, "cluster/read", 200}, {3, "cluster/read?maintenance=true", 200},
		{2, "live", 200}, {2, "ready", 200}, {2, "cluster", 503}, {2, "cluster?maintenance=true", 503},
		{2, "cluster/read", 200}, {2, "cluster/read?maintenance=true", 412},
	}
	hc := client(t, c, "")
	for _, tt := range tests {
		for c.running() > tt.running {
			c.Nodes[c.running()-1].Unplug()
		}
		for _, method := range []string{"GET", "HEAD"} {
			url := fmt.Sprintf("http://%s/minio/health/%s", c.Nodes[0].S3(), tt.path)
			if resp, body := ask(t, hc, method, url, nil); resp.StatusCode != tt.want || body != "" {
				t.Errorf("%d running, %s %s: got %d, body %q, want %d and none", tt.running, method, tt.path, resp.StatusCode, body, tt.want)
			}
		}
	}
}

// TestCurl stores and gets objects as curl does: no signature, a length or chunks.
func TestCurl(t *testing.T) {
	c := start(t, Options{})
	hc := client(t, c, "")
	url := func(node int, path string) string { return fmt.Sprintf("http://%s%s", c.Nodes[node].S3(), path) }

	if resp, _ := ask(t, hc, "PUT", url(0, "/demo/a"), strings.NewReader("a")); resp.StatusCode != 404 {
		t.Errorf("PUT into no bucket: got %d, want 404", resp.StatusCode)
	}
	if resp, _ := ask(t, hc, "PUT", url(0, "/demo"), nil); resp.StatusCode != 200 {
		t.Errorf("make bucket: got %d, want 200", resp.StatusCode)
	}
	if resp, body := ask(t, hc, "PUT", url(1, "/demo"), nil); resp.StatusCode != 409 || !strings.Contains(body, "<Code>BucketAlreadyOwnedByYou</Code>") {
		t.Errorf("make bucket again: got %d %q, want 409", resp.StatusCode, body)
	}
	unsized := struct{ io.Reader }{strings.NewReader("hello, world")}
	if resp, _ := ask(t, hc, "PUT", url(2, "/demo/dir/a b"), unsized, "Content-Type", "text/plain"); resp.StatusCode != 200 {
		t.Errorf("PUT: got %d, want 200", resp.StatusCode)
	}
	resp, body := ask(t, hc, "GET", url(3, "/demo/dir/a%20b"), nil)
	if resp.StatusCode != 200 || body != "hello, world" || resp.Header.Get("Content-Type") != "text/plain" {
		t.Errorf("GET: got %d %q %q", resp.StatusCode, body, resp.Header.Get("Content-Type"))
	}
	if got, want := resp.Header.Get("X-Amz-Id-2"), c.Nodes[3].ID(); got != want {
		t.Errorf("X-Amz-Id-2: got %q, want %q", got, want)
	}
	if resp, body := ask(t, hc, "GET", url(0, "/demo/dir/a%20b"), nil, "Range", "bytes=7-11"); resp.StatusCode != 206 || body != "world" {
		t.Errorf("ranged GET: got %d %q, want 206 %q", resp.StatusCode, body, "world")
	}
	if resp, body := ask(t, hc, "GET", url(0, "/demo/?prefix=dir/"), nil); resp.StatusCode != 200 || !strings.Contains(body, "<Key>dir/a b</Key>") {
		t.Errorf("list: got %d %q", resp.StatusCode, body)
	}
	if resp, _ := ask(t, hc, "DELETE", url(0, "/demo"), nil); resp.StatusCode != 409 {
		t.Errorf("remove a bucket in use: got %d, want 409", resp.StatusCode)
	}
	for _, path := range []string{"/demo/dir/a%20b", "/demo"} {
		if resp, _ := ask(t, hc, "DELETE", url(0, path), nil); resp.StatusCode != 204 {
			t.Errorf("DELETE %s: got %d, want 204", path, resp.StatusCode)
		}
	}
	if resp, _ := ask(t, hc, "GET", url(0, "/demo/dir/a%20b"), nil); resp.StatusCode != 404 {
		t.Errorf("GET of nothing: got %d, want 404", resp.StatusCode)
	}
}

// TestLibrary does the same with minio-go: signed chunks, checksums behind them, multipart, over TLS too.
func TestLibrary(t *testing.T) {
	c := start(t, Options{})
	for _, secure := range []bool{false, true} {
		t.Run(fmt.Sprintf("tls=%t", secure), func(t *testing.T) {
			address := c.Nodes[0].S3()
			if secure {
				address = c.Nodes[0].S3TLS()
			}
			mc, err := minio.New(address.String(), &minio.Options{
				Creds: credentials.NewStaticV4("any", "thing", ""), Secure: secure, TrailingHeaders: true,
				Transport: client(t, c, "s3.localhost").Transport,
			})
			if err != nil {
				t.Fatal(err)
			}
			if err := mc.MakeBucket(t.Context(), "box", minio.MakeBucketOptions{}); err != nil {
				t.Fatal(err)
			}
			data := make([]byte, 12<<20+345)
			rand.Read(data)
			for key, size := range map[string]int{"empty": 0, "small": 100_000, "parts": len(data)} {
				put, err := mc.PutObject(t.Context(), "box", key, bytes.NewReader(data[:size]), int64(size), minio.PutObjectOptions{PartSize: 5 << 20})
				if err != nil {
					t.Fatalf("put %s: %v", key, err)
				}
				o, err := mc.GetObject(t.Context(), "box", key, minio.GetObjectOptions{})
				if err != nil {
					t.Fatalf("get %s: %v", key, err)
				}
				got, err := io.ReadAll(o)
				if err != nil || sha256.Sum256(got) != sha256.Sum256(data[:size]) {
					t.Errorf("get %s: got %d bytes, error %v, want the %d that were put", key, len(got), err, size)
				}
				if stat, err := o.Stat(); err != nil || stat.ETag != put.ETag {
					t.Errorf("stat %s: got ETag %q, error %v, want %q", key, stat.ETag, err, put.ETag)
				}
				if err := o.Close(); err != nil {
					t.Error(err)
				}
			}
			n := 0
			for o := range mc.ListObjects(t.Context(), "box", minio.ListObjectsOptions{Recursive: true}) {
				if n++; o.Err != nil {
					t.Error(o.Err)
				}
				if err := mc.RemoveObject(t.Context(), "box", o.Key, minio.RemoveObjectOptions{}); err != nil {
					t.Error(err)
				}
			}
			if n != 3 {
				t.Errorf("list: got %d objects, want 3", n)
			}
			if err := mc.RemoveBucket(t.Context(), "box"); err != nil {
				t.Error(err)
			}
			if left, err := os.ReadDir(c.store.dir); err != nil || len(left) != 1 {
				t.Errorf("got %d files, error %v, want the CA's alone", len(left), err)
			}
		})
	}
}

func TestUploadsThatFailLeaveNothing(t *testing.T) {
	c := start(t, Options{})
	s := c.store
	if err := s.makeBucket("box"); err != nil {
		t.Fatal(err)
	}
	cut := io.MultiReader(strings.NewReader("half"), errReader{})
	if _, err := s.put("box", "k", "", cut); err == nil {
		t.Error("put of a stream that fails: got no error")
	}
	id, err := s.begin("box", "k", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.putPart(id, 2, strings.NewReader("two")); err != nil {
		t.Error(err)
	}
	if _, err := s.complete(id, []int{1, 2}); err != errInvalidPart {
		t.Errorf("complete with a part that was never put: got %v, want %v", err, errInvalidPart)
	}
	if _, err := s.putPart(id, 1, strings.NewReader("late")); !strings.Contains(fmt.Sprint(err), "NoSuchUpload") {
		t.Errorf("part of an upload that has ended: got %v, want NoSuchUpload", err)
	}
	if left, err := os.ReadDir(s.dir); err != nil || len(left) != 1 {
		t.Errorf("got %d files, error %v, want the CA's alone", len(left), err)
	}
}

type errReader struct{}

func (errReader) Read([]byte) (int, error) { return 0, io.ErrUnexpectedEOF }

func TestBrowser(t *testing.T) {
	c := start(t, Options{ConsoleURL: "http://console.test:9001", ConsoleURLTLS: "https://console.localhost:9443"})
	n := c.Nodes[1]
	resp, _ := ask(t, client(t, c, ""), "GET", "http://"+n.S3().String()+"/", nil, "User-Agent", "Mozilla/5.0")
	if got := resp.Header.Get("Location"); resp.StatusCode != 307 || got != "http://console.test:9001" {
		t.Errorf("got %d to %q, want 307 to the Console", resp.StatusCode, got)
	}
	resp, _ = ask(t, client(t, c, "s3.localhost"), "GET", "https://"+n.S3TLS().String()+"/", nil, "User-Agent", "Mozilla/5.0")
	if got := resp.Header.Get("Location"); resp.StatusCode != 307 || got != "https://console.localhost:9443" {
		t.Errorf("over TLS: got %d to %q, want 307 to the Console", resp.StatusCode, got)
	}

	resp, body := ask(t, client(t, c, "console.localhost"), "GET", "https://"+n.ConsoleTLS().String()+"/", nil)
	if resp.StatusCode != 200 || !strings.Contains(body, "<title>Sluice demo</title>") || !resp.Close {
		t.Errorf("page: got %d, closes %t", resp.StatusCode, resp.Close)
	}
	_, body = ask(t, client(t, c, ""), "GET", "http://"+n.Console().String()+"/api/node", nil)
	var got struct {
		Node    string
		Running []string
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.Node != "node 2" || len(got.Running) != Size {
		t.Errorf("got %q, error %v, want node 2 and four that run", body, err)
	}
}

// TestUnplug cuts a WebSocket and an upload, and finds the node again after it is plugged in.
func TestUnplug(t *testing.T) {
	c := start(t, Options{})
	n := c.Nodes[2]
	ws := dial(t, n.Console())
	fmt.Fprint(ws, "GET /ws/objectManager HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"+
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
	br := bufio.NewReader(ws)
	resp, err := http.ReadResponse(br, nil)
	if err != nil {
		t.Fatal(err)
	}
	// The key and its answer are the example of RFC 6455, section 1.3.
	if got := resp.Header.Get("Sec-WebSocket-Accept"); resp.StatusCode != 101 || got != "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" {
		t.Errorf("upgrade: got %d, accept %q", resp.StatusCode, got)
	}
	frame := make([]byte, 2)
	if _, err := io.ReadFull(br, frame); err != nil || frame[0] != 0x81 || frame[1] > 125 {
		t.Errorf("frame: got % x, error %v, want a text of up to 125 bytes", frame, err)
	}
	message := make([]byte, frame[1])
	if _, err := io.ReadFull(br, message); err != nil || !strings.Contains(string(message), `"node 3"`) || message[len(message)-1] != '}' {
		t.Errorf("message: got %q, error %v", message, err)
	}
	up := dial(t, n.S3())
	fmt.Fprint(up, "PUT /box/k HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf of it")

	n.Unplug()
	for name, r := range map[string]io.Reader{"WebSocket": br, "upload": up} {
		if _, err := io.Copy(io.Discard, r); err != nil && !isCut(err) {
			t.Errorf("%s: got error %v, want its end", name, err)
		}
	}
	if conn, err := net.DialTimeout("tcp", n.S3().String(), time.Second); err == nil {
		conn.Close()
		t.Error("an unplugged node takes connections")
	}
	if err := n.Plug(t.Context()); err != nil {
		t.Fatal(err)
	}
	if resp, _ := ask(t, client(t, c, ""), "GET", "http://"+n.S3().String()+"/minio/health/live", nil); resp.StatusCode != 200 {
		t.Errorf("plugged in again: got %d, want 200", resp.StatusCode)
	}
}

func dial(t *testing.T, address netip.AddrPort) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", address.String())
	if err != nil {
		t.Fatal(err)
	}
	conn.SetDeadline(time.Now().Add(10 * time.Second))
	t.Cleanup(func() { conn.Close() })
	return conn
}

func isCut(err error) bool { return strings.Contains(err.Error(), "connection reset") }

func TestTakenPort(t *testing.T) {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	taken := ln.Addr().(*net.TCPAddr).AddrPort()
	var o Options
	for i := range o.Addresses {
		o.Addresses[i] = taken.Addr()
	}
	o.Dir, o.Console = t.TempDir(), taken.Port()
	_, err = Start(t.Context(), o)
	if want := fmt.Sprintf("node 1: another program listens at %s: address already in use", taken); err == nil || err.Error() != want {
		t.Errorf("got error %v, want %q", err, want)
	}
	if left, err := os.ReadDir(o.Dir); err != nil || len(left) > 0 {
		t.Errorf("files left: %v, error %v", left, err)
	}
}

func TestTextFrame(t *testing.T) {
	for n, want := range map[int]string{0: "8100", 125: "817d", 126: "817e007e", 300: "817e012c"} {
		got := textFrame(make([]byte, n))
		if head := fmt.Sprintf("%x", got[:len(got)-n]); head != want {
			t.Errorf("%d bytes: got %s, want %s", n, head, want)
		}
	}
}
