//go:build unix

package onnx

import (
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// A pipe in place of the data is an error at once and not a wait for somebody to write to it.
func TestExternalPipe(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "w.bin"), 0o600); err != nil {
		t.Skip(err)
	}
	path := filepath.Join(dir, "m.onnx")
	write(t, path, encode(t, externalSample(t, "location", "w.bin")))
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Error(err)
	}
}
