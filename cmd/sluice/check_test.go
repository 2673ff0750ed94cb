package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// minimal is a configuration without a mistake.
const minimal = `
[[listener]]
name    = "s3"
address = "127.0.0.1:0"
pool    = "s3"

[[pool]]
name  = "s3"
nodes = ["127.0.0.1:9"]
`

// file writes a text to a file of its own and returns its path.
func file(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "sluice.toml")
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestCheck(t *testing.T) {
	path := file(t, minimal)
	code, stdout, stderr := sluice(t, "check", "-c", path)
	if want := path + ": ok, 1 listener, 1 pool\n"; code != exitOK || stdout != want || stderr != "" {
		t.Errorf("got exit code %d, stdout %q, stderr %q, want 0, %q and nothing", code, stdout, stderr, want)
	}
}

func TestCheckNamesEveryProblem(t *testing.T) {
	path := file(t, minimal+"balance = \"lestconn\"\nweight = 3\n[log]\nlevel = 7\n")
	code, stdout, stderr := sluice(t, "check", "--config="+path)
	if code != exitFailed || stdout != "" {
		t.Errorf("got exit code %d, stdout %q, want 1 and nothing", code, stdout)
	}
	lines := strings.Split(strings.TrimSpace(stderr), "\n")
	want := []string{":10:11: error: pool[0].balance", ":11:1: error: pool[0].weight", ":13:9: error: log.level"}
	if len(lines) != len(want) {
		t.Fatalf("got %d lines %q, want %d", len(lines), lines, len(want))
	}
	for i := range want {
		if !strings.HasPrefix(lines[i], path+want[i]) {
			t.Errorf("line %d: got %q, want it to begin with %q", i, lines[i], path+want[i])
		}
	}
}

func TestCheckWithoutAFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none.toml")
	code, _, stderr := sluice(t, "check", "-c", path)
	if want := path + ": error: open: no such file or directory"; code != exitFailed || !strings.HasPrefix(stderr, want) {
		t.Errorf("got exit code %d, stderr %q, want 1, %q", code, stderr, want)
	}
}

// The files that a configuration names belong to it. One that is not on this machine may be on another.
func TestCheckReadsCertificates(t *testing.T) {
	pair := file(t, "no certificate")
	text := strings.Replace(minimal, "[[pool]]", "tls = \"terminate\"\n[[listener.certificate]]\ncert = \""+pair+"\"\nkey = \""+pair+"\"\n\n[[pool]]", 1)
	path := file(t, text)
	code, stdout, stderr := sluice(t, "check", "-c", path)
	if want := path + `:8:12: error: listener[0].certificate[0] (listener "s3"): certificate "` + pair; code != exitFailed || stdout != "" || !strings.HasPrefix(stderr, want) {
		t.Errorf("got exit code %d, stdout %q, stderr %q, want 1, nothing, and %q", code, stdout, stderr, want)
	}
	os.Remove(pair)
	code, stdout, stderr = sluice(t, "check", "-c", path)
	if want := path + `:8:12: warning: listener[0].certificate[0] (listener "s3"): certificate: stat "` + pair; code != exitOK || stdout == "" || !strings.HasPrefix(stderr, want) {
		t.Errorf("got exit code %d, stdout %q, stderr %q, want 0, a word, and %q", code, stdout, stderr, want)
	}
}
