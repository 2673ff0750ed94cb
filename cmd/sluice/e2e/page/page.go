// Package page tests the page at / as a person meets it: headless Chromium, the built bin/sluice, and four
// stub nodes that answer as MinIO does. There is nothing in it but tests, behind the build tag e2e:
//
//	make page
//	go test -tags e2e -v ./cmd/sluice/e2e/page -run TestDrain
//
// Screenshots are kept under artifacts/page: they are for looking at. Without Chromium the tests skip; with
// SLUICE_NO_SKIP=1, as in CI, that is a failure. axe-core, which finds what keeps people from using a page,
// comes from the npm registry into .cache, at a version given here.
package page
