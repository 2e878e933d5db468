package fakequant_test

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// TestProducts: layers that multiply codes compute what those that multiply dequantized values do, up to rounding, for
// signed and unsigned inputs, convolutions and matrices; with quantizers off they compute on floats.
func TestProducts(t *testing.T) {
	m := residual(t)
	pool := par.New(2)
	defer pool.Close()
	x := make([]float32, 9*3*6*6)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	run := func(o fakequant.Options, off bool) (*fakequant.Network, map[string][]float32) {
		net, g := rewritten(t, m, quantize.PlanOptions{WeightBits: []int{2, 8}, ActivationBits: []int{4, 8}}, o)
		if off {
			net.Disable()
		}
		var keep []*engine.Value
		for _, n := range g.Nodes {
			if n.Op.Type() == "Conv" || n.Op.Type() == "Gemm" {
				keep = append(keep, n.Inputs[0], n.Outputs[0])
			}
		}
		e, err := engine.Compile(g, engine.Options{Batch: 9, Pool: pool, Keep: keep})
		if err != nil {
			t.Fatal(err)
		}
		copy(e.Input(0).Data, x)
		if err := e.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
		out := map[string][]float32{}
		for _, v := range keep {
			out[v.Name] = slices.Clone(e.Value(v).Data)
		}
		return net, out
	}
	_, float := run(fakequant.Options{FloatProducts: true}, false)
	_, whole := run(fakequant.Options{}, false)
	if len(whole) != 8 {
		t.Fatalf("%d values kept", len(whole))
	}
	for name, want := range float {
		testkit.Close(t, name, whole[name], want, 2e-6)
	}
	_, float = run(fakequant.Options{FloatProducts: true}, true)
	_, whole = run(fakequant.Options{}, true)
	for name, want := range float {
		if !slices.Equal(whole[name], want) {
			t.Errorf("%s differs with quantizers off", name)
		}
	}
}
