package cmd

import (
	"strings"
	"testing"
)

// TestUntrained: commands that need results say of a workspace without any what makes them.
func TestUntrained(t *testing.T) {
	t.Chdir(t.TempDir())
	modelFile(t, "model.onnx", nil)
	succeed(t, "import", "model.onnx")
	for _, args := range [][]string{{"search"}, {"export"}, {"report"}, {"bench", "search"}} {
		code, _, stderr := call(t, args...)
		if code != exitUsage || !strings.Contains(stderr, "run mpqc compress first") || strings.Contains(stderr, "--data") {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}
