package pass

import (
	"math"
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
)

// noise fills a constant with numbers that repeat nowhere near.
func noise(b *builder, name string, shape ...int) *builder {
	v := make([]float32, tensor.Shape(shape).Numel())
	for i := range v {
		v[i] = float32(math.Sin(float64(i)*1.7+float64(len(name))) * 0.6)
	}
	return b.init(name, tensor.From(shape, v))
}

// agrees normalises a copy of a model of one input and compares both in onnxruntime, which rewrites neither. It returns
// the copy. Constants may be float16 inside: tolerance is relative to the largest output.
func agrees(t *testing.T, m *onnx.Model, tolerance float64) *onnx.Model {
	t.Helper()
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	if err := shape.Infer(m.Graph); err != nil {
		t.Fatal(err)
	}
	after := m.Clone()
	if err := Normalise(after); err != nil {
		t.Fatal(err)
	}
	in := m.Graph.Inputs()[0]
	s, _ := in.Shape()
	s[0] = 3
	x := make([]float32, s.Numel())
	for i := range x {
		x[i] = float32(math.Cos(float64(i) * 0.71))
	}
	want, got := run(t, m, in.Name(), tensor.From(s, x)), run(t, after, in.Name(), tensor.From(s, x))
	for _, v := range m.Graph.Outputs() {
		a, errA := tensor.Floats(want[v.Name()])
		b, errB := tensor.Floats(got[v.Name()])
		if errA != nil || errB != nil || !want[v.Name()].Shape.Equal(got[v.Name()].Shape) {
			t.Fatalf("output %s: %v, %v", v.Name(), errA, errB)
		}
		worst, most := 0.0, 0.0
		for i := range a {
			worst, most = max(worst, math.Abs(float64(a[i]-b[i]))), max(most, math.Abs(float64(a[i])))
		}
		if !(worst <= tolerance*most) || most == 0 {
			t.Errorf("output %s differs by %g of %g\n%s", v.Name(), worst, most, listing(after))
		}
	}
	return after
}

func run(t *testing.T, m *onnx.Model, input string, x *tensor.Tensor) map[string]*tensor.Tensor {
	t.Helper()
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.Open(data, ort.Options{})
	if err != nil {
		t.Fatalf("%v\n%s", err, listing(m))
	}
	defer func() { _ = s.Close() }()
	out, err := s.Run(t.Context(), map[string]*tensor.Tensor{input: x})
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// wantOperators compares the operators in the order of the graph.
func wantOperators(t *testing.T, m *onnx.Model, want string) {
	t.Helper()
	got := ""
	for _, n := range m.Graph.Nodes() {
		got += " " + n.Op()
	}
	if got != " "+want {
		t.Errorf("operators%s, want %s\n%s", got, want, listing(m))
	}
}
