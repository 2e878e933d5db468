// Package ort runs ONNX models in onnxruntime. It is the only importer of onnxruntime_go: it finds the shared library,
// starts the process-wide environment once, and hides C values behind tensor.Tensor. It knows nothing of quantization.
// Without cgo every call returns ErrNoRuntime.
package ort
