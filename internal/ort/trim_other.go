//go:build !linux || !cgo

package ort

// ReleaseMemory returns memory to the system that onnxruntime has freed and the C library keeps. The memory of the next
// session can then be told from what was used before. It is false if the C library cannot do that.
func ReleaseMemory() bool { return false }
