//go:build cgo

package pipeline

import (
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/pipeline/event"
	"github.com/mpqc/mpqc/quantize"
)

// statistics are the norms of a layer at a pair of widths.
func statistics(node string, w, a int, mean, variance []float32) *quantize.Supernet {
	shape := tensor.Shape{len(mean)}
	return &quantize.Supernet{Arrays: map[string]quantize.Array{
		quantize.NormName(node, w, a, "mean"): {Shape: shape, Data: mean}, quantize.NormName(node, w, a, "var"): {Shape: shape, Data: variance},
	}}
}

// TestCorrect: what the pictures put into the statistics goes out, what quantization put in stays, and what equals the float
// network's becomes its own to the bit.
func TestCorrect(t *testing.T) {
	plan := &quantize.Plan{
		Layers: []quantize.Layer{{Node: "a", Candidates: []int{4, 8}}, {Node: "without norm", Candidates: []int{8}}},
		Points: []quantize.Point{{Tensor: "x", Candidates: []int{4, 8}, Layers: []int{0, 1}}},
	}
	own := statistics("a", 8, 8, []float32{0.1, -2, 3}, []float32{1, 4, 0})
	seen := statistics("a", 8, 8, []float32{0.3, -1, 3}, []float32{2, 2, 0})
	c := &control{plan, own, seen}
	got := statistics("a", 4, 8, []float32{0.3, -0.5, 3}, []float32{2, 3, 1})
	c.correct(got, quantize.Policy{W: []int{4, 8}, A: []int{8}})
	if d := cmp.Diff(statistics("a", 4, 8, []float32{0.1, -1.5, 3}, []float32{1, 6, 1}), got); d != "" {
		t.Error(d)
	}
	(*control)(nil).correct(got, quantize.Policy{})
}

// TestControl: at 8 bits the norms that a few pictures give are much nearer to the float model with control than without.
func TestControl(t *testing.T) {
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	o := Options{
		Workspace: filepath.Join(t.TempDir(), exampleWorkspace), Targets: []string{"8.0bit"}, Epochs: new(0.0),
		WeightBits: []int{4, 8}, ActivationBits: []int{8}, NormSamples: 32, SearchSamples: 32,
	}
	r, err := Run(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	j, err := openJob(Options{Workspace: o.Workspace})
	if err != nil {
		t.Fatal(err)
	}
	defer j.close()
	if err := j.prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if err := j.openSupernet(); err != nil {
		t.Fatal(err)
	}
	p := j.plan.Uniform(8)
	const trained = true // without control
	norms, err := j.reestimateNorms(t.Context(), j.supernet, p, trained)
	if err != nil {
		t.Fatal(err)
	}
	m, err := j.runPolicy(t.Context(), p, j.supernet.Over(norms), j.o.Events.Start(event.StageEval, "", ""))
	if err != nil {
		t.Fatal(err)
	}
	with := r.Results[0].Metric
	if 1-with.Agreement > (1-m.Metric.Agreement)/2 {
		t.Errorf("agreement %.4f with control, %.4f without", with.Agreement, m.Metric.Agreement)
	}
	t.Logf("agreement %.4f with control, %.4f without; loss %.4f and %.4f", with.Agreement, m.Metric.Agreement, with.Loss, m.Metric.Loss)
}
