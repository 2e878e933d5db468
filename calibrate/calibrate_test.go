package calibrate

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/tensor"
)

func normal(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 7))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

func TestHistogramDoesNotDependOnOrder(t *testing.T) {
	x := normal(5000, 1)
	x[4999] = 1000
	var a, b Histogram
	a.Add(x)
	b.Add(x[4990:])
	b.Add(x[:4990])
	if d := cmp.Diff(a, b); d != "" {
		t.Error(d)
	}
	if a.Max != 1000 || !a.Negative {
		t.Errorf("max %g, negative %v", a.Max, a.Negative)
	}
}

// The optimal steps of a uniform quantizer for a normal distribution are known (Max 1960, table II for an even number
// of levels without zero; here the grid holds zero, so the tolerance is wide).
func TestStepOfNormal(t *testing.T) {
	var h Histogram
	h.Add(normal(200_000, 2))
	for _, tc := range []struct {
		bits int
		want float64
	}{{3, 0.59}, {4, 0.335}, {5, 0.188}, {8, 0.031}} {
		if got := float64(h.Step(tc.bits, true)); math.Abs(got-tc.want) > 0.15*tc.want {
			t.Errorf("%d bits: step %g, want about %g", tc.bits, got, tc.want)
		}
	}
}

func TestStepIsBestOfNeighbours(t *testing.T) {
	for _, bits := range []int{2, 3, 4, 6, 8} {
		var h Histogram
		x := normal(20_000, uint64(bits))
		for i := range x {
			x[i] = max(x[i], 0)
		}
		h.Add(x)
		s := float64(h.Step(bits, false))
		levels := positive(bits, false)
		exact := func(s float64) float64 {
			var sum float64
			for _, v := range x {
				d := float64(v) - s*min(math.RoundToEven(float64(v)/s), levels)
				sum += d * d
			}
			return sum
		}
		for _, f := range []float64{0.8, 0.9, 1.1, 1.25} {
			if exact(s*f) < 0.99*exact(s) {
				t.Errorf("%d bits: step %g is worse than %g", bits, s, s*f)
			}
		}
	}
}

func TestStepOfZeros(t *testing.T) {
	var h Histogram
	h.Add(make([]float32, 10))
	if s := h.Step(4, false); s != 1 {
		t.Errorf("step %g", s)
	}
	if s := channelSteps(MSE, []float32{0, 0, 7, 0}, tensor.Shape{2, 2}, 0, 4); s[0] != 1 || s[1] != 1 {
		t.Errorf("steps %v", s)
	}
	if s := channelSteps(MSE, make([]float32, 4), tensor.Shape{2, 2}, 0, 4); s[0] != emptyStep || s[1] != emptyStep {
		t.Errorf("steps %v of a layer of zeros", s)
	}
}

func TestChannelStepsFollowAxis(t *testing.T) {
	// Column 1 is ten times column 0: per-column steps must be, too.
	w := normal(200, 3)
	for i := range 100 {
		w[2*i+1] = 10 * w[2*i]
	}
	s := channelSteps(MSE, w, tensor.Shape{100, 2}, 1, 4)
	if math.Abs(float64(s[1]/s[0])-10) > 1e-3 {
		t.Errorf("steps %v", s)
	}
}

// TestRanges: the codes of a percentile leave out a rare value that those of min-max reach, and low widths clip with
// least squared error alone.
func TestRanges(t *testing.T) {
	var h Histogram
	x := normal(200_000, 4)
	x[7] = 40
	h.Add(x)
	for _, tc := range []struct {
		ranges   Ranges
		bits     int
		from, to float64 // what the highest code stands for
	}{
		{MinMax, 2, 40, 40}, {MinMax, 8, 40, 40}, {Percentile, 2, 3.6, 4.2}, {Percentile, 8, 3.6, 4.2}, {MSE, 2, 0.5, 2}, {MSE, 8, 3, 39},
	} {
		top := float64(h.StepFrom(tc.ranges, tc.bits, true)) * positive(tc.bits, true)
		if top < tc.from-1e-4 || top > tc.to+1e-4 {
			t.Errorf("%s at %d bits reaches %g, not %g to %g", tc.ranges, tc.bits, top, tc.from, tc.to)
		}
	}
	if low := h.LowFrom(MinMax); low > -4 || h.LowFrom(Percentile) < low {
		t.Errorf("lowest value %g, of a percentile %g", low, h.LowFrom(Percentile))
	}
	if got := channelSteps(MinMax, []float32{0.3, -0.9, 0.1, 0.2}, tensor.Shape{2, 2}, 0, 3); math.Abs(float64(got[0])-0.3) > 1e-6 || math.Abs(float64(got[1])-0.2/3) > 1e-6 {
		t.Errorf("steps of weights %v", got)
	}
	if r, err := ParseRanges(""); err != nil || r != MSE {
		t.Errorf("the default is %q, %v", r, err)
	}
	if _, err := ParseRanges("entropy"); err == nil {
		t.Error("entropy was accepted")
	}
}

func TestMoments(t *testing.T) {
	c := &Channels{Sum: make([]float64, 2), SumSq: make([]float64, 2)}
	c.add([]float32{1, 3, 10, 10, 5, 7, 10, 10}, 2)
	mean, variance := c.Moments()
	if d := cmp.Diff([]float64{4, 10}, mean) + cmp.Diff([]float64{5, 0}, variance); d != "" {
		t.Error(d)
	}
}
