//go:build !linux || !cgo

package ort

// ReleaseMemory is for glibc only.
func ReleaseMemory() bool { return false }
