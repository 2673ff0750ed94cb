//go:build e2e && linux

package page

import (
	"archive/tar"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/sluicelb/sluice/cmd/internal/need"
)

const axeVersion = "4.14.1"

// axe is the text of axe-core, from the cache or from the npm registry.
func axe(t *testing.T) string {
	t.Helper()
	cached := filepath.Join(root, ".cache", "axe-core-"+axeVersion+".min.js")
	if text, err := os.ReadFile(cached); err == nil {
		return string(text)
	}
	npm := need.Program(t, "npm")
	dir := t.TempDir()
	pack := exec.CommandContext(t.Context(), npm, "pack", "--silent", "axe-core@"+axeVersion)
	pack.Dir = dir
	if out, err := pack.CombinedOutput(); err != nil {
		need.Missing(t, "npm pack: %v\n%s", err, out)
	}
	text, err := unpack(filepath.Join(dir, "axe-core-"+axeVersion+".tgz"), "package/axe.min.js")
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(os.MkdirAll(filepath.Dir(cached), 0o755), os.WriteFile(cached, text, 0o644)); err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// unpack reads one file out of a tar.gz.
func unpack(archive, name string) ([]byte, error) {
	f, err := os.Open(archive)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	z, err := gzip.NewReader(f)
	if err != nil {
		return nil, err
	}
	for r := tar.NewReader(z); ; {
		h, err := r.Next()
		if err != nil {
			return nil, fmt.Errorf("%s: %s: %w", archive, name, err)
		}
		if h.Name == name {
			return io.ReadAll(r)
		}
	}
}

// accessible reports what axe-core finds wrong with what the page shows now.
func (b *browser) accessible(name, axe string) {
	b.t.Helper()
	eval[bool](b, axe+"\n;true")
	violations := eval[[]string](b, `axe.run({runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}).then((r) =>
		r.violations.map((v) => v.id + ": " + v.help + "\n    " + v.nodes.slice(0, 3).map((n) => n.html.slice(0, 200) + "\n    " + (n.any[0]?.message ?? "")).join("\n    ")))`)
	for _, v := range violations {
		b.t.Errorf("%s: %s", name, v)
	}
	if passed := eval[int](b, `axe.run().then((r) => r.passes.length)`); passed < 20 {
		b.t.Errorf("%s: only %d rules had anything to look at", name, passed)
	}
}

// TestAccessible: axe-core has nothing to say against the page, in both colours, wide and narrow, with every state
// a node can be in, and with the dialog open.
func TestAccessible(t *testing.T) {
	script := axe(t)
	s := newStage(t, "")
	s.hold(t, 20)
	s.holdName(t, "s3.example.net")
	s.nodes[0].kill()
	s.nodes[1].live.Store(503)
	b := newBrowser(t, 1440, 1000)
	b.open(s)
	b.until("a node is down", says(s.nodes[0], "down"))
	b.until("a node is busy", says(s.nodes[1], "busy"))
	s.api(t, "POST", "/api/v1/pools/s3/nodes/"+s.nodes[2].address+"/drain?force=true")
	b.until("a node drains", says(s.nodes[2], "drain"))
	for _, scheme := range []string{"light", "dark"} {
		b.look(scheme)
		b.resize(1440, 1000)
		b.shot("states-" + scheme)
		b.accessible("desktop "+scheme, script)
		b.resize(360, 740)
		b.accessible("phone "+scheme, script)
		b.click(button(s.nodes[3], "Drain"))
		b.until("the dialog is full", `!document.getElementById("confirm-body").innerText.includes("Asking")`)
		b.accessible("dialog "+scheme, script)
		b.click("#confirm-cancel")
	}
	headings := eval[[]string](b, `[...document.querySelectorAll("h1, h2")].filter((h) => h.checkVisibility()).map((h) => h.tagName + " " + h.innerText)`)
	for _, want := range []string{"H1 Sluice", "H2 Pool s3", "H2 Live sessions", "H2 Events", "H2 Listeners"} {
		if !strings.Contains(strings.Join(headings, "\n"), want) {
			t.Errorf("no heading %q in %q", want, headings)
		}
	}
}
