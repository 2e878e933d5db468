package fakequant_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// TestCodes: at the width that codes were chosen for the network multiplies with these, at others with the nearest
// ones, and a snapshot has them. Loading a supernet without codes forgets them.
func TestCodes(t *testing.T) {
	net, g := rewritten(t, residual(t), quantize.PlanOptions{WeightBits: []int{2, 3, 8}, ActivationBits: []int{8}}, fakequant.Options{})
	i := slices.IndexFunc(net.Plan.Layers, func(l quantize.Layer) bool { return l.Node == "b" })
	start, steps := net.Supernet(), net.WeightSteps(i)
	codes := make([]int8, len(net.Weight(i).Data))
	for k := range codes {
		codes[k] = int8(k%8) - 4
	}
	chosen := start.Over(&quantize.Supernet{Arrays: map[string]quantize.Array{
		quantize.CodeName("b", 3): {Shape: net.Weight(i).Shape, Codes: codes},
	}})
	if err := net.Load(chosen); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(chosen, net.Supernet()); d != "" || !net.HasCodes() {
		t.Errorf("a snapshot differs: %s", d)
	}
	multiplied := func(bits int) []float32 {
		q := net.Plan.Max()
		q.W[i] = bits
		if err := net.Select(q); err != nil {
			t.Fatal(err)
		}
		var w *engine.Value
		for _, n := range g.Nodes {
			if n.Name == "b" {
				w = n.Inputs[1]
			}
		}
		e, err := engine.Compile(g, engine.Options{Batch: 1, Keep: []*engine.Value{w}})
		if err != nil {
			t.Fatal(err)
		}
		if err := e.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(e.Value(w).Data)
	}
	got, each := multiplied(3), len(codes)/net.Plan.Layers[i].OutChannels
	for k, c := range codes {
		if want := steps.At(3).Data[k/each] * float32(c); got[k] != want {
			t.Fatalf("weight %d at three bits is %g, want %g", k, got[k], want)
		}
	}
	two := multiplied(2)
	if err := net.Load(start); err != nil {
		t.Fatal(err)
	}
	if net.HasCodes() || !slices.Equal(two, multiplied(2)) || slices.Equal(got, multiplied(3)) {
		t.Error("codes are forgotten, and two bits never had any")
	}

	chosen.Arrays[quantize.CodeName("b", 3)] = quantize.Array{Shape: []int{1}, Codes: []int8{1}}
	if err := net.Load(chosen); err == nil || !strings.Contains(err.Error(), `1 codes of layer "b"`) {
		t.Errorf("too few codes: error %v", err)
	}
}
