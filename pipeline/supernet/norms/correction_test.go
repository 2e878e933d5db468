package norms

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// statistics are the norms of a layer at a pair of widths.
func statistics(node string, w, a int, mean, variance []float32) *quantize.Supernet {
	shape := tensor.Shape{len(mean)}
	return &quantize.Supernet{Arrays: map[string]quantize.Array{
		quantize.NormName(node, w, a, "mean"): {Shape: shape, Data: mean}, quantize.NormName(node, w, a, "var"): {Shape: shape, Data: variance},
	}}
}

// TestCorrect: what the samples put into the statistics goes out, what quantization put in stays, and what equals the
// float network's becomes its own to the bit. What never varies keeps its own variance.
func TestCorrect(t *testing.T) {
	plan := &quantize.Plan{
		Layers: []quantize.Layer{{Node: "a", Candidates: []int{4, 8}}, {Node: "without norm", Candidates: []int{8}}},
		Points: []quantize.Point{{Tensor: "x", Candidates: []int{4, 8}, Layers: []int{0, 1}}},
	}
	own := statistics("a", 8, 8, []float32{0.1, -2, 3, 0}, []float32{1, 4, 0, 5})
	seen := statistics("a", 8, 8, []float32{0.3, -1, 3, 1}, []float32{2, 2, 0, 0})
	c := &baselineCorrection{plan, own, seen}
	got := statistics("a", 4, 8, []float32{0.3, -0.5, 3, 1}, []float32{2, 3, 1, 0})
	c.correct(got, quantize.Policy{W: []int{4, 8}, A: []int{8}})
	if d := cmp.Diff(statistics("a", 4, 8, []float32{0.1, -1.5, 3, 0}, []float32{1, 6, 1, 5}), got); d != "" {
		t.Error(d)
	}
	(*baselineCorrection)(nil).correct(got, quantize.Policy{})
}
