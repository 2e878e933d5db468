package ops_test

import (
	"context"
	"math"
	"math/rand/v2"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
)

func trainingNorm(n, c, hw int) (*ops.Norm, *engine.Graph) {
	r := rand.New(rand.NewPCG(5, 6))
	random := func(k int) []float32 {
		x := make([]float32, k)
		for i := range x {
			x[i] = float32(r.NormFloat64() + 0.5)
		}
		return x
	}
	o := &ops.Norm{
		Gamma: engine.NewParam("gamma", engine.Scale, tensor.Shape{c}, random(c)),
		Beta:  engine.NewParam("beta", engine.Scale, tensor.Shape{c}, random(c)),
		Mean:  make([]float32, c), Var: make([]float32, c), EPS: 1e-5, Momentum: 0.9,
	}
	s := tensor.Shape{n, c, hw}
	return o, single(o, []*engine.Value{{Name: "x", Shape: s, Param: engine.NewParam("x", engine.Weight, s, random(s.Numel()))}})
}

func TestNormTrainingGradient(t *testing.T) {
	_, g := trainingNorm(4, 3, 6)
	checkGradients(t, g, true)
}

// Running statistics move as PyTorch's do: a tenth of the way, with the unbiased variance.
func TestNormRunning(t *testing.T) {
	o, g := trainingNorm(4, 2, 5)
	e, err := engine.Compile(g, engine.Options{Batch: 1, Training: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := e.Forward(context.Background()); err != nil {
		t.Fatal(err)
	}
	x := e.Params()[0].Data
	for c := range 2 {
		var sum, sq float64
		for n := range 4 {
			for i := range 5 {
				sum += float64(x[(n*2+c)*5+i])
			}
		}
		mean := sum / 20
		for n := range 4 {
			for i := range 5 {
				sq += math.Pow(float64(x[(n*2+c)*5+i])-mean, 2)
			}
		}
		testkit.Close(t, "mean", o.Mean[c:c+1], []float64{0.1 * mean}, 1e-6)
		testkit.Close(t, "variance", o.Var[c:c+1], []float64{0.1 * sq / 19}, 1e-6)
	}
}
