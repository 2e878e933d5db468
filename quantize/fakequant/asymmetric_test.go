package fakequant

import (
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// TestAsymmetricQuant: with a zero point y is what the grid of the exported file makes of x, at every width, and the
// gradient of the step is that of the definition.
func TestAsymmetricQuant(t *testing.T) {
	const n = 5000
	const low = -0.375
	data := normals(n, 4)
	dy := normals(n, 5)
	for _, bits := range []int{2, 3, 4, 5, 6, 8} {
		step := float32(3) / float32(int(1)<<bits)
		plan := &quantize.Plan{Points: []quantize.Point{{Tensor: "x", Signed: true, Asymmetric: true, Candidates: []int{bits}}}}
		grid, err := plan.Grid(&quantize.Supernet{Arrays: map[string]quantize.Array{
			quantize.LowName("x"):        {Shape: tensor.Shape{1}, Data: []float32{low}},
			quantize.StepName("x", bits): {Shape: tensor.Shape{1}, Data: []float32{step}},
		}}, 0, bits, false)
		if err != nil {
			t.Fatal(err)
		}
		if grid.Lo != 0 || int(grid.Hi) != 1<<bits-1 || int(grid.Zero) != quantize.ZeroPoint(low, step, bits) {
			t.Fatalf("%d bits: grid %+v", bits, grid)
		}
		s := newSteps([]int{bits}, 1, true, func(int) string { return "step" })
		s.low = []float32{low}
		s.Param().Data[0] = step
		e, _ := through(t, &ActivationQuant{Steps: s}, data, tensor.Shape{n}, nil)
		if err := e.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
		lo, hi := -float32(grid.Zero), float32(grid.Hi)-float32(grid.Zero)
		var ds float64
		copy(e.OutputGrad(0).Data, dy)
		for i, v := range data {
			if got, want := e.Output(0).Data[i], grid.Value(grid.Quantize(v)); got != want {
				t.Fatalf("%d bits: %g gives %g, the grid %g", bits, v, got, want)
			}
			level := e.Output(0).Data[i] / step
			if q := v / step; q >= lo && q <= hi {
				ds += float64(level-q) * float64(dy[i])
			} else {
				ds += float64(level) * float64(dy[i])
			}
		}
		if err := e.Backward(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := float64(s.Param().Grad[0]); got < ds-1e-2 || got > ds+1e-2 {
			t.Errorf("%d bits: gradient of the step %g, want %g", bits, got, ds)
		}
	}
}
