package admin

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/configs"
)

// changes are requests that change something, of every kind.
var changes = []struct{ method, path string }{
	{"POST", "/api/v1/pools/s3/nodes/127.0.0.1:1/drain"},
	{"POST", "/api/v1/reload"},
	{"POST", "/api/v1/drain"},
	{"DELETE", "/api/v1/sessions/1"},
}

func TestCrossOriginIsRefused(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	for _, c := range changes {
		for _, headers := range [][]string{
			{"Origin: http://evil.example"},
			{"Origin: null"},
			{"Sec-Fetch-Site: cross-site"},
			{"Sec-Fetch-Site: same-site"},
		} {
			if status, body := f.do(c.method, c.path, headers...); status != http.StatusForbidden {
				t.Errorf("%s %s with %q: got %d %s, want 403", c.method, c.path, headers, status, body)
			}
		}
	}
	if status, body := f.do("POST", changes[0].path, "Origin: "+f.base, "Sec-Fetch-Site: same-origin"); status != http.StatusOK {
		t.Errorf("from the page itself: got %d %s, want 200", status, body)
	}
	if f.leaving {
		t.Error("the process was drained")
	}
}

// No route that changes something is there under GET, and nothing that is there changes anything.
func TestGetChangesNothing(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	for _, r := range f.table() {
		if r.path == "/api/v1/events" {
			continue // it does not end
		}
		path := strings.NewReplacer("{pool}", "s3", "{node}", "127.0.0.1:1", "{id}", "1", "{$}", "").Replace(r.path)
		for _, method := range []string{"GET", "HEAD"} {
			f.do(method, path)
			f.do(method, path+"?force=true")
		}
	}
	if n := f.proc.Pools.Pools()[0].Nodes()[0]; n.Admin().String() != "ready" || f.leaving {
		t.Errorf("a GET has changed something: %s", n.Admin())
	}
}

func TestForeignNamesAreRefused(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	for host, want := range map[string]int{
		"evil.example": 421, "evil.example:9990": 421, "localhost.evil.example": 421, "": 421,
		"localhost": 200, "LocalHost:9990": 200, "127.0.0.1": 200, "[::1]:9990": 200, "192.0.2.1:80": 200,
	} {
		if host == "" {
			continue // Go's client does not send it
		}
		if status, _ := f.do("GET", "/api/v1/status", "Host: "+host); status != want {
			t.Errorf("Host %q: got %d, want %d", host, status, want)
		}
	}
}

func TestToken(t *testing.T) {
	const token = "0123456789abcdef"
	f := newFixture(t, []string{"127.0.0.1:1"}, func(cfg *configs.Config) { cfg.Admin.Token = token })
	for _, tt := range []struct {
		path, header string
		want         int
	}{
		{"/api/v1/status", "", 401},
		{"/api/v1/status", "Authorization: Bearer " + token, 200},
		{"/api/v1/status", "Authorization: bearer " + token, 200},
		{"/api/v1/status", "Authorization: Bearer " + token + "x", 401},
		{"/api/v1/status", "Authorization: Bearer " + token[1:], 401},
		{"/api/v1/status", "Authorization: Bearer ", 401},
		{"/api/v1/status", "Authorization: Basic " + token, 401},
		{"/api/v1/status", "Authorization: " + token, 401},
		{"/metrics", "", 401},
		{"/metrics", "Authorization: Bearer " + token, 200},
		{"/api/v1/events", "", 401},
		{"/debug/pprof/", "", 401},
		{"/nothing", "", 401},
		{"/healthz", "", 200},
		{"/readyz", "", 200},
		{"/", "", 200},
	} {
		var headers []string
		if tt.header != "" {
			headers = []string{tt.header}
		}
		resp, body := f.exchange("GET", tt.path, headers...)
		if resp.StatusCode != tt.want {
			t.Errorf("%s with %q: got %d %s, want %d", tt.path, tt.header, resp.StatusCode, body, tt.want)
		}
		if asks := resp.Header.Get("WWW-Authenticate") != ""; asks != (tt.want == 401) {
			t.Errorf("%s: got WWW-Authenticate %t", tt.path, asks)
		}
		if strings.Contains(body, token) {
			t.Errorf("%s shows the token", tt.path)
		}
	}
	for _, c := range changes {
		if status, _ := f.do(c.method, c.path); status != 401 {
			t.Errorf("%s %s: got %d, want 401", c.method, c.path, status)
		}
	}
	// With a token, the name does not matter.
	if status, _ := f.do("GET", "/api/v1/status", "Host: balancer.example", "Authorization: Bearer "+token); status != 200 {
		t.Errorf("another name: got %d, want 200", status)
	}
	// A reload changes the token at once.
	cfg := f.cfg.Admin
	cfg.Token = "fedcba9876543210"
	f.commit(cfg)
	if status, _ := f.do("GET", "/api/v1/status", "Authorization: Bearer "+token); status != 401 {
		t.Errorf("the old token: got %d, want 401", status)
	}
}

func TestBounds(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	c, err := net.Dial("tcp", strings.TrimPrefix(f.base, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	go fmt.Fprintf(c, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Big: %s\r\n\r\n", strings.Repeat("x", 64<<10))
	answer, _ := io.ReadAll(c) // the server closes on what it does not read, so a reset may come first
	if !strings.HasPrefix(string(answer), "HTTP/1.1 431 ") && len(answer) > 0 {
		t.Errorf("64 KiB of header: got %q, want 431", answer)
	}
	resp, body := f.exchange("PUT", "/api/v1/status")
	if resp.StatusCode != 405 || resp.Header.Get("Allow") != "GET, HEAD" || !strings.Contains(body, `"error"`) {
		t.Errorf("PUT: got %d, Allow %q, %s", resp.StatusCode, resp.Header.Get("Allow"), body)
	}
	if status, body := f.do("GET", "/api/v2/status"); status != 404 || !strings.Contains(body, "openapi.json") {
		t.Errorf("got %d %s, want 404 and where to look", status, body)
	}
}
