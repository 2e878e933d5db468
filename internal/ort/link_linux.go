//go:build linux && cgo && !mpqc_nolink && !musl && (amd64 || arm64)

package ort

// The import links the libonnxruntime.so that the module ships, with a path into the module cache, so that "go run"
// works on a fresh checkout. A program that leaves this machine is built with -tags mpqc_nolink.
import _ "github.com/k2-fsa/sherpa-onnx-go-linux"
