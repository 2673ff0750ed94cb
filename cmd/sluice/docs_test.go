package main

import (
	"os"
	"path"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// What the pages say is held to what is there.

func TestReadmeConfig(t *testing.T) {
	_, rest, _ := strings.Cut(string(read(t, "README.md")), "```toml\n")
	got, _, found := strings.Cut(rest, "```")
	if want := string(read(t, "configs/minimal.toml")); !found || got != want {
		t.Errorf("the configuration in README.md is\n%s\nwant configs/minimal.toml:\n%s", got, want)
	}
}

func TestReadmeCommands(t *testing.T) {
	readme, makefile := string(read(t, "README.md")), string(read(t, "Makefile"))
	targets := regexp.MustCompile(`\bmake ([a-z0-9]+)\b`).FindAllStringSubmatch(readme, -1)
	if len(targets) == 0 {
		t.Error("README.md names no make target")
	}
	for _, m := range targets {
		if !regexp.MustCompile(`(?m)^` + m[1] + `:.*## `).MatchString(makefile) {
			t.Errorf("README.md says make %s, the Makefile has no such documented target", m[1])
		}
	}
	commands := regexp.MustCompile(`\bsluice (run|check|[a-z]+) -`).FindAllStringSubmatch(readme, -1)
	app := newApp(nil, nil, nil)
	for _, m := range commands {
		if app.Command(m[1]) == nil {
			t.Errorf("README.md says sluice %s, there is no such command", m[1])
		}
	}
}

func TestLinks(t *testing.T) {
	link := regexp.MustCompile(`\]\(([^)\s]+)\)`)
	for _, file := range tracked(t) {
		if !strings.HasSuffix(file, ".md") {
			continue
		}
		for _, m := range link.FindAllStringSubmatch(string(read(t, file)), -1) {
			target, _, _ := strings.Cut(m[1], "#")
			if target == "" || strings.Contains(target, "://") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, path.Dir(file), target)); err != nil {
				t.Errorf("%s links to %s: %v", file, m[1], err)
			}
		}
	}
}

// TestDependenciesHaveReasons holds the table of CONTRIBUTING to go.mod.
func TestDependenciesHaveReasons(t *testing.T) {
	listed := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^\| ([a-z0-9.-]+\.[a-z]+/\S+) \| \S`).FindAllStringSubmatch(string(read(t, ".github/CONTRIBUTING.md")), -1) {
		listed[m[1]] = true
	}
	needed := map[string]bool{}
	for line := range strings.Lines(string(read(t, "go.mod"))) {
		m := regexp.MustCompile(`^(?:require )?\s*([a-z0-9.-]+\.[a-z]+/\S+) v\S+(.*)`).FindStringSubmatch(line)
		if m != nil && !strings.Contains(m[2], "// indirect") {
			needed[m[1]] = true
		}
		if tool, ok := strings.CutPrefix(strings.TrimSpace(line), "tool "); ok {
			needed[strings.Join(strings.Split(tool, "/")[:3], "/")] = true
		}
	}
	for m := range needed {
		if !listed[m] {
			t.Errorf("go.mod needs %s, .github/CONTRIBUTING.md gives no reason for it", m)
		}
	}
	for m := range listed {
		if !needed[m] {
			t.Errorf(".github/CONTRIBUTING.md gives a reason for %s, go.mod does not need it", m)
		}
	}
}
