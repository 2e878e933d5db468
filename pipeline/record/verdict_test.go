package record

import (
	"math"
	"testing"
)

func TestCompare(t *testing.T) {
	v := Compare([]float64{1, 2, 3, 2}, []float64{2, 2, 5, 3})
	if v.Samples != 4 || v.Loss != 2 || v.UniformLoss != 3 || v.Gain != 1 {
		t.Errorf("%+v", v)
	}
	// Differences 1, 0, 2, 1: variance 1/2 about the mean, over four samples.
	half := 1.96 * math.Sqrt(0.5/4)
	if math.Abs(v.Interval[0]-(1-half)) > 1e-12 || math.Abs(v.Interval[1]-(1+half)) > 1e-12 {
		t.Errorf("interval %v, want 1 +- %g", v.Interval, half)
	}
}
