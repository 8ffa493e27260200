# Every target works on a fresh machine with Go, CPython >= 3.11 (with headers) and a C compiler: what else is needed
# is built or installed into .venv first. `make help` lists the targets.

PYTHON ?= python3
VENV   := .venv
BIN    := bin/covet
GO     ?= go
export CGO_ENABLED = 0

GO_SOURCES := $(shell find . -name '*.go' -not -path './.venv/*' -not -path './tests/*' 2>/dev/null) go.mod go.sum
PY_BUILD   := python/pyproject.toml python/setup.py $(wildcard python/csrc/*.c python/csrc/*.h)

.DEFAULT_GOAL := help

.PHONY: help
help: ## list the targets
	@awk -F ':.*## ' '/^[a-zA-Z_-]+:.*## / { printf "  %-14s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: build
build: $(BIN) $(VENV)/.installed ## bin/covet, and .venv with the Python package (editable) and its extension

$(BIN): $(GO_SOURCES)
	$(GO) build -trimpath -o $@ ./cmd/covet

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)

# The stamp is made anew when the extension's sources or the package's metadata change.
$(VENV)/.installed: $(VENV)/bin/python $(PY_BUILD)
	$(VENV)/bin/pip install --quiet --editable './python[uvloop]'
	@touch $@

$(VENV)/.tested: $(VENV)/.installed python/requirements-dev.txt
	$(VENV)/bin/pip install --quiet --requirement python/requirements-dev.txt
	@touch $@

.PHONY: run
run: build ## serve the example shop on http://127.0.0.1:8000
	$(BIN) run examples/shop/app.py:app --workers 1  # its data lives in one process

.PHONY: test
test: test-go test-race test-python test-e2e test-asan bench-test ## everything

.PHONY: test-go
test-go: build ## Go unit and contract tests
	$(GO) test ./...
	@# The vector scans of the parser, where the toolchain and the machine have them.
	@if [ "$$($(GO) env GOARCH)" = amd64 ]; then GOEXPERIMENT=simd $(GO) test ./internal/h1; fi

# The race detector needs cgo; the product is built without it.
.PHONY: test-race
test-race: build ## the Go tests under the race detector
	CGO_ENABLED=1 $(GO) test -race -short ./...

.PHONY: test-python
test-python: build $(VENV)/.tested ## the Python package and its extension
	$(VENV)/bin/python -m pytest -q python/tests

.PHONY: test-e2e
test-e2e: build $(VENV)/.tested ## the server as users run it: examples, faults, reload, uploads
	cd tests && COVET_BINARY=$(CURDIR)/$(BIN) COVET_TEST_PYTHON=$(CURDIR)/$(VENV)/bin/python $(GO) test -count=1 ./...

.PHONY: test-asan
test-asan: build $(VENV)/.tested ## the extension's tests under AddressSanitizer
	./python/asan.sh $(VENV)

.PHONY: soak
soak: build $(VENV)/.tested ## long runs: a million requests, a gigabyte up, as many connections as the machine allows
	cd tests && COVET_BINARY=$(CURDIR)/$(BIN) COVET_TEST_PYTHON=$(CURDIR)/$(VENV)/bin/python COVET_SOAK=1 $(GO) test -count=1 -timeout 60m -run 'Soak|Scale' -v ./...

.PHONY: conformance
conformance: ## HTTP/1.1 by RFC 9110 and 9112, and the attacks on it, on every transport; V=1 lists every case
	cd tests && COVET_CONFORMANCE=full $(if $(V),COVET_CONFORMANCE_VERBOSE=1) $(GO) test -count=1 ./conformance/... $(if $(V),-v)

T ?= 20s
.PHONY: fuzz
fuzz: ## run every fuzz target of both modules for T (default 20s), and sum up
	@GO='$(GO)' ./tests/fuzz.sh $(T)

.PHONY: check
check: build $(VENV)/.tested ## format, vet, linters, import law, generated files, type checks
	@test -z "$$(gofmt -l $$(git ls-files '*.go'))" || { gofmt -l $$(git ls-files '*.go'); echo 'not gofmt-ed'; exit 1; }
	$(GO) vet ./...
	cd tests && $(GO) vet ./...
	$(GO) mod tidy -diff
	cd tests && $(GO) mod tidy -diff
	GOOS=darwin $(GO) build ./...
	$(GO) run github.com/golangci/golangci-lint/v2/cmd/golangci-lint@v2.15.0 run ./...
	$(GO) test ./internal/tools/...
	$(VENV)/bin/ruff check python examples bench
	$(VENV)/bin/ruff format --check python examples bench
	cd python && ../$(VENV)/bin/mypy
	cd python && ../$(VENV)/bin/pyright --pythonpath ../$(VENV)/bin/python

.PHONY: generate
generate: ## regenerate what is generated: layouts, error codes
	$(GO) generate ./...

.PHONY: bench
bench: build ## the side-by-side benchmarks: bench/results/*.json, tables, charts; PROFILE=json RIVALS=granian,fastapi narrows
	$(PYTHON) bench/run.py --profile '$(or $(PROFILE),all)' --rivals '$(or $(RIVALS),all)' $(BENCH_FLAGS)

.PHONY: bench-quick
bench-quick: build ## the nearest rivals in under three minutes
	$(PYTHON) bench/run.py --quick $(BENCH_FLAGS)

.PHONY: bench-targets
bench-targets: build ## what the targets need, about a quarter of an hour: which are met is printed
	$(PYTHON) bench/run.py --targets $(BENCH_FLAGS)

.PHONY: bench-parser
bench-parser: ## the parser of request heads beside fasthttp's and net/http's
	$(PYTHON) bench/parser.py

.PHONY: bench-json
bench-json: $(VENV)/.installed ## JSON in both languages beside other encoders: docs/internals/json.md
	$(VENV)/bin/pip install --quiet --upgrade --target bench/.envs/json --requirement bench/json/requirements.txt
	PYTHONPATH=bench/.envs/json $(VENV)/bin/python bench/json/table.py --corpus bench/.envs/json-corpus $(BENCH_FLAGS)

.PHONY: bench-test
bench-test: $(VENV)/.tested ## tests of the benchmarks themselves
	$(VENV)/bin/python -m pytest -q --rootdir bench/tests bench/tests
	cd bench/go && $(GO) vet ./... && $(GO) test ./...

.PHONY: crossing
crossing: build ## every lever on the way to a worker, one by one: docs/internals/crossing.md; QUICK=1 for three minutes
	$(PYTHON) bench/crossing.py $(if $(QUICK),--quick)

.PHONY: clean
clean: ## remove what was built
	rm -rf bin .venv python/build python/src/*.egg-info
