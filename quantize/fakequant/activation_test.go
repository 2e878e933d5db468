package fakequant

import (
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/quantize"
)

func normals(n int, seed uint64) []float32 {
	rng := rand.New(rand.NewPCG(seed, 3))
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	return x
}

// lsq is the definition, element by element: y, dx and ds for an output gradient dy.
func lsq(x, dy []float32, s float32, bits int, signed bool) (y, dx []float32, ds float64) {
	lo, hi := quantize.Levels(bits, signed)
	for i, v := range x {
		q := v / s
		level := float32(math.RoundToEven(float64(min(max(q, float32(lo)), float32(hi)))))
		y = append(y, s*level)
		switch {
		case q < float32(lo), q > float32(hi):
			dx = append(dx, 0)
			ds += float64(level) * float64(dy[i])
		default:
			dx = append(dx, dy[i])
			ds += float64(level-q) * float64(dy[i])
		}
	}
	return y, dx, ds
}

// through compiles a graph of one node on an input of a shape, with gradients for the input.
func through(t *testing.T, op engine.Op, data []float32, shape tensor.Shape, pool *par.Pool) (*engine.Exec, *engine.Param) {
	t.Helper()
	p := engine.NewParam("x", engine.Weight, shape, data)
	x := &engine.Value{Name: "x", Shape: shape, Param: p}
	n := &engine.Node{Name: "op", Op: op, Inputs: []*engine.Value{x}}
	y := &engine.Value{Name: "y", Shape: shape, Producer: n}
	n.Outputs = []*engine.Value{y}
	g := &engine.Graph{Nodes: []*engine.Node{n}, Values: []*engine.Value{x, y}, Outputs: []*engine.Value{y}}
	e, err := engine.Compile(g, engine.Options{Batch: 1, Training: true, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	return e, p
}

func TestActivationQuant(t *testing.T) {
	const n = 40_000 // several blocks
	for _, signed := range []bool{false, true} {
		for _, bits := range []int{2, 4, 8} {
			pool := par.New(2)
			steps := newSteps([]int{2, 4, 8}, 1, signed, func(b int) string { return quantize.StepName("x", b) })
			if err := steps.sel(bits); err != nil {
				t.Fatal(err)
			}
			x, dy := normals(n, 1), normals(n, 2)
			e, p := through(t, &ActivationQuant{Steps: steps}, x, tensor.Shape{n}, pool)
			if err := e.Forward(t.Context()); err != nil {
				t.Fatal(err)
			}
			var mean float64
			for _, v := range x {
				mean += math.Abs(float64(v)) / n
			}
			_, hi := quantize.Levels(bits, signed)
			s := steps.Param().Data[0]
			testkit.Close(t, "first step", []float32{s}, []float64{2 * mean / math.Sqrt(float64(hi))}, 1e-6)
			y, dx, ds := lsq(x, dy, s, bits, signed)
			testkit.Close(t, "y", e.Output(0).Data, y, 0)
			copy(e.OutputGrad(0).Data, dy)
			if err := e.Backward(t.Context()); err != nil {
				t.Fatal(err)
			}
			testkit.Close(t, "dx", p.Grad, dx, 0)
			testkit.Close(t, "ds", steps.Param().Grad, []float64{ds}, 1e-5)
			if !steps.Param().Used || steps.At(6) != nil {
				t.Error("the step in use is not marked, or a width exists that does not")
			}
			pool.Close()
		}
	}
}

func TestRequantizing(t *testing.T) {
	steps := newSteps([]int{4, 8}, 1, false, func(int) string { return "s" })
	steps.params[0].Data[0] = 0.5
	op := &ActivationQuant{Steps: steps, Through: 8, ClipMax: 6}
	x := []float32{0.3, 6.26, 100, 3}
	e, _ := through(t, op, x, tensor.Shape{4}, nil)
	if err := e.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, "8 bits", e.Output(0).Data, x, 0)
	if err := steps.sel(4); err != nil {
		t.Fatal(err)
	}
	if err := e.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, "4 bits", e.Output(0).Data, []float32{0.5, 6, 6, 3}, 0)
	if err := steps.sel(3); err == nil {
		t.Error("a width that does not exist was selected")
	}
}

func TestWeightQuant(t *testing.T) {
	for _, tt := range []struct {
		name  string
		shape tensor.Shape
		axis  int
	}{
		{"conv", tensor.Shape{5, 3, 3, 3}, 0},
		{"columns", tensor.Shape{27, 5}, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			steps := newSteps([]int{3}, 5, true, func(int) string { return "s" })
			op := &WeightQuant{Steps: steps, Axis: tt.axis}
			w, dy := normals(tt.shape.Numel(), 4), normals(tt.shape.Numel(), 5)
			op.start(w, tt.shape)
			e, p := through(t, op, w, tt.shape, nil)
			if err := e.Forward(t.Context()); err != nil {
				t.Fatal(err)
			}
			out := append([]float32(nil), e.Output(0).Data...)
			copy(e.OutputGrad(0).Data, dy)
			if err := e.Backward(t.Context()); err != nil {
				t.Fatal(err)
			}
			inner := tt.shape[tt.axis+1:].Numel()
			for k := range 5 {
				var x, g, y, dx []float32
				for i := range w {
					if i/inner%5 == k {
						x, g, y, dx = append(x, w[i]), append(g, dy[i]), append(y, out[i]), append(dx, p.Grad[i])
					}
				}
				wantY, wantDX, wantDS := lsq(x, g, steps.Param().Data[k], 3, true)
				testkit.Close(t, "y", y, wantY, 0)
				testkit.Close(t, "dw", dx, wantDX, 0)
				testkit.Close(t, "ds", steps.Param().Grad[k:k+1], []float64{wantDS}, 1e-5)
			}
		})
	}
}

func TestFirstWeightSteps(t *testing.T) {
	// Channel 0 has mean 1 and standard deviation 1, so it reaches to 4; channel 1 is empty.
	op := &WeightQuant{Steps: newSteps([]int{2, 4}, 2, true, func(int) string { return "s" })}
	op.start([]float32{0, 2, 0, 2, 0, 0, 0, 0}, tensor.Shape{2, 4})
	testkit.Close(t, "2 bits", op.Steps.At(2).Data, []float32{2, 0.5}, 1e-6)
	testkit.Close(t, "4 bits", op.Steps.At(4).Data, []float32{0.5, 0.125}, 1e-6)
}
