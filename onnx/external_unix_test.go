//go:build unix

package onnx

import (
	"os"
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

// TestExternalFilesAreRegular: what hashes the files of a model must not wait for a pipe, nor read a device without
// end.
func TestExternalFilesAreRegular(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Skip(err)
	}
	write(t, filepath.Join(dir, "good"), nil)
	for name, target := range map[string]string{"link": "/dev/zero", "inside": "good", "up": "../x"} {
		if err := os.Symlink(target, filepath.Join(dir, name)); err != nil {
			t.Skip(err)
		}
	}
	path := filepath.Join(dir, "m.onnx")
	for location, listed := range map[string]bool{
		"good": true, "inside": true, "missing": true, "pipe": false, "link": false, "up": false, ".": false, "/dev/zero": false, "../m": false,
	} {
		write(t, path, encode(t, externalSample(t, "location", location)))
		if found := ExternalFiles(path); (len(found) == 1) != listed {
			t.Errorf("%q: %q", location, found)
		}
	}
}
