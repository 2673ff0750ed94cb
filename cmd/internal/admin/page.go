package admin

import (
	"embed"
	"net/http"
	"path"
)

// pageFiles is the page for people: what the browser gets is what lies in the folder.
//
//go:embed page
var pageFiles embed.FS

// pageTypes are the kinds of files that the page is made of. The system's own table is not asked: it may lack
// them, and nosniff makes a browser refuse a script of another type.
var pageTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// pagePolicy lets the page use its own files and nothing else, and never read text as HTML.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// page is what a person sees first.
func (s *Server) page(w http.ResponseWriter, _ *http.Request) { servePage(w, "index.html") }

// pageFile is what the page is made of.
func (s *Server) pageFile(w http.ResponseWriter, r *http.Request) { servePage(w, r.PathValue("file")) }

func servePage(w http.ResponseWriter, name string) {
	text, err := pageFiles.ReadFile("page/" + name)
	if err != nil {
		fail(w, http.StatusNotFound, Error{Error: "the page has no such file"})
		return
	}
	h := w.Header()
	h.Set("Content-Type", pageTypes[path.Ext(name)])
	h.Set("Content-Security-Policy", pagePolicy)
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	w.Write(text)
}
