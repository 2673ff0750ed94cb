package admin

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"
)

// A route is one row of the API. openapi.json describes those under /api; a test compares both.
type route struct {
	method, path string
	serve        http.HandlerFunc
}

// table lists all that is served.
func (s *Server) table() []route {
	return []route{
		{"GET", "/healthz", s.healthz},
		{"GET", "/readyz", s.readyz},
		{"GET", "/metrics", s.metrics.ServeHTTP},
		{"GET", "/{$}", s.page},
		{"GET", "/page/{file}", s.pageFile},
		{"GET", "/api/v1/status", s.status},
		{"GET", "/api/v1/sessions", s.listSessions},
		{"DELETE", "/api/v1/sessions", s.killSessions},
		{"DELETE", "/api/v1/sessions/{id}", s.killSession},
		{"GET", "/api/v1/events", s.streamEvents},
		{"GET", "/api/v1/history", s.showHistory},
		{"GET", "/api/v1/pools/{pool}/nodes/{node}/drain", s.outlook},
		{"POST", "/api/v1/pools/{pool}/nodes/{node}/drain", s.drainNode},
		{"POST", "/api/v1/pools/{pool}/nodes/{node}/ready", s.readyNode},
		{"POST", "/api/v1/pools/{pool}/nodes/{node}/maint", s.maintNode},
		{"POST", "/api/v1/reload", s.reload},
		{"POST", "/api/v1/drain", s.drain},
		{"GET", "/api/v1/openapi.json", s.openAPI},
	}
}

// routes makes the handler of all routes. What is not there says so in JSON, and what is there under another
// method says which.
func (s *Server) routes() http.Handler {
	mux := http.NewServeMux()
	methods := map[string][]string{}
	for _, r := range s.table() {
		mux.HandleFunc(r.method+" "+r.path, r.serve)
		methods[r.path] = append(methods[r.path], r.method)
	}
	for path, allowed := range methods {
		if slices.Contains(allowed, "GET") {
			allowed = append(allowed, "HEAD")
		}
		mux.HandleFunc(path, func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Allow", strings.Join(allowed, ", "))
			fail(w, http.StatusMethodNotAllowed, Error{
				Error: fmt.Sprintf("%s is not served here", r.Method), Hint: "use " + strings.Join(allowed, " or "),
			})
		})
	}
	mux.HandleFunc("/debug/", s.serveDebug)
	mux.HandleFunc("/", func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusNotFound, Error{Error: fmt.Sprintf("there is nothing at %.200q", r.URL.Path), Hint: "GET /api/v1/openapi.json lists what there is"})
	})
	return mux
}

// healthz says that the process lives.
func (s *Server) healthz(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	fmt.Fprintln(w, "ok")
}

// readyz says whether clients should be sent here: for VRRP scripts, anycast and upstream balancers.
func (s *Server) readyz(w http.ResponseWriter, _ *http.Request) {
	reasons := s.notReady()
	status := http.StatusOK
	if len(reasons) > 0 {
		status = http.StatusServiceUnavailable
	}
	reply(w, status, Readiness{Ready: len(reasons) == 0, Reasons: reasons})
}

// notReady lists why this process should get no clients; empty: it should.
func (s *Server) notReady() []string {
	reasons := []string{}
	if s.proc.Draining() {
		reasons = append(reasons, "draining: the process is about to end")
	}
	for _, p := range s.proc.Pools.Pools() {
		if p.Available() == 0 {
			reasons = append(reasons, fmt.Sprintf("pool %s: no node is available (of %d)", p.Name(), len(p.Nodes())))
		}
	}
	return reasons
}

// reload reads the configuration file again.
func (s *Server) reload(w http.ResponseWriter, _ *http.Request) {
	r := s.proc.Reload()
	if r.OK {
		reply(w, http.StatusOK, r)
		return
	}
	what := "the file has problems; nothing has changed"
	if r.Error != "" {
		what = r.Error + "; nothing has changed"
	}
	fail(w, http.StatusConflict, Error{Error: what, Problems: r.Problems})
}

// maxGrace bounds how long a draining process goes on taking sessions.
const maxGrace = 10 * time.Minute

// drain begins the end of the process.
func (s *Server) drain(w http.ResponseWriter, r *http.Request) {
	grace := time.Duration(0)
	if text := r.URL.Query().Get("grace"); text != "" {
		var err error
		if grace, err = time.ParseDuration(text); err != nil || grace < 0 || grace > maxGrace {
			fail(w, http.StatusBadRequest, Error{Error: fmt.Sprintf("grace %.50q is no duration from 0s to %s", text, maxGrace), Hint: `write it like "5s"`})
			return
		}
	}
	answer := DrainBegun{
		Sessions: s.proc.L4.Sessions(), Grace: seconds(grace), Timeout: seconds(s.proc.Config().Timeouts.Drain),
	}
	answer.Already = !s.proc.Drain(grace)
	reply(w, http.StatusAccepted, answer)
}
