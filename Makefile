# Tool versions, in one place.
GOLANGCI_VERSION := v2.5.0
PROTOC_GEN_GO_VERSION := v1.36.12
DEADCODE_VERSION := v0.52.0
GOVULNCHECK_VERSION := v1.9.0
ZIG_VERSION := 0.17.1
BIN := $(CURDIR)/bin

# Tags that leave out parts of urfave/cli which mpqc does not use, with the modules they need: its documents and its suggestions.
# `go run ./cmd/mpqc` and `go install` work without them.
TAGS := urfave_cli_no_docs,urfave_cli_no_suggest

.PHONY: build test check static fmt vet lint deadcode vuln tidy tags nocgo cross generate avx2 race seeds hashes kill fuzz fuzz-short clients speed soak big release clean

build:
	go build -tags $(TAGS) -o $(BIN)/mpqc ./cmd/mpqc

test:
	go test ./...

# check is what takes no other runtimes and no kills of what must hold before a change lands; .ci/run is all of it.
check: static test race

# static is the part of it that needs minutes and no shared data.
static: fmt vet lint deadcode vuln tidy tags cross generate

# gofumpt, as .golangci.yml says. Shows what it would change; `$(BIN)/golangci-lint fmt` changes it.
fmt: $(BIN)/golangci-lint
	$(BIN)/golangci-lint fmt --diff

vet:
	go vet ./...

lint: $(BIN)/golangci-lint
	$(BIN)/golangci-lint run ./...

$(BIN)/golangci-lint:
	GOBIN=$(BIN) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

# What no program and no test reaches, and what below cmd and internal tests alone reach. Public packages may have more than the
# programs use; internal/testkit is for tests; internal/kernel/isa.go lets tests of other packages force an instruction set.
deadcode: $(BIN)/deadcode
	@dead=$$($(BIN)/deadcode -test ./...) || exit 1; \
	private=$$($(BIN)/deadcode -filter '^github.com/mpqc/mpqc/(cmd|internal)(/|$$)' ./...) || exit 1; \
	private=$$(echo "$$private" | grep -v -e '^internal/testkit/' -e '^internal/kernel/isa\.go:'); \
	if [ -n "$$dead$$private" ]; then echo "dead code:"; printf '%s\n' "$$dead" "$$private" | sort -u; exit 1; fi

$(BIN)/deadcode:
	GOBIN=$(BIN) go install golang.org/x/tools/cmd/deadcode@$(DEADCODE_VERSION)

# Fails on a known vulnerability in code that the program calls (exit status 3). Says so where the database cannot be reached.
VULNDB := https://vuln.go.dev
vuln: $(BIN)/govulncheck
	@out=$$($(BIN)/govulncheck -db $(VULNDB) ./... 2>&1); code=$$?; case "$$code $$out" in \
	0\ *) ;; \
	1\ *"fetching vulnerabilities"*) echo "govulncheck: NOT CHECKED, the database of vulnerabilities cannot be reached: $${out##*fetching vulnerabilities: }";; \
	*) echo "$$out"; exit 1;; esac

$(BIN)/govulncheck:
	GOBIN=$(BIN) go install golang.org/x/vuln/cmd/govulncheck@$(GOVULNCHECK_VERSION)

# The lock files say what the code imports, no more and no less.
tidy:
	go mod tidy -diff
	cd internal/kernel/_gen && go mod tidy -diff

# The pure-Go kernels are the oracle of the assembly: they must build and pass by themselves.
tags:
	go test -tags noasm ./internal/kernel/... ./internal/engine/...

# Without cgo there is no onnxruntime: what needs it says so, and everything else works. Tests of whole jobs skip.
nocgo:
	CGO_ENABLED=0 MPQC_REQUIRE_SHARED= go test ./cmd ./calibrate ./export ./models/... ./onnx/... ./pipeline/... ./quantize/...

cross:
	CGO_ENABLED=0 go build -o /dev/null ./cmd/mpqc
	CGO_ENABLED=0 GOARCH=arm64 go build -tags $(TAGS) -o /dev/null ./cmd/mpqc
	go build -tags mpqc_nolink -o /dev/null ./cmd/mpqc

# Generated code is committed; regenerating it must change nothing.
generate:
	cd internal/kernel && go generate ./...
	bash onnx/internal/onnxpb/generate.sh
	git diff --exit-code -- internal/kernel onnx/internal/onnxpb

# Whole jobs and files once more as a CPU with AVX2 alone computes them, where there is AVX-512: mpqc's kernels do without it, and
# a copy of onnxruntime takes the processor for one that has none, whose kernels saturate where pairs of weights are not bounded.
AVX2 := $(BIN)/avx2/libonnxruntime.so
avx2:
	@if grep -qsw avx512f /proc/cpuinfo; then $(MAKE) --no-print-directory avx2-tests; else echo "no AVX-512 here, so there is nothing to do without"; fi

.PHONY: avx2-tests
avx2-tests: $(AVX2)
	GODEBUG=cpu.avx512f=off,cpu.avx2=on MPQC_ONNXRUNTIME=$(AVX2) go test -count=1 ./cmd/job ./export ./pipeline

$(AVX2): go.sum $(wildcard internal/testkit/cpumask/*.go)
	mkdir -p $(@D)
	go run ./internal/testkit/cpumask/mask $@

# Everything that runs on goroutines, which is nearly all that computes. Of whole jobs a few stand for all: the others call the
# same stages, and those of cmd/fault are damaged and killed, which takes too long here.
race:
	go test -race -short $$(go list ./... | grep -v -e '/cmd/fault$$' -e '/cmd/job$$')
	go test -race -short -run '^(TestCompressExample|TestDeterminismInt8|TestExport)$$' ./cmd/job

# SHA-256 of what the program computes, to compare two commits by: a change of form alone leaves them as they are.
hashes:
	go run ./internal/tools/hashes

# The training whose accuracy tests bound, with as many seeds; the tests above have one.
SEEDS := 3
seeds:
	MPQC_SEEDS=$(SEEDS) go test -count=1 -v -timeout=0 -run 'TestShortTraining$$' ./cmd/job

# The real binary killed with SIGKILL so often, in every stage of the job, and compared with an undisturbed run.
KILLS := 30
kill:
	MPQC_KILLS=$(KILLS) go test -count=1 -v -timeout=0 -run 'TestKill$$' ./cmd/fault

# Every fuzz target, each for this long or, like 10000x, this often, a core each. Fuzzing shrinks every input that reaches
# new code; bounded, that leaves the time to new inputs.
FUZZTIME := 10m
# FuzzAgreement runs a whole job for every input, and has a count of its own.
JOBTIME := 1000x
FUZZJOBS := $(shell getconf _NPROCESSORS_ONLN)
fuzz:
	@git grep -oE '^func Fuzz[A-Za-z0-9]+' -- '*_test.go' | sed 's|^\(.*\)/[^/]*:func \(.*\)|\1 \2|' | \
	xargs -P $(FUZZJOBS) -n 2 sh -c 'echo "$$1 $$2"; often=$(FUZZTIME); [ $$2 != FuzzAgreement ] || often=$(JOBTIME); \
	out=$$(go test -run "^$$" -fuzz "^$$2\$$" -fuzztime $$often -fuzzminimizetime 20x -parallel 1 "./$$1" 2>&1); code=$$?; \
	if [ $$code = 0 ]; then echo "$$2 $$(echo "$$out" | grep "^fuzz:" | tail -n 1)"; else echo "$$out"; fi; exit $$code' --

# What the gate runs of it.
fuzz-short:
	@$(MAKE) --no-print-directory fuzz FUZZTIME=10000x JOBTIME=50x

# The example's job over and over in one process; fails if memory or goroutines grow.
SOAKTIME := 15m
soak:
	go run ./internal/tools/soak -for $(SOAKTIME)

# A model beyond what a protobuf message holds, through import and doctor; fails if the memory exceeds 1.5 times its weights.
# Takes 5 GB of disk.
big:
	go run ./internal/tools/big

# Exported files in their own runtimes (OpenVINO, QONNX, onnx's checker), the ONNX project's cases of every operator, what
# its checker says of models whole and damaged, arrays that numpy wrote, and small networks of kinds that users brought, from
# a virtual environment of pinned wheels.
CLIENTS := $(BIN)/clients
clients: $(CLIENTS)/ready
	MPQC_PYTHON=$(CLIENTS)/bin/python go test -count=1 -run 'TestChecker|TestPairsOpenVINO|TestOpenVINO|TestQONNX|TestTensorRT|TestNodeCases|TestBackendModels|TestDamagedModels|TestAttributeKinds|TestNumPy|TestSmallCases' \
		./export ./internal/engine/decode ./onnx ./models/dataset ./cmd/job

# Speed of exported files beside onnxruntime's own quantization: no part of the gate, whose machines may be busy.
speed: $(CLIENTS)/ready
	MPQC_PYTHON=$(CLIENTS)/bin/python go test -count=1 -v -run TestSpeedBesideStatic ./export

$(CLIENTS)/ready: export/testdata/requirements.txt
	python3 -m venv $(CLIENTS)
	$(CLIENTS)/bin/pip install --quiet --disable-pip-version-check -r export/testdata/requirements.txt
	touch $@

# dist/ holds an archive for each platform, made from the commit that is checked out. zig is the C compiler of all of them.
ZIG := $(BIN)/zig
PLATFORMS := linux/amd64,linux/arm64,darwin/arm64,darwin/amd64,windows/amd64
release: $(ZIG)/ready
	ZIG_GLOBAL_CACHE_DIR=$(ZIG)/cache ZIG_LOCAL_CACHE_DIR=$(ZIG)/cache go run ./internal/tools/release -tags $(TAGS) -platforms $(PLATFORMS) \
	-zig "$$($(ZIG)/bin/python -c 'import os, ziglang; print(os.path.join(os.path.dirname(ziglang.__file__), "zig"))')"

$(ZIG)/ready:
	python3 -m venv $(ZIG)
	$(ZIG)/bin/pip install --quiet --disable-pip-version-check ziglang==$(ZIG_VERSION)
	touch $@

clean:
	rm -rf $(BIN) dist
