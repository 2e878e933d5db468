package cpumask

import (
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
)

// insideEnv says that this process runs a test with a masked library.
const insideEnv = "MPQC_TEST_MASKED"

// Again runs a test in a process of its own with a masked copy of onnxruntime's library, and fails with it. Inside that
// process it only returns true. Elsewhere than on x86 no library is masked, and the test is skipped.
func Again(t *testing.T, library string) (inside bool) {
	t.Helper()
	if os.Getenv(insideEnv) != "" {
		return true
	}
	if runtime.GOARCH != "amd64" || runtime.GOOS != "linux" {
		t.Skip("kernels without VNNI are those of x86, and libraries are masked on Linux")
	}
	masked := filepath.Join(t.TempDir(), "libonnxruntime.so")
	if _, err := Mask(library, masked); err != nil {
		t.Fatal(err)
	}
	c := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v") //nolint:gosec // this test itself
	c.Env = append(os.Environ(), insideEnv+"=1", "MPQC_ONNXRUNTIME="+masked)
	out, err := c.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "--- PASS: "+t.Name()) {
		t.Fatalf("without AVX-512: %v\n%s", err, out)
	}
	return false
}
