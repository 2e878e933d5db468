package cmd

import (
	"path/filepath"
	"strings"
	"testing"
)

// TestRanges: the way to choose the first step sizes reaches the calibration, the manifest and the kept supernet.
func TestRanges(t *testing.T) {
	example(t)
	steps := func() (array map[string][]float64) {
		return decode[struct{ Steps map[string][]float64 }](t, read(t, filepath.Join("example.mpqc", "calibration.json"))).Steps
	}
	before := steps()
	code, _, stderr := call(t, "compress", "--target", "4.0bit", "--ranges", "minmax")
	if code != exitDone || !strings.Contains(stderr, "--retrain") {
		t.Errorf("exit code %d, no word of the supernet that is kept: %s", code, stderr)
	}
	succeed(t, "compress", "--target", "4.0bit", "--ranges", "minmax", "--retrain")
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
	if manifest := string(read(t, filepath.Join("example.mpqc", "manifest.json"))); !strings.Contains(manifest, `"ranges": "minmax"`) {
		t.Errorf("manifest lacks the ranges: %s", manifest)
	}
	if code, _, stderr = call(t, "compress", "--target", "4.0bit", "--ranges", "entropy"); code != exitUsage || !strings.Contains(stderr, "minmax") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
