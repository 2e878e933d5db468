package cmd

import (
	"math"
	"strconv"
	"testing"
)

// TestShortTraining trains the example for 200 updates with three seeds. Measured at 2.5 bit: 89.3, 91.2 and 90.9 % for the
// policy found, of 93.25 % in float, and 73.4, 75.0 and 75.6 % for the uniform baseline, most of whose layers have 2 bits:
// without training it has 22.5 %.
func TestShortTraining(t *testing.T) {
	if testing.Short() {
		t.Skip("trains three times")
	}
	for seed := 1; seed <= 3; seed++ {
		t.Run(strconv.Itoa(seed), func(t *testing.T) {
			t.Chdir(t.TempDir())
			code, stdout, stderr := call(t, "compress", "--effort", "quick", "--target", "2.5bit", "--seed", strconv.Itoa(seed), "--json")
			needRuntime(t, code, stderr)
			if code != exitDone {
				t.Fatalf("exit code %d: %s", code, stderr)
			}
			r := decodeResult(t, stdout).Results[0]
			if found := *r.Metric.Top1; found < 0.875 || found > 0.935 {
				t.Errorf("top-1 %.4f is not between 0.875 and 0.935", found)
			}
			if g := r.Uniform.Gain; g == nil || math.Abs(g.Top1-(*r.Metric.Top1-*r.Uniform.Top1)) > 1e-9 || g.Interval[0] > g.Top1 || g.Interval[1] < g.Top1 {
				t.Errorf("gain %+v of top-1 %.4f over %.4f", g, *r.Metric.Top1, *r.Uniform.Top1)
			}
			if uniform := *r.Uniform.Top1; uniform < 0.68 || uniform > 0.85 {
				t.Errorf("top-1 %.4f of the uniform baseline is not between 0.68 and 0.85", uniform)
			}
		})
	}
}
