package job

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestUntrained: commands that need results say of a workspace without any what makes them.
func TestUntrained(t *testing.T) {
	t.Chdir(t.TempDir())
	sample.ModelFile(t, "model.onnx", nil)
	program.Succeed(t, "import", "model.onnx")
	for _, args := range [][]string{{"search"}, {"export"}, {"report"}, {"bench", "search"}} {
		code, _, stderr := program.Call(t, args...)
		if code != exit.Usage || !strings.Contains(stderr, "run mpqc compress first") || strings.Contains(stderr, "--data") {
			t.Errorf("%v: exit code %d: %s", args, code, stderr)
		}
	}
}
