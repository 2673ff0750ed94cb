package admin

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"net/netip"
	"strings"
)

// open are the paths that need no token: probes have none, and the page asks for it.
func open(path string) bool {
	return path == "/healthz" || path == "/readyz" || path == "/" || strings.HasPrefix(path, "/page/")
}

// guard stands before every route.
func (s *Server) guard(next http.Handler) http.Handler {
	crossOrigin := http.NewCrossOriginProtection()
	crossOrigin.SetDenyHandler(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fail(w, http.StatusForbidden, Error{Error: "a page of another site may not do this"})
	}))
	next = crossOrigin.Handler(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("X-Content-Type-Options", "nosniff")
		h.Set("X-Frame-Options", "DENY")
		h.Set("Referrer-Policy", "no-referrer")
		h.Set("Cache-Control", "no-store")
		set := s.current.Load()
		switch {
		case set.Token == "" && !set.unix && !ownName(r.Host):
			// A name that a hostile DNS points here would make its page one of ours (DNS rebinding).
			fail(w, http.StatusMisdirectedRequest, Error{
				Error: "this address is not known here by that name",
				Hint:  "use localhost or an IP address; with admin.token set, any name",
			})
		case set.Token != "" && !open(r.URL.Path) && !bears(r, string(set.Token)):
			h.Set("WWW-Authenticate", `Bearer realm="sluice"`)
			fail(w, http.StatusUnauthorized, Error{
				Error: "a token is needed",
				Hint:  "send the header Authorization: Bearer TOKEN, with the admin.token of the configuration",
			})
		default:
			r.Body = http.MaxBytesReader(w, r.Body, maxBody)
			next.ServeHTTP(w, r)
		}
	})
}

// ownName reports whether a Host header is one that no DNS can make up: an address, or localhost, which
// browsers resolve themselves (RFC 6761 section 6.3).
func ownName(host string) bool {
	if h, _, err := net.SplitHostPort(host); err == nil {
		host = h
	}
	host = strings.Trim(host, "[]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	_, err := netip.ParseAddr(host)
	return err == nil
}

// bears reports whether a request has the token, in a time that does not depend on how much of it is
// right.
func bears(r *http.Request, token string) bool {
	scheme, got, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	a, b := sha256.Sum256([]byte(strings.TrimSpace(got))), sha256.Sum256([]byte(token))
	return subtle.ConstantTimeCompare(a[:], b[:]) == 1 && strings.EqualFold(scheme, "Bearer")
}
