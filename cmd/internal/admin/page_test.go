package admin

import (
	"io/fs"
	"net/http/httptest"
	"path"
	"regexp"
	"strings"
	"testing"
)

func TestPageHeaders(t *testing.T) {
	for name, want := range map[string]string{
		"index.html": "text/html; charset=utf-8", "main.js": "text/javascript; charset=utf-8",
		"style.css": "text/css; charset=utf-8", "icon.svg": "image/svg+xml",
	} {
		w := httptest.NewRecorder()
		servePage(w, name)
		if got := w.Header().Get("Content-Type"); w.Code != 200 || got != want {
			t.Errorf("%s: status %d, type %q, want 200, %q", name, w.Code, got, want)
		}
		policy := w.Header().Get("Content-Security-Policy")
		for _, want := range []string{"default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "require-trusted-types-for 'script'"} {
			if !strings.Contains(policy, want) {
				t.Errorf("%s: the policy %q has no %q", name, policy, want)
			}
		}
		if strings.Contains(policy, "unsafe") {
			t.Errorf("%s: the policy is %q", name, policy)
		}
	}
	for _, name := range []string{"nothing.js", "", "..", "../page.go", "/etc/passwd"} {
		w := httptest.NewRecorder()
		servePage(w, name)
		if w.Code != 404 {
			t.Errorf("%q: status %d, want 404", name, w.Code)
		}
	}
}

// TestPageFiles holds what the page is made of: all of it is there and used, nothing comes from elsewhere, and
// nothing makes HTML of text.
func TestPageFiles(t *testing.T) {
	refers := regexp.MustCompile(`(?:from "\./|/page/)([a-z.]+)"`)
	elsewhere := regexp.MustCompile(`(?:https?:)?//[a-z0-9.-]+\.[a-z]+`)
	markup := regexp.MustCompile(`innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\b|new Function|setHTML|DOMParser`)
	files, used := map[string]string{}, map[string]bool{"index.html": true}
	err := fs.WalkDir(pageFiles, "page", func(name string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := pageFiles.ReadFile(name)
		files[path.Base(name)] = string(text)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		if pageTypes[path.Ext(name)] == "" {
			t.Errorf("%s is of no known type", name)
		}
		for _, m := range refers.FindAllStringSubmatch(text, -1) {
			if used[m[1]] = true; files[m[1]] == "" {
				t.Errorf("%s wants %s, which is not there", name, m[1])
			}
		}
		if m := elsewhere.FindString(strings.ReplaceAll(text, "http://www.w3.org/2000/svg", "")); m != "" {
			t.Errorf("%s names %q: nothing is loaded from elsewhere", name, m)
		}
		if m := markup.FindString(text); m != "" {
			t.Errorf("%s uses %s: text is only ever set as text", name, m)
		}
		if lines := strings.Count(text, "\n"); lines > 400 {
			t.Errorf("%s has %d lines", name, lines)
		}
	}
	for name := range files {
		if !used[name] {
			t.Errorf("nobody uses %s", name)
		}
	}
}
