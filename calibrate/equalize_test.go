package calibrate

import (
	"context"
	"math"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/onnx/shape"
	"github.com/mpqc/mpqc/quantize"
)

// normed is the embedded example, whose first layer is read by a depthwise one, with norms behind its layers.
func normed(t *testing.T, x []float32, n int, edit func(m *onnx.Model)) (*onnx.Model, *quantize.Plan) {
	t.Helper()
	m := sample.Example(t)
	if err := pass.Normalise(m); err != nil {
		t.Fatal(err)
	}
	edit(m)
	planned := func() *quantize.Plan {
		if err := shape.Infer(m.Graph); err != nil {
			t.Fatal(err)
		}
		plan, err := quantize.NewPlan(m, quantize.PlanOptions{Streams: true})
		if err != nil {
			t.Fatal(err)
		}
		return plan
	}
	source := func(_ context.Context, yield func([]float32, int) error) error { return yield(x, n) }
	plan := planned()
	st, err := Collect(t.Context(), m, plan, source, Options{Batch: n, Pool: par.New(1)})
	if err != nil {
		t.Fatal(err)
	}
	if err := Norms(m, plan, st); err != nil {
		t.Fatal(err)
	}
	return m, planned()
}

// read is a constant of a model.
func read(t *testing.T, m *onnx.Model, name string) []float32 {
	t.Helper()
	data, _, err := constant(m, name)
	if err != nil {
		t.Fatal(err)
	}
	return append([]float32(nil), data...)
}

// TestEqualize: channels in front of a depthwise layer end within a factor of two of each other, the model computes
// what it did to the bit, and nothing else changes.
func TestEqualize(t *testing.T) {
	const n = 4
	x := normal(n*28*28, 1)
	m, plan := normed(t, x, n, func(*onnx.Model) {})
	before := forward(t, m, x, n)
	first, reader := &plan.Layers[0], &plan.Layers[1]
	if !reader.Depthwise {
		t.Fatalf("the second layer of the example is %s", reader.Node)
	}
	bn := m.Graph.Node(first.Norm)
	gamma, beta := bn.Inputs()[1].Name(), bn.Inputs()[2].Name()
	spread := func() float64 {
		g, b := read(t, m, gamma), read(t, m, beta)
		low, high := math.Inf(1), 0.0
		for c := range g {
			r := float64(b[c]) + deviations*math.Abs(float64(g[c]))
			if r > 0 { // else the Relu silences the channel
				low, high = min(low, r), max(high, r)
			}
		}
		return high / low
	}
	constants := map[string][]float32{}
	for _, v := range m.Graph.Initializers() {
		if v.Const().DType == tensor.Float32 {
			constants[v.Name()] = read(t, m, v.Name())
		}
	}
	if s := spread(); s < 4 {
		t.Fatalf("ranges of the example's channels lie within %.2f of each other", s)
	}
	if changed, err := Equalize(m, plan); err != nil || !changed {
		t.Fatalf("changed %v, %v", changed, err)
	}
	if s := spread(); s > 2 {
		t.Errorf("ranges are up to %.2f apart", s)
	}
	for i, v := range forward(t, m, x, n) {
		if v != before[i] {
			t.Fatalf("output %d: %g, before %g", i, v, before[i])
		}
	}
	for name, old := range constants {
		same := true
		for i, v := range read(t, m, name) {
			same = same && v == old[i]
		}
		if touched := name == gamma || name == beta || name == reader.Weight; same == touched {
			t.Errorf("%s: the same %v", name, same)
		}
	}
	if changed, err := Equalize(m, plan); err != nil || changed {
		t.Errorf("once more: changed %v, %v", changed, err)
	}
}

// TestEqualizeLeaves: a bound between norm and layer, another reader or an output of the model would see the factor.
func TestEqualizeLeaves(t *testing.T) {
	relu := func(m *onnx.Model) *onnx.Node {
		for _, n := range m.Graph.Nodes() {
			if n.Op() == "Relu" {
				return n
			}
		}
		t.Fatal("there is no Relu")
		return nil
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	x := normal(28*28, 1)
	for name, edit := range map[string]func(m *onnx.Model){
		"bound": func(m *onnx.Model) {
			r := relu(m)
			low, err := m.Graph.AddInitializer("low", tensor.From(nil, []float32{0}))
			must(err)
			high, err := m.Graph.AddInitializer("high", tensor.From(nil, []float32{6}))
			must(err)
			clip, err := m.Graph.AddNode(onnx.NodeSpec{Op: "Clip", Name: "clip", Inputs: []*onnx.Value{r.Input(0), low, high}, Outputs: []string{"clipped"}}, r)
			must(err)
			must(m.Graph.ReplaceUses(r.Output(0), clip.Output(0)))
			must(m.Graph.Remove(r))
		},
		"output": func(m *onnx.Model) { must(m.Graph.AddOutput(relu(m).Output(0))) },
		"other reader": func(m *onnx.Model) {
			r := relu(m)
			_, err := m.Graph.AddNode(onnx.NodeSpec{Op: "Sigmoid", Name: "other", Inputs: []*onnx.Value{r.Output(0)}, Outputs: []string{"other"}}, nil)
			must(err)
			must(m.Graph.AddOutput(m.Graph.Value("other")))
		},
	} {
		m, plan := normed(t, x, 1, edit)
		if changed, err := Equalize(m, plan); err != nil || changed {
			t.Errorf("%s: changed %v, %v", name, changed, err)
		}
	}
}

// TestLevelling: channels rise to within a factor of two of the widest one; silent ones stay, and so do lone ones.
func TestLevelling(t *testing.T) {
	for rectified, want := range map[bool][]int{false: {0, 2, 0, farthest, 2, 0}, true: {0, 2, 0, farthest, 1, 2}} {
		got := levelling([]float32{2, 0.5, 0, 1e-9, -0.6, 2}, []float32{1, 0.25, 0, 0, 0, -4.5}, rectified)
		if !slices.Equal(got, want) {
			t.Errorf("Relu %v: powers %v, want %v", rectified, got, want)
		}
	}
	if p := levelling([]float32{1, 0.9}, []float32{0, 0}, true); p != nil {
		t.Errorf("powers %v for channels that are next to each other", p)
	}
}
