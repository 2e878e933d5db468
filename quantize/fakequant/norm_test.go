package fakequant

import (
	"math"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
)

// newNorm makes a norm of three channels with one set, on a layer with unit steps.
func newNorm() *SwitchNorm {
	param := func(name string, v ...float32) *engine.Param {
		return engine.NewParam(name, engine.Scale, tensor.Shape{3}, v)
	}
	set := &NormSet{param("gamma", 1.5, 0.5, 2), param("beta", 0.1, -0.2, 3), []float32{0.1, 0, -0.3}, []float32{1, 2, 0.5}}
	steps := newSteps([]int{4}, 3, true, func(int) string { return "s" })
	copy(steps.Param().Data, []float32{0.25, 0.125, 0.5})
	return &SwitchNorm{
		EPS: 1e-5, Keep: 0.9, sets: map[[2]int]*NormSet{{4, 4}: set}, order: [][2]int{{4, 4}}, current: set,
		scales: scales{func() float32 { return 0.5 }, steps},
	}
}

// TestNormGradients compares the gradients of sum(c*y) + weight*mean((y-record)^2) with central differences, for
// statistics of the batch and for frozen ones.
func TestNormGradients(t *testing.T) {
	for _, shape := range []tensor.Shape{{4, 3, 2, 3}, {9, 3, 2, 1}} { // few samples, and many of small planes
		for name, frozen := range map[string]bool{"": false, ", frozen": true} {
			t.Run(shape.String()+name, func(t *testing.T) { testNormGradients(t, shape, frozen) })
		}
	}
}

func testNormGradients(t *testing.T, shape tensor.Shape, frozen bool) {
	t.Helper()
	x, c, record := normals(shape.Numel(), 1), normals(shape.Numel(), 2), normals(shape.Numel(), 3)
	o := newNorm()
	e, p := through(t, o, x, shape, nil)
	e.SetTraining(!frozen)
	o.tap = tap{mode: Compare, weight: 20, record: record, size: len(record)}
	loss := func() float64 {
		if err := e.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
		var sum float64
		for i, v := range e.Output(0).Data {
			sum += float64(c[i]) * float64(v)
		}
		return sum + 20*o.tap.loss
	}
	loss()
	copy(e.OutputGrad(0).Data, c)
	if err := e.Backward(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		name      string
		data, got []float32
	}{
		{"x", x, p.Grad},
		{"gamma", o.current.Gamma.Data, o.current.Gamma.Grad},
		{"beta", o.current.Beta.Data, o.current.Beta.Grad},
	} {
		testkit.Close(t, tt.name, tt.got, testkit.CentralDifferences(loss, tt.data, 1e-2), 2e-3)
	}
}

// TestNormSizes compares y with the definition for planes that are small, cut into pieces, and neither.
func TestNormSizes(t *testing.T) {
	for _, shape := range []tensor.Shape{{9, 3, 2, 2}, {70, 3, 7, 9}, {2, 3, 8, 9}, {2, 3, 47, 90}, {20, 3}} {
		x := normals(shape.Numel(), 1)
		o := newNorm()
		e, _ := through(t, o, x, shape, nil)
		if err := e.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
		plane := shape[2:].Numel()
		want := make([]float64, len(x))
		for ch := range 3 {
			var sum, square float64
			each := func(f func(i int)) {
				for n := range shape[0] {
					for i := range plane {
						f((n*3+ch)*plane + i)
					}
				}
			}
			each(func(i int) { sum += float64(x[i]) })
			mean, count := sum/float64(shape[0]*plane), float64(shape[0]*plane)
			each(func(i int) { square += (float64(x[i]) - mean) * (float64(x[i]) - mean) })
			gamma, beta := float64(o.current.Gamma.Data[ch]), float64(o.current.Beta.Data[ch])
			each(func(i int) { want[i] = gamma*(float64(x[i])-mean)/math.Sqrt(square/count+1e-5) + beta })
		}
		testkit.Close(t, shape.String(), e.Output(0).Data, want, 1e-5)
	}
}

func TestNormRecords(t *testing.T) {
	shape := tensor.Shape{2, 3, 2, 2}
	o := newNorm()
	e, _ := through(t, o, normals(shape.Numel(), 1), shape, nil)
	for _, mode := range []TapMode{Record, Compare} {
		o.tap.mode = mode
		if err := e.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	testkit.Close(t, "record", o.tap.record, e.Output(0).Data, 0)
	if o.tap.loss != 0 {
		t.Errorf("loss %g against the same output", o.tap.loss)
	}
	o.current.Beta.Data[1]++
	if err := e.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, "loss of one channel of three moved by 1", []float64{o.tap.loss}, []float64{1. / 3}, 1e-6)
}

// TestNormRounding: y at x = 0 is a multiple of gamma/sqrt(var+eps) times the accumulator's step, the one nearest to
// the constant that an unrounded norm adds.
func TestNormRounding(t *testing.T) {
	shape := tensor.Shape{1, 3, 1, 1}
	o := newNorm()
	e, _ := through(t, o, make([]float32, 3), shape, nil)
	e.SetTraining(false)
	run := func() []float32 {
		if err := e.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
		return append([]float32(nil), e.Output(0).Data...)
	}
	exact := run()
	o.Round = true
	rounded := run()
	for k, v := range rounded {
		step := 0.5 * float64(o.scales.weight.Param().Data[k]) * float64(o.current.Gamma.Data[k]) / math.Sqrt(float64(o.current.Var[k])+1e-5)
		want := math.RoundToEven(float64(exact[k])/step) * step
		testkit.Close(t, "bias", []float32{v}, []float64{want}, 1e-6)
	}
}

// TestAnchor: with other statistics the norm is the same function.
func TestAnchor(t *testing.T) {
	shape := tensor.Shape{2, 3, 2, 2}
	o := newNorm()
	e, _ := through(t, o, normals(shape.Numel(), 1), shape, nil)
	e.SetTraining(false)
	run := func() []float64 {
		if err := e.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
		var out []float64
		for _, v := range e.Output(0).Data {
			out = append(out, float64(v))
		}
		return out
	}
	want := run()
	o.current.rebase([]float32{3, -1, 0.2}, []float32{0.1, 7, 2}, float64(o.EPS))
	if o.current.Mean[0] != 3 || o.current.Var[1] != 7 {
		t.Errorf("statistics %v, %v", o.current.Mean, o.current.Var)
	}
	run()
	testkit.Close(t, "y", e.Output(0).Data, want, 1e-5)
}

func TestRoundBias(t *testing.T) {
	for _, tt := range []struct {
		c, sx, scale float64
		want         float32
		dead         bool
	}{
		{1.3, 0.5, 1, 1.5, false},
		{-1.25, 0.5, 1, -1, false},   // halves go to even
		{1.3, 0.5, 1e-12, 1.5, true}, // the accumulator cannot hold it
		{0, 0.5, 0, 0, true},
	} {
		if got, dead := roundBias(tt.c, float32(tt.sx), float32(tt.scale)); got != tt.want || dead != tt.dead {
			t.Errorf("round %g at %g*%g: %g, %v, want %g, %v", tt.c, tt.sx, tt.scale, got, dead, tt.want, tt.dead)
		}
	}
}
