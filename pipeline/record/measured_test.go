package record

import (
	"math"
	"testing"

	"github.com/mpqc/mpqc/pipeline/evaluation/metric"
)

// TestGain pairs predictions: samples that both get right or wrong say nothing, so the interval is narrower than that
// of two independent shares.
func TestGain(t *testing.T) {
	const n = 1000
	result, uniform := make(metric.Hits, n), make(metric.Hits, n)
	for i := range n {
		result[i], uniform[i] = 1, 1
		switch {
		case i < 100: // both wrong
			result[i], uniform[i] = 0, 0
		case i < 130:
			uniform[i] = 0
		case i < 140:
			result[i] = 0
		}
	}
	g := GainOf(result, uniform)
	if g == nil || math.Abs(g.Top1-0.02) > 1e-12 {
		t.Fatalf("gain %v, want 0.02", g)
	}
	half := 1.96 * math.Sqrt((0.04-0.02*0.02)/n)
	if math.Abs(g.Interval[0]-(0.02-half)) > 1e-12 || math.Abs(g.Interval[1]-(0.02+half)) > 1e-12 {
		t.Errorf("interval %v, want 0.02 -+ %g", g.Interval, half)
	}
	if GainOf(result, nil) != nil || GainOf(nil, uniform) != nil || GainOf(result[1:], uniform) != nil {
		t.Error("a gain without pairs")
	}
}
