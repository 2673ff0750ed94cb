//go:build e2e && linux

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/sluicelb/sluice/cmd/internal/cluster"
	"github.com/sluicelb/sluice/cmd/internal/need"
)

// TestGuide does what `make minio` tells people to try, to the letter, and then ends it as Ctrl-C does.
func TestGuide(t *testing.T) {
	if *balancerName != "sluice" {
		t.Skip("it is about Sluice")
	}
	root, err := cluster.ModuleRoot()
	if err != nil {
		t.Fatal(err)
	}
	for name, flags := range map[string][]string{"plain": nil, "TLS=1": {"-tls"}} {
		t.Run(name, func(t *testing.T) { testGuide(t, root, flags) })
	}
}

func testGuide(t *testing.T, root string, flags []string) {
	program := filepath.Join(t.TempDir(), "run-minio")
	build := exec.CommandContext(t.Context(), "go", "build", "-o", program, "./cmd/internal/cluster/run")
	build.Dir = root
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}

	said, out := io.Pipe()
	cmd := exec.Command(program, append(flags, "-sluice", sluice)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = root, out, out
	p, err := launcher.Start("run-minio", cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(p.Kill)
	lines, config := readGuide(t, said)
	dir := filepath.Dir(config)
	if n := len(mentioning(t, dir)); n < cluster.Size {
		t.Errorf("%d processes have to do with %s, want at least its %d nodes", n, dir, cluster.Size)
	}

	script := "set -eux -o pipefail\nxdg-open() { " + need.Program(t, "curl") + " --silent --fail --insecure --output /dev/null \"$1\"; }\n" +
		strings.Join(lines, "\n")
	if len(lines) < 8 {
		t.Fatalf("there is not much to try:\n%s", script)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	try := exec.CommandContext(ctx, "bash", "-c", script)
	try.Dir = t.TempDir() // another terminal, in another folder
	if tried, err := try.CombinedOutput(); err != nil {
		t.Errorf("what the guide says does not work: %v\n%s", err, tried)
		keepLogs(t, nodeLogs(t, dir)...)
	}

	if err := p.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	if code, err := p.Wait(ctx); err != nil || code != 0 {
		t.Errorf("ended with exit code %d, %v; want 0", code, err)
	}
	if _, err := os.Stat(dir); !os.IsNotExist(err) {
		t.Errorf("the cluster's folder: stat says %v, want that it is gone", err)
	}
	if left := mentioning(t, dir); len(left) > 0 {
		t.Errorf("processes are left: %q", left)
	}
}

// mentioning lists the processes that have text in their command lines.
func mentioning(t *testing.T, text string) (found []string) {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil || len(files) == 0 {
		t.Fatalf("no processes in /proc: %v", err)
	}
	for _, file := range files {
		line, err := os.ReadFile(file)
		if err == nil && bytes.Contains(line, []byte(text)) {
			found = append(found, string(bytes.ReplaceAll(line, []byte{0}, []byte(" "))))
		}
	}
	return found
}

// readGuide reads on until the guide is whole, returns the lines to try and the configuration's path,
// and lets the rest go by.
func readGuide(t *testing.T, said io.Reader) (try []string, config string) {
	t.Helper()
	var all bytes.Buffer
	scanner := bufio.NewScanner(said)
	for inside := false; scanner.Scan(); {
		line := scanner.Text()
		all.WriteString(line + "\n")
		switch {
		case strings.HasPrefix(line, "Try"):
			inside = true
		case strings.HasPrefix(line, "Configuration:"):
			inside = false
			config = strings.TrimSpace(strings.TrimPrefix(line, "Configuration:"))
		case strings.HasPrefix(line, "Ctrl-C"):
			go io.Copy(io.Discard, said)
			return try, config
		case inside && strings.TrimSpace(line) != "":
			try = append(try, strings.TrimSpace(line))
		}
	}
	t.Fatalf("no guide:\n%s", all.String())
	return nil, ""
}
