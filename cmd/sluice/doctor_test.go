package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/doctor"
)

func TestDoctorWrongUse(t *testing.T) {
	tests := []struct{ args, want string }{
		{"sluice.toml", `which configuration? did you mean -c "sluice.toml"?`},
		{"a b", `unexpected argument "a"`},
		{"-c sluice.toml more", `unexpected argument "more"`},
		{"-c", `option "-c" needs a value`},
		{"--jsn", `did you mean "--json"?`},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			code, stdout, stderr := sluice(t, append([]string{"doctor"}, strings.Fields(tt.args)...)...)
			if code != exitUsage || stdout != "" || !strings.Contains(stderr, tt.want) {
				t.Errorf("got exit code %d, stdout %q, stderr %q, want 2 and %q", code, stdout, stderr, tt.want)
			}
		})
	}
}

// TestDoctor looks at stub nodes, of which one is gone later, through the eyes of a person and of a script. What it
// says of this machine depends on the machine.
func TestDoctor(t *testing.T) {
	minio := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Server", "MinIO")
		if r.URL.Path != "/minio/health/live" {
			w.WriteHeader(http.StatusForbidden)
		}
	})
	one, two := httptest.NewServer(minio), httptest.NewServer(minio)
	defer one.Close()
	defer two.Close()
	path := file(t, fmt.Sprintf(`
[admin]
listen = ""
[[listener]]
name    = "s3"
address = "127.0.0.1:0"
pool    = "s3"
[[pool]]
name  = "s3"
nodes = [%q, %q]
`, one.Listener.Addr(), two.Listener.Addr()))

	code, stdout, stderr := sluice(t, "doctor", "-c", path)
	if code != exitOK || stderr != "" || !strings.Contains(stdout, "\nok    nodes          pool s3: 2 of 2 answer") || !strings.Contains(stdout, " 0 FAILED\n") {
		t.Errorf("got exit code %d, stderr %q, stdout\n%s\nwant 0 and two nodes that answer", code, stderr, stdout)
	}
	two.Close()
	code, stdout, _ = sluice(t, "doctor", "-c", path)
	if want := fmt.Sprintf("\nFAIL  nodes          %s of pool s3: connection refused", two.Listener.Addr()); code != exitFailed || !strings.Contains(stdout, want) {
		t.Errorf("got exit code %d, stdout\n%s\nwant 1 and %q", code, stdout, want)
	}
	code, stdout, _ = sluice(t, "doctor", "-c", path, "--json")
	var got struct {
		OK       bool
		Findings []doctor.Finding
	}
	if err := json.Unmarshal([]byte(stdout), &got); err != nil || code != exitFailed || got.OK || !doctor.Failed(got.Findings) {
		t.Errorf("--json: got exit code %d, error %v, %q", code, err, stdout)
	}
}

// TestDoctorOfABadFile goes on with the machine.
func TestDoctorOfABadFile(t *testing.T) {
	code, stdout, _ := sluice(t, "doctor", "-c", file(t, minimal+"weight = 3\n"))
	if code != exitFailed || !strings.Contains(stdout, "\nFAIL  configuration  ") || !strings.Contains(stdout, ":10:1: pool[0].weight") {
		t.Errorf("got exit code %d, stdout %q, want 1 and the mistake", code, stdout)
	}
}

func TestFindingsText(t *testing.T) {
	got := findingsText([]doctor.Finding{
		{State: doctor.OK, Subject: "mtu", Found: "eth0 1500"},
		{State: doctor.Warn, Subject: "backlog", Found: "net.core.somaxconn=128", Fix: "sysctl -w net.core.somaxconn=4096"},
	}, 0)
	want := `STATE SUBJECT        FOUND
ok    mtu            eth0 1500
warn  backlog        net.core.somaxconn=128
                     fix: sysctl -w net.core.somaxconn=4096

1 ok, 1 to think about, 0 FAILED
sysctl -w holds until the next boot; the same line without it, in /etc/sysctl.d/90-sluice.conf, holds for good.
`
	if got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
