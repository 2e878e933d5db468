package fault

import (
	"os"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestLongNames: names that the exported files would not fit in are refused before anything is computed for them, and
// names as long as the file system takes are none.
func TestLongNames(t *testing.T) {
	t.Chdir(t.TempDir())
	sample.PNGFolder(t, "samples", 4, 1)
	long := strings.Repeat("m", 235) + ".onnx"
	sample.ModelFile(t, long, nil)
	short := sample.ModelFile(t, "model.onnx", nil)
	for _, c := range []struct {
		name string
		args []string
	}{
		{"model", []string{long}},
		{"target", []string{short, "--target", "4." + strings.Repeat("0", 230) + "bit"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			args := append([]string{"compress", "--workspace", "w-" + c.name, "--data", "samples", "--no-labels", "--preset", "unit", "--color", "GRAY", "--epochs", "0"}, c.args...)
			code, _, stderr := program.Call(t, args...)
			if code != exit.Usage || !strings.Contains(stderr, "names of 255 bytes") {
				t.Errorf("exit code %d: %s", code, stderr)
			}
			if _, err := os.Stat("w-" + c.name + "/calibration.json"); err == nil {
				t.Error("it was calibrated")
			}
		})
	}
}
