package testkit

import (
	"os"
	"testing"
)

// Python returns the interpreter that MPQC_PYTHON names, with the packages of export/testdata/requirements.txt. Without
// it the test is skipped: `make clients` installs one and runs those that need it.
func Python(t testing.TB) string {
	t.Helper()
	p := os.Getenv("MPQC_PYTHON")
	if p == "" {
		t.Skip("MPQC_PYTHON does not name an interpreter with the packages of export/testdata/requirements.txt; make clients installs one")
	}
	return p
}
