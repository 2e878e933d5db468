package quantize_test

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// TestOneSided: which tensors get zero points of their own, and that runtimes without them keep all symmetric.
func TestOneSided(t *testing.T) {
	lines := []string{
		"Conv x w0:4x4x3x3 -> c0 ?x4x8x8", "HardSwish c0 -> hs ?x4x8x8",
		"Conv hs w1:4x4x1x1 -> c1 ?x4x8x8", "Sigmoid c1 -> s1 ?x4x8x8", "Mul s1 c1 -> silu ?x4x8x8",
		"Conv silu w2:4x4x1x1 -> c2 ?x4x8x8", "Erf c2 -> e ?x4x8x8", "Add e one: -> e1 ?x4x8x8", "Mul c2 e1 -> ge ?x4x8x8", "Mul ge half: -> gelu ?x4x8x8",
		"Conv gelu w3:4x4x1x1 -> c3 ?x4x8x8", "Concat hs silu -> cat ?x8x8x8", "Conv cat w4:4x8x1x1 -> c4 ?x4x8x8",
		"Add c3 hs -> plus ?x4x8x8", "Conv plus w5:4x4x1x1 -> c5 ?x4x8x8", "Add c5 c4 -> s ?x4x8x8",
		"GlobalAveragePool s -> gap ?x4x1x1", "Flatten gap -> f ?x4", "Gemm f w6:4x5 -> y ?x5",
	}
	sided := func(o quantize.PlanOptions) string {
		o.Streams = true
		m := doc(t, lines...)
		setScalar(t, m, "one", 1)
		setScalar(t, m, "half", 0.5)
		var names []string
		for _, p := range plan(t, m, o).Points {
			if p.Asymmetric {
				names = append(names, p.Tensor)
			}
		}
		return strings.Join(names, " ")
	}
	if got := sided(quantize.PlanOptions{ZeroPoints: true}); got != "hs silu gelu cat" {
		t.Errorf("asymmetric tensors %q", got)
	}
	if got := sided(quantize.PlanOptions{}) + sided(quantize.PlanOptions{ZeroPoints: true, Int8: true}); got != "" {
		t.Errorf("asymmetric tensors %q without zero points", got)
	}
}

func TestZeroPoint(t *testing.T) {
	for _, c := range []struct {
		low, step float32
		bits      int
		want      int
	}{{-0.375, 0.1, 4, 4}, {-0.375, 1, 4, 0}, {-8, 0.1, 4, 8}, {0, 0.1, 4, 0}, {-0.25, 0.1, 8, 2}, {-0.35, 0, 3, 4}} {
		if got := quantize.ZeroPoint(c.low, c.step, c.bits); got != c.want {
			t.Errorf("ZeroPoint(%g, %g, %d) = %d, want %d", c.low, c.step, c.bits, got, c.want)
		}
	}
}

func setScalar(t *testing.T, m *onnx.Model, name string, v float32) {
	t.Helper()
	c := m.Graph.Value(name)
	fresh, err := m.Graph.AddInitializer(name+".scalar", tensor.Scalar(v))
	if err != nil {
		t.Fatal(err)
	}
	if err := m.Graph.ReplaceUses(c, fresh); err != nil {
		t.Fatal(err)
	}
}
