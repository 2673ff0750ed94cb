// Package interop tests the built bin/sluice as a black box between programs that others have written, and
// against hostile ones: HAProxy and nginx on both sides of it, curl, OpenSSL, testssl.sh, a kernel with namespaces and
// strace. Its nodes are small ones of its own; MinIO is in cmd/sluice/e2e. There is nothing in it but tests,
// behind the build tag interop:
//
//	make interop
//	go test -tags interop -v ./cmd/sluice/interop -run TestHAProxy
//
// A test is a story: the whole configuration, the nodes, the clients, and what must come of it, in one
// place. What a machine lacks (haproxy, root, strace) is a skip with a reason; with SLUICE_NO_SKIP=1, as in
// CI, it is a failure.
package interop
