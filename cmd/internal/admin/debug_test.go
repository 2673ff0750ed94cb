package admin

import (
	"net/http"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/configs"
)

func TestDebugIsOff(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1"}, nil)
	for _, path := range []string{"/debug/", "/debug/pprof/", "/debug/pprof/heap", "/debug/pprof/cmdline", "/debug/flight"} {
		if status, body := f.do("GET", path); status != http.StatusNotFound || !strings.Contains(body, "admin.debug = true") {
			t.Errorf("%s: got %d %s, want 404 and how to turn it on", path, status, body)
		}
	}
}

func TestDebug(t *testing.T) {
	f := newFixture(t, []string{"127.0.0.1:1"}, func(cfg *configs.Config) { cfg.Admin.Debug = true })
	for path, want := range map[string]string{
		"/debug/pprof/":                  "goroutine",
		"/debug/pprof/goroutine?debug=1": "goroutine profile:",
		"/debug/pprof/heap":              "\x1f\x8b", // gzip
		"/debug/pprof/profile?seconds=1": "\x1f\x8b",
		"/debug/pprof/cmdline":           "admin.test",
		"/debug/flight":                  "go 1.26 trace",
	} {
		status, body := f.do("GET", path)
		if status != 200 || !strings.Contains(body, want) {
			t.Errorf("%s: got %d, %.80q, want %q", path, status, body, want)
		}
	}
	for path, want := range map[string]int{
		"/debug/pprof/profile?seconds=61": 400, "/debug/pprof/trace?seconds=x": 400, "/debug/pprof/nothing": 404,
	} {
		if status, body := f.do("GET", path); status != want {
			t.Errorf("%s: got %d, %.80q, want %d", path, status, body, want)
		}
	}
	if status, _ := f.do("POST", "/debug/pprof/symbol"); status != 405 {
		t.Errorf("POST: got %d, want 405", status)
	}
	// One at a time.
	f.debug.busy.Lock()
	if status, _ := f.do("GET", "/debug/flight"); status != 503 {
		t.Errorf("beside another: got %d, want 503", status)
	}
	f.debug.busy.Unlock()
	// A reload turns it off, and the recorder with it.
	cfg := f.cfg.Admin
	cfg.Debug = false
	f.commit(cfg)
	if status, _ := f.do("GET", "/debug/flight"); status != 404 || f.debug.flight != nil {
		t.Errorf("turned off: got %d, recorder %v", status, f.debug.flight)
	}
}
