//go:build linux

package cluster

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWatcher(t *testing.T) {
	var out bytes.Buffer
	w := watch("minio", &out)
	for _, part := range []string{
		"go: downloading github.com/minio/minio v0.0.0\ngo: down",
		"loading golang.org/x/net v0.1.0\n", "golang.org/x/net/html\ninternal/cpu\n",
		"# github.com/minio/minio/cmd\ncmd/x.go:3:1: undefined: y\n", "github.com/minio/minio/cmd\nno newline",
	} {
		if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
			t.Fatalf("Write(%q) = %d, %v", part, n, err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	want := "  minio 0s: 2 modules downloaded, 3 packages compiled; now github.com/minio/minio/cmd\n"
	if got := out.String(); got != want {
		t.Errorf("got  %q\nwant %q", got, want)
	}
	want = "# github.com/minio/minio/cmd\ncmd/x.go:3:1: undefined: y\nno newline"
	if got := w.said(); got != want {
		t.Errorf("said: got %q, want %q", got, want)
	}
}

func TestBuildFailedNamesTheNetwork(t *testing.T) {
	const offline = "go: github.com/minio/minio@v0.0.0: module lookup disabled by GOPROXY=off"
	tests := []struct {
		said string
		want bool
	}{
		{offline, true},
		{`Get "https://proxy.example/x": dial tcp: lookup proxy.example: no such host`, true},
		{"cmd/x.go:3:1: undefined: y", false},
	}
	for _, tt := range tests {
		got := MinIO.buildFailed(1, tt.said).Error()
		if strings.Contains(got, "needs a working network") != tt.want || !strings.Contains(got, tt.said) {
			t.Errorf("for %q: got %q", tt.said, got)
		}
	}
}

// TestInstallOffline runs go install where it cannot reach anything: the error says so, and nothing is
// left behind.
func TestInstallOffline(t *testing.T) {
	t.Setenv("GOPROXY", "off")
	t.Setenv("GOMODCACHE", t.TempDir())
	dir := t.TempDir()
	var progress bytes.Buffer
	err := MinIO.install(t.Context(), filepath.Join(dir, MinIO.Name), &progress)
	if err == nil || !strings.Contains(err.Error(), `GOPROXY is "off"`) {
		t.Errorf("got %v, want an error that names the proxy", err)
	}
	left, err := os.ReadDir(dir)
	if err != nil || len(left) != 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestToolIsAt(t *testing.T) {
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if MinIO.isAt(self) {
		t.Error("the test binary passes for MinIO")
	}
	if MinIO.isAt(filepath.Join(t.TempDir(), "none")) {
		t.Error("a file that is not there passes for MinIO")
	}
}
