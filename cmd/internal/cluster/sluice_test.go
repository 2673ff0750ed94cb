//go:build linux

package cluster

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFrontConfig(t *testing.T) {
	b := &Block{third: 7, s3: 9000}
	c := &Cluster{options: Options{Block: b}}
	for i := range Size {
		c.Nodes = append(c.Nodes, &Node{S3: b.S3(i), Console: b.Console(i)})
	}
	f := Front{
		S3: []string{"127.0.7.100:9000"}, Console: []string{"127.0.7.100:9001"}, Balance: "roundrobin", Drain: 5 * time.Second,
	}
	plain, err := f.Config(c)
	if err != nil {
		t.Fatal(err)
	}
	c.CA = `/tmp/a "folder"/ca.crt`
	f.TLS, f.S3Names, f.ConsoleName = []string{"127.0.7.100:9443"}, []string{"s3.x", "*.s3.x"}, "console.x"
	byName, err := f.Config(c)
	if err != nil {
		t.Fatal(err)
	}
	f.Certificates = []string{"/tmp/s3.x", "/tmp/console.x"}
	ended, err := f.Config(c)
	if err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct{ name, got string }{{"plain.toml", plain}, {"tls.toml", byName}, {"ended.toml", ended}} {
		want, err := os.ReadFile(filepath.Join("testdata", tt.name))
		if err != nil {
			t.Fatal(err)
		}
		if tt.got != string(want) {
			t.Errorf("%s: got\n%s\nwant\n%s", tt.name, tt.got, want)
		}
	}
}

func TestStartSluice(t *testing.T) {
	l := NewLauncher()
	defer l.Close()
	script := func(text string) string {
		path := filepath.Join(t.TempDir(), "sluice")
		if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o755); err != nil {
			t.Fatal(err)
		}
		return path
	}
	config := filepath.Join(t.TempDir(), "sluice.toml")

	var out bytes.Buffer
	p, err := StartSluice(t.Context(), l, script(`printf "not ready\nrea"; sleep 0.1; echo "dy $*"; exec sleep 1000`), config, &out, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	p.Kill()
	if want := "not ready\nready run -c " + config + "\n"; out.String() != want {
		t.Errorf("got output %q, want %q", out.String(), want)
	}
	t.Chdir(filepath.Dir(script("echo ready; exec sleep 1000")))
	if _, err := StartSluice(t.Context(), l, "./sluice", config, io.Discard, io.Discard); err != nil {
		t.Errorf("a relative path: %v", err)
	}
	if _, err := StartSluice(t.Context(), l, script("echo not ready; exit 1"), config, io.Discard, io.Discard); !errors.Is(err, ErrSluiceEnded) {
		t.Errorf("a process that ends: got %v, want ErrSluiceEnded", err)
	}
	_, err = StartSluice(t.Context(), l, filepath.Join(t.TempDir(), "none"), config, io.Discard, io.Discard)
	if err == nil || !strings.Contains(err.Error(), "make build") {
		t.Errorf("no binary: got %v, want an error that says what to run", err)
	}
}
