#!/usr/bin/env bash
# Regenerates gen_onnx.pb.go from onnx.proto. Needs go and python3; installs the two tools it uses, pinned, into a
# folder of its own (ONNXPB_TOOLS to keep it elsewhere), so that the result does not depend on the machine.
set -euo pipefail
cd "$(dirname "$0")"

protoc_gen_go_version=v1.36.12
grpcio_tools_version=1.84.0 # ships protoc
tools="${ONNXPB_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/mpqc-onnxpb-$grpcio_tools_version-$protoc_gen_go_version}"

mkdir -p "$tools/bin"
[ -x "$tools/bin/protoc-gen-go" ] ||
  GOBIN="$tools/bin" GOFLAGS= go install "google.golang.org/protobuf/cmd/protoc-gen-go@$protoc_gen_go_version"
[ -x "$tools/venv/bin/python" ] || python3 -m venv "$tools/venv"
"$tools/venv/bin/python" -c 'import grpc_tools' 2>/dev/null ||
  "$tools/venv/bin/python" -m pip install --quiet "grpcio-tools==$grpcio_tools_version" setuptools

# The path inside the descriptor must be unique in the program, so the import root is the repository.
root="$(cd ../../.. && pwd)"
out="$(mktemp -d)"
trap 'rm -rf "$out"' EXIT
"$tools/venv/bin/python" -m grpc_tools.protoc -I "$root" --plugin="$tools/bin/protoc-gen-go" \
  --go_out="$out" --go_opt=paths=source_relative onnx/internal/onnxpb/onnx.proto
# The second header line carries protoc's version; it stays, since both tools are pinned.
mv "$out/onnx/internal/onnxpb/onnx.pb.go" gen_onnx.pb.go
gofmt -w gen_onnx.pb.go
