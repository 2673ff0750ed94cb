package admin

import (
	_ "embed"
	"net/http"
)

// openAPIText describes the API (OpenAPI 3.1). It is made from the types and from a table in
// openapi_test.go: go test ./cmd/internal/admin -run TestOpenAPI -update.
//
//go:embed openapi.json
var openAPIText []byte

func (s *Server) openAPI(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	w.Write(openAPIText)
}
