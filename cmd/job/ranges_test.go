package job

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
)

// TestRanges: the way to choose the first step sizes reaches the calibration, the manifest and the kept supernet.
func TestRanges(t *testing.T) {
	if testing.Short() {
		t.Skip("runs several jobs")
	}
	program.Example(t)
	steps := func() (array map[string][]float64) {
		return program.Decode[struct{ Steps map[string][]float64 }](t, sample.Read(t, filepath.Join("example.mpqc", "calibration.json"))).Steps
	}
	before := steps()
	code, _, stderr := program.Call(t, "compress", "--target", "4.0bit", "--ranges", "minmax")
	if code != exit.Done || !strings.Contains(stderr, "--retrain") {
		t.Errorf("exit code %d, no word of the supernet that is kept: %s", code, stderr)
	}
	program.Succeed(t, "compress", "--target", "4.0bit", "--ranges", "minmax", "--retrain")
	wider := 0
	after := steps()
	for name, s := range before {
		if len(after[name]) != 1 || after[name][0] < s[0]*0.999 {
			t.Errorf("%s: step %v after %v", name, after[name], s)
		}
		if after[name][0] > 1.1*s[0] {
			wider++
		}
	}
	if wider == 0 {
		t.Error("no step is wider with minmax")
	}
	if manifest := string(sample.Read(t, filepath.Join("example.mpqc", "manifest.json"))); !strings.Contains(manifest, `"ranges": "minmax"`) {
		t.Errorf("manifest lacks the ranges: %s", manifest)
	}
	if code, _, stderr = program.Call(t, "compress", "--target", "4.0bit", "--ranges", "entropy"); code != exit.Usage || !strings.Contains(stderr, "minmax") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
