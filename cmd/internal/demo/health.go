package demo

import (
	"net/http"
	"strconv"
)

// routeHealth adds MinIO's health endpoints. GET takes HEAD along.
func (n *Node) routeHealth(mux *http.ServeMux) {
	mux.HandleFunc("GET /minio/health/live", alive)
	mux.HandleFunc("GET /minio/health/ready", alive)
	mux.HandleFunc("GET /minio/health/cluster", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Minio-Write-Quorum", strconv.Itoa(writeQuorum))
		n.quorum(w, r, writeQuorum)
	})
	mux.HandleFunc("GET /minio/health/cluster/read", func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Minio-Read-Quorum", strconv.Itoa(readQuorum))
		n.quorum(w, r, readQuorum)
	})
}

// alive is the answer of a node that runs.
func alive(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusOK) }

// quorum answers 200 if enough nodes run, else 503. With maintenance=true the node asked counts as
// gone, and 412 says that it must not go.
func (n *Node) quorum(w http.ResponseWriter, r *http.Request, need int) {
	running := n.cluster.running()
	switch {
	case running < need:
		w.WriteHeader(http.StatusServiceUnavailable)
	case r.URL.Query().Get("maintenance") == "true" && running-1 < need:
		w.WriteHeader(http.StatusPreconditionFailed)
	default:
		w.WriteHeader(http.StatusOK)
	}
}
