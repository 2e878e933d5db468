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

// TestNormsKeepTheModel: a model with inserted norms computes what it did, and has a norm behind every Conv.
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
	if st.Pictures != 13 {
		t.Errorf("%d pictures", st.Pictures)
	}
	before := forward(t, m, x, 8)
	if err := Norms(m, plan, st); err != nil {
		t.Fatal(err)
	}
	if err := shape.Infer(m.Graph); err != nil {
		t.Fatal(err)
	}
	after := forward(t, m, x, 8)
	for i := range before {
		if math.Abs(float64(before[i]-after[i])) > 1e-3*(1+math.Abs(float64(before[i]))) {
			t.Fatalf("logit %d: %g before, %g after", i, before[i], after[i])
		}
	}
	if plan, err = quantize.NewPlan(m, o); err != nil {
		t.Fatal(err)
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
