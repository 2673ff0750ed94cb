# Targets are documented by their ## comments: make help.
GO      ?= go
BIN     := bin/sluice
CACHE   := $(CURDIR)/.cache
FUZZTIME ?= 10s
export CGO_ENABLED ?= 0

.DEFAULT_GOAL := help

build: ## build bin/sluice, static
	$(GO) build -trimpath -o $(BIN) ./cmd/sluice

run: build ## build, then run the demo: four small nodes behind a real Sluice
	$(BIN) demo

test: ## every test that needs nothing but Go and this machine
	$(GO) test -shuffle=on ./...

race: ## the same under the race detector
	CGO_ENABLED=1 $(GO) test -race -shuffle=on ./...

fuzz: ## every fuzz target for a while: FUZZTIME=10s
	.ci/fuzz $(FUZZTIME)

e2e: ## bin/sluice in front of a real MinIO cluster, with curl, mc, minio-go and a browser
	$(GO) test -tags e2e -count=1 -timeout 40m -v ./cmd/sluice/e2e

page: ## the admin page in headless Chromium, in front of stub nodes; screenshots in artifacts/page
	$(GO) test -tags e2e -count=1 -timeout 20m -v ./cmd/sluice/e2e/page

interop: ## bin/sluice between HAProxy, nginx, curl and OpenSSL, in namespaces, under strace (root)
	$(GO) test -tags interop -count=1 -timeout 20m -v ./cmd/sluice/interop

minio: build ## Sluice in front of a real MinIO cluster of four nodes on loopback; TLS=1: the nodes speak TLS
	$(GO) build -o $(CACHE)/bin/run-minio ./cmd/internal/cluster/run
	$(CACHE)/bin/run-minio -sluice $(BIN) $(if $(TLS),-tls)

lint: ## gofmt, vet, staticcheck, modernizers, tidy
	@out=$$(gofmt -l */); [ -z "$$out" ] || { echo "gofmt: $$out"; exit 1; }
	$(GO) vet -tags e2e,interop ./...
	$(GO) tool staticcheck -tags e2e,interop ./...
	$(GO) fix -tags e2e,interop -diff ./...
	$(GO) mod tidy -diff

bench: build ## the benchmark against HAProxy, nginx and others (two hours; quiet machine, root): bench/README.md
	$(GO) run ./bench -out bench

microbench: ## the Go benchmarks of single functions
	$(GO) test -run '^$$' -bench . -benchmem ./sni ./pool ./l4

clean: ## remove what make made
	rm -rf bin dist artifacts

help: ## this list
	@awk -F':.*## ' '/^[a-z0-9_-]+:.*## /{printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: bench microbench build run test race fuzz e2e interop page minio lint clean help
