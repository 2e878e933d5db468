// Package testkit holds what tests of several packages need: shared data, closeness, central differences.
package testkit

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"
)

// Shared returns the path of a file or folder of the shared test data (folder "shared" beside the repository). Where
// it is missing the test is skipped with a message that names it; with MPQC_REQUIRE_SHARED=1 it fails instead.
func Shared(t testing.TB, name string) string {
	t.Helper()
	_, file, _, _ := runtime.Caller(0)
	root := filepath.Dir(filepath.Dir(filepath.Dir(file)))
	path := filepath.Join(root, "..", "shared", filepath.FromSlash(name))
	if dir := os.Getenv("MPQC_SHARED"); dir != "" {
		path = filepath.Join(dir, filepath.FromSlash(name))
	}
	if _, err := os.Stat(path); err != nil {
		Missing(t, "shared test data %s is missing", path)
	}
	return path
}

// Missing skips a test that lacks something; with MPQC_REQUIRE_SHARED=1, as in the gate, it fails instead.
func Missing(t testing.TB, format string, args ...any) {
	t.Helper()
	if os.Getenv("MPQC_REQUIRE_SHARED") == "1" {
		t.Fatalf(format+", and MPQC_REQUIRE_SHARED=1", args...)
	}
	t.Skipf(format, args...)
}
