package fault

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestMaxMemory: a training that would not fit is refused before it begins, with what it takes and what to do, and the
// workspace goes on with a limit that it fits in.
func TestMaxMemory(t *testing.T) {
	t.Chdir(t.TempDir())
	args := append([]string{
		"compress", "--target", "4.0bit", "--data", sample.SmallData(t, t.TempDir(), 256, 48), "--train-samples", "128", "--paths", "2",
	}, program.Small...)
	with := func(more ...string) (int, string) {
		code, _, stderr := program.Call(t, append(append([]string{}, args...), more...)...)
		program.NeedRuntime(t, code, stderr)
		return code, stderr
	}
	code, stderr := with("--epochs", "1", "--batch", "128", "--max-memory", "0.26GB")
	if code != exit.Usage || !strings.Contains(stderr, "training with 128 samples a step takes about ") ||
		!strings.Contains(stderr, "--max-memory allows 260 MB: --batch ") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	for _, length := range [][]string{{"--epochs", "1"}, {"--epochs", "0"}, {"--time", "1h"}} {
		more := append([]string{"--max-memory", "1MB"}, length...)
		code, stderr := with(more...)
		if code != exit.Usage || !strings.Contains(stderr, "even one thread takes ") {
			t.Errorf("%v: exit code %d: %s", more, code, stderr)
		}
		if trains := length[1] != "0"; trains != strings.Contains(stderr, "even one sample a step takes ") {
			t.Errorf("%v: %s", more, stderr)
		}
		if strings.Contains(stderr, "calibrate   ") {
			t.Errorf("%v: refused after calibration: %s", more, stderr)
		}
	}
	for _, bad := range []string{"many", "4X", "-1GB", "GB"} {
		if code, stderr := with("--max-memory", bad); code != exit.Usage || !strings.Contains(stderr, "is not a size such as 800MB") {
			t.Errorf("%q: exit code %d: %s", bad, code, stderr)
		}
	}
	if code, stderr := with("--epochs", "1", "--batch", "16", "--max-memory", "4G"); code != exit.Done {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
