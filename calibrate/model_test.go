package calibrate

import (
	"context"
	"math"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/onnx/shape"
	"github.com/mpqc/mpqc/quantize"
)

// TestNormsKeepTheModel: a model with inserted norms and balanced weights computes what it did, and has a norm behind
// every Conv.
func TestNormsKeepTheModel(t *testing.T) {
	m, err := onnx.Load(testkit.Shared(t, "models/resnet20-cifar10.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if err := pass.Normalise(m); err != nil {
		t.Fatal(err)
	}
	o := quantize.PlanOptions{Streams: true}
	plan, err := quantize.NewPlan(m, o)
	if err != nil {
		t.Fatal(err)
	}
	x := normal(8*3*32*32, 1)
	source := func(_ context.Context, yield func([]float32, int) error) error {
		if err := yield(x, 8); err != nil {
			return err
		}
		return yield(x[:5*3*32*32], 5)
	}
	pool := par.New(2)
	defer pool.Close()
	st, err := Collect(t.Context(), m, plan, source, Options{Batch: 8, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	if st.Samples != 13 {
		t.Errorf("%d samples", st.Samples)
	}
	before := forward(t, m, x, 8)
	if err := Norms(m, plan, st); err != nil {
		t.Fatal(err)
	}
	if err := shape.Infer(m.Graph); err != nil {
		t.Fatal(err)
	}
	if plan, err = quantize.NewPlan(m, o); err != nil {
		t.Fatal(err)
	}
	folded := channelNorms(t, m, plan)
	if err := Balance(m, plan); err != nil {
		t.Fatal(err)
	}
	after := forward(t, m, x, 8)
	for i := range before {
		if math.Abs(float64(before[i]-after[i])) > 1e-3*(1+math.Abs(float64(before[i]))) {
			t.Fatalf("logit %d: %g before, %g after", i, before[i], after[i])
		}
	}
	for k, sum := range channelNorms(t, m, plan) {
		dead := folded[k] < 1e-6
		if sum > 2.001 || sum < 0.499 && !dead {
			t.Errorf("channel %d has norm %g, had %g", k, math.Sqrt(sum), math.Sqrt(folded[k]))
		}
	}
	s, err := Supernet(m, plan, st, pool)
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range plan.Layers {
		if l.Op == "Conv" && l.Norm == "" {
			t.Errorf("%s has no norm", l.Node)
		}
		if _, err := s.Get(quantize.WeightStepName(l.Node, 8)); err != nil {
			t.Error(err)
		}
	}
	for name, a := range s.Arrays {
		for _, v := range a.Data {
			if math.IsNaN(float64(v)) || math.IsInf(float64(v), 0) {
				t.Fatalf("%s holds %g", name, v)
			}
		}
	}
}

func forward(t *testing.T, m *onnx.Model, x []float32, n int) []float32 {
	t.Helper()
	g, err := decode.Decode(m)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Compile(g, engine.Options{Batch: n})
	if err != nil {
		t.Fatal(err)
	}
	copy(e.Input(0).Data, x)
	if err := e.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	return append([]float32(nil), e.Output(0).Data...)
}

// channelNorms lists the squared norm of every output channel of the layers with a norm.
func channelNorms(t *testing.T, m *onnx.Model, plan *quantize.Plan) []float64 {
	t.Helper()
	var list []float64
	for _, l := range plan.Layers {
		if l.Norm == "" {
			continue
		}
		w, shape, err := constant(m, l.Weight)
		if err != nil {
			t.Fatal(err)
		}
		inner := shape[l.Axis+1:].Numel()
		sums := make([]float64, l.OutChannels)
		for j, v := range w {
			sums[j/inner%l.OutChannels] += float64(v) * float64(v)
		}
		list = append(list, sums...)
	}
	return list
}

func TestExponents(t *testing.T) {
	w := []float32{3, 4, 0.001, 0, 0, 0}
	for c, want := range []int{-2, 10, 0} {
		if got := exponents(w, []int{3, 2}, 0)[c]; got != want {
			t.Errorf("channel %d: exponent %d, want %d", c, got, want)
		}
	}
}
