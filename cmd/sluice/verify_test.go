package main

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/verify"
)

func TestVerifyWrongUse(t *testing.T) {
	t.Setenv("MINIO_ACCESS_KEY", "")
	t.Setenv("MINIO_SECRET_KEY", "")
	tests := []struct {
		args string
		want string
	}{
		{"", "which cluster? give its S3 address"},
		{"s3.example.net", `"s3.example.net" is no URL of a host; write it as https://host`},
		{"ftp://s3.example.net", "is no URL of a host"},
		{"https://user:pass@s3.example.net", "is no URL of a host"},
		{"https://s3.example.net/bucket", "has a path; S3 is always at the root"},
		{"https://a https://b", `unexpected argument "https://b"`},
		{"https://a --console b", `"b" is no URL of a host`},
		{"https://a --resolve b", `"b" is none; --resolve takes an IP address`},
		{"https://a --size 64MB", `--size "64MB": not a size; a number with KiB, MiB or GiB`},
		{"https://a --size -1", `--size "-1": out of range`},
		{"https://a --size 99999999GiB", "out of range"},
		{"https://a --access-key k", "one of --access-key and --secret-key is missing; give both, or neither"},
		{"https://a --insecur", `did you mean "--insecure"?`},
	}
	for _, tt := range tests {
		t.Run(tt.args, func(t *testing.T) {
			code, stdout, stderr := sluice(t, append([]string{"verify"}, strings.Fields(tt.args)...)...)
			if code != exitUsage || !strings.Contains(stderr, tt.want) || stdout != "" {
				t.Errorf("got exit code %d, stdout %q, stderr %q, want 2 and %q", code, stdout, stderr, tt.want)
			}
		})
	}
}

func TestVerifyHidesTheSecret(t *testing.T) {
	t.Setenv("MINIO_ACCESS_KEY", "someone")
	t.Setenv("MINIO_SECRET_KEY", "hush-hush-hush")
	dead := httptest.NewServer(nil)
	dead.Close()
	for _, args := range [][]string{
		{"help", "verify"}, {"verify", "--help"}, {"verify", "--nonsense"}, {"verify", dead.URL}, {"verify", "--json", dead.URL},
	} {
		_, stdout, stderr := sluice(t, args...)
		if strings.Contains(stdout+stderr, "hush-hush-hush") {
			t.Errorf("%q shows the secret key: %s%s", args, stdout, stderr)
		}
	}
}

// TestVerify asks a server that is healthy and nothing else, without keys.
func TestVerify(t *testing.T) {
	t.Setenv("MINIO_ACCESS_KEY", "")
	healthy := true
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !healthy {
			w.WriteHeader(http.StatusServiceUnavailable)
		}
	}))
	defer server.Close()

	code, stdout, stderr := sluice(t, "verify", server.URL)
	if code != exitOK || stderr != "" || !strings.Contains(stdout, "\nlive            ok") {
		t.Errorf("got exit code %d, stdout %q, stderr %q, want 0 and a table", code, stdout, stderr)
	}
	if strings.ContainsAny(stdout, "\r\x1b") {
		t.Errorf("stdout is no terminal, and got control characters: %q", stdout)
	}
	if want := "\n6 passed, 10 skipped (buckets, "; !strings.Contains(stdout, want) {
		t.Errorf("got %q, want at the end %q", stdout, want)
	}

	healthy = false
	code, stdout, _ = sluice(t, "verify", server.URL)
	if want := "4 FAILED (live, ready, cluster, nodes)"; code != exitFailed || !strings.Contains(stdout, want) {
		t.Errorf("got exit code %d, stdout %q, want 1 and %q", code, stdout, want)
	}
	code, stdout, _ = sluice(t, "verify", server.URL, "--json")
	var report struct {
		URL    string
		Passed bool
		Steps  []struct{ Name, Status, Advice string }
	}
	if err := json.Unmarshal([]byte(stdout), &report); err != nil {
		t.Fatal(err)
	}
	if code != exitFailed || report.Passed || report.URL != server.URL || len(report.Steps) != 16 || report.Steps[2].Status != "failed" || report.Steps[2].Advice == "" {
		t.Errorf("got exit code %d, report %+v", code, report)
	}
}

func TestVerifyWithoutTheCA(t *testing.T) {
	code, _, stderr := sluice(t, "verify", "--ca", file(t, "no PEM"), "https://a.invalid")
	if code != exitFailed || !strings.Contains(stderr, "no certificate in it") {
		t.Errorf("got exit code %d, stderr %q", code, stderr)
	}
	code, _, stderr = sluice(t, "verify", "--ca", "/nonexistent.pem", "https://a.invalid")
	if code != exitFailed || !strings.Contains(stderr, "no such file") {
		t.Errorf("got exit code %d, stderr %q", code, stderr)
	}
}

func TestParseSize(t *testing.T) {
	for s, want := range map[string]int64{"0": 0, "100": 100, "2KiB": 2048, "64MiB": 64 << 20, "3 GiB": 3 << 30, "50000GiB": 50000 << 30} {
		if got, err := parseSize(s); err != nil || got != want {
			t.Errorf("%q: got %d, error %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "MiB", "1.5MiB", "64MB", "1e3", "-1KiB", "9223372036854775807KiB"} {
		if got, err := parseSize(s); err == nil {
			t.Errorf("%q: got %d, want an error", s, got)
		}
	}
}

// TestStepTableOnATerminal draws a step that moves bytes, and leaves nothing of it but its row.
func TestStepTableOnATerminal(t *testing.T) {
	var out strings.Builder
	table := &stepTable{w: &out, width: 80}
	table.begin("upload")
	table.progress(1<<20, 4<<20)
	table.progress(1<<19, 4<<20) // overtaken
	table.progress(4<<20, 4<<20)
	bar := out.String()
	table.end(verify.Step{Name: "upload", Status: verify.Failed, Took: 1500 * time.Millisecond, Detail: "it broke", Advice: strings.Repeat("mend it ", 20)})
	table.progress(4<<20, 4<<20) // late
	rows := strings.TrimPrefix(out.String(), bar)
	if !strings.Contains(bar, "upload") || !strings.Contains(bar, "4.0/4.0 MiB") || !strings.Contains(bar, "%") {
		t.Errorf("got bar %q", bar)
	}
	if want := clearLine + "upload          FAILED       1.5 s  it broke\n"; !strings.HasPrefix(rows, want) {
		t.Errorf("got row %q, want %q", rows, want)
	}
	for line := range strings.Lines(rows) {
		if len(strings.TrimRight(line, "\n")) > 80 {
			t.Errorf("line of %d columns on a terminal of 80: %q", len(line), line)
		}
	}
}
