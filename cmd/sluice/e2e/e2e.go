// Package e2e tests the built bin/sluice as a black box, in front of a real MinIO cluster of four
// nodes: with curl, mc, minio-go and its own test suite, and the Console in headless Chromium. There
// is nothing in it but tests, behind the build tag e2e:
//
//	make e2e
//	go test -tags e2e -v ./cmd/sluice/e2e -run TestPlain/Spread
//
// Everything is tested twice: TestPlain has plain nodes routed by port, TestByName has TLS nodes routed
// by server name. TestTerminated and TestReencrypted test again what may differ where TLS ends at Sluice, in
// front of plain nodes and of TLS nodes. Each has one cluster, and each test in it a Sluice of its own.
//
// What MinIO answers of its own accord while nodes come and go (503 SlowDownWrite and the like) is counted
// and not taken for a failure. What failed is said again at the end of the output.
//
// A control shows that the tests are right: the same against HAProxy in TCP mode, which is known to do
// what they ask for.
//
//	go test -tags e2e -v ./cmd/sluice/e2e -balancer haproxy
//
// What a machine lacks (chromium, curl, haproxy, room on disk) is a skip with a reason; with
// SLUICE_NO_SKIP=1, as in CI, it is a failure. Screenshots, and the logs of what failed, are kept under
// artifacts/e2e.
package e2e
