package pass

import (
	"math"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// floatsOf are the elements of a constant.
func floatsOf(t *testing.T, m *onnx.Model, name string) []float32 {
	t.Helper()
	f, err := tensor.Floats(m.Graph.Value(name).Const())
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// TestClearDead: channels whose weights are all below what says anything become zero, in every layout of weights;
// others keep theirs, the small ones among them, too.
func TestClearDead(t *testing.T) {
	nan := float32(math.NaN())
	for _, tt := range []struct {
		name    string
		op      string
		attrs   []onnx.Attr
		in      []int
		shape   tensor.Shape
		w, want []float32
	}{
		{"Conv", "Conv", nil, []int{-1, 2, 1, 1}, tensor.Shape{3, 2, 1, 1}, []float32{1e-40, -3e-39, 1e-40, 2, 1e-29, 0}, []float32{0, 0, 1e-40, 2, 1e-29, 0}},
		{"whole layer", "Conv", nil, []int{-1, 2, 1, 1}, tensor.Shape{1, 2, 1, 1}, []float32{1e-31, -1e-40}, []float32{0, 0}},
		{"Gemm, transposed", "Gemm", []onnx.Attr{onnx.IntAttr("transB", 1)}, []int{-1, 2}, tensor.Shape{2, 2}, []float32{1e-40, 1e-40, 1, 1e-40}, []float32{0, 0, 1, 1e-40}},
		{"Gemm", "Gemm", nil, []int{-1, 2}, tensor.Shape{2, 2}, []float32{1e-40, 1, 1e-40, 1e-40}, []float32{0, 1, 0, 1e-40}},
		{"MatMul", "MatMul", nil, []int{-1, 2, 2}, tensor.Shape{2, 2, 1}, []float32{1e-40, 1e-40, 1e-40, 1e-40}, []float32{0, 0, 0, 0}},
		{"no number", "Gemm", nil, []int{-1, 1}, tensor.Shape{1, 2}, []float32{nan, 1e-40}, []float32{nan, 0}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := build(t, 17).in("x", tt.in...).floats("w", tt.shape, tt.w...).op(tt.op, "x w", "y", tt.attrs...).out("y")
			if !apply(t, ClearDead{}, m) {
				t.Error("nothing done")
			}
			same := func(a, b float32) bool { return a == b || a != a && b != b }
			if got := floatsOf(t, m, "w"); !slices.EqualFunc(got, tt.want, same) {
				t.Errorf("weights %v, want %v", got, tt.want)
			}
		})
	}
	if apply(t, ClearDead{}, build(t, 17).in("x", -1, 1).floats("w", tensor.Shape{1, 2}, 1, 0).op("Gemm", "x w", "y").out("y")) {
		t.Error("a channel of zeros changes")
	}
}

// TestSettle: what the norm behind a dead channel gives stays, and no longer depends on statistics that nothing has.
func TestSettle(t *testing.T) {
	for _, tt := range []struct {
		name             string
		epsilon          float32
		bias             bool
		beta, mean, vari float32 // of the dead channel, after
	}{
		{"without bias", 1, false, 5 - 2*3./2, 0, 0},
		{"with bias", 1, true, 5 - 1*3./2, 1, 0},
		{"without epsilon", 0, false, 5 - 2*3./float32(math.Sqrt(3)), 0, 1},
	} {
		t.Run(tt.name, func(t *testing.T) {
			b := build(t, 17).in("x", -1, 1, 2, 2).floats("w", tensor.Shape{2, 1, 1, 1}, 1e-40, 1).floats("b", tensor.Shape{2}, 1, 1).
				floats("g", tensor.Shape{2}, 3, 3).floats("be", tensor.Shape{2}, 5, 5).floats("mu", tensor.Shape{2}, 2, 2).floats("va", tensor.Shape{2}, 3, 3)
			in := "x w"
			if tt.bias {
				in += " b"
			}
			m := b.op("Conv", in, "c").op("BatchNormalization", "c g be mu va", "y", onnx.FloatAttr("epsilon", tt.epsilon)).out("y")
			if !apply(t, ClearDead{}, m) {
				t.Fatal("nothing done")
			}
			gamma := float32(settledFactor * math.Sqrt(float64(tt.vari)+float64(tt.epsilon)))
			for name, want := range map[string][]float32{"g": {gamma, 3}, "be": {tt.beta, 5}, "mu": {tt.mean, 2}, "va": {tt.vari, 3}} {
				if got := floatsOf(t, m, name); math.Abs(float64(got[0]-want[0])) > 1e-6 || got[1] != want[1] {
					t.Errorf("%s is %v, want %v", name, got, want)
				}
			}
		})
	}
}

func TestDropEmpty(t *testing.T) {
	empty := func(s ...int) *tensor.Tensor { return tensor.From(tensor.Shape(s), []float32{}) }
	m := build(t, 17).in("x", 1, 3, 2, 2).init("e", empty(1, 0, 2, 2)).init("f", empty(1, 3, 0, 2)).
		op("Concat", "e x e", "a", onnx.IntAttr("axis", -3)).op("Concat", "x a", "b", onnx.IntAttr("axis", 1)).
		op("Concat", "e e", "c", onnx.IntAttr("axis", 1)).op("Concat", "f f", "d", onnx.IntAttr("axis", 1)).out("b", "c", "d")
	if !apply(t, DropEmpty{}, m) {
		t.Error("nothing done")
	}
	wantListing(t, m, "Concat(x) -> a\nConcat(x, a) -> b\nConcat(e, e) -> c\nConcat(f, f) -> d")
}

// TestOutputsThatAreRead: a constant that is an output of the graph, too, is the output's alone: nothing that becomes
// of a layer's parameters changes it.
func TestOutputsThatAreRead(t *testing.T) {
	m := build(t, 17).in("x", -1, 2).floats("w", tensor.Shape{2, 2}, 1, 2, 3, 4).floats("s", tensor.Shape{2}, 5, 6).
		op("Constant", "", "k", onnx.TensorAttr("value", tensor.From(tensor.Shape{2}, []float32{7, 8}))).
		op("Gemm", "x w", "g").op("Mul", "g s", "h").op("Add", "h k", "y").out("w", "y", "k", "s")
	if err := Normalise(m); err != nil {
		t.Fatal(err)
	}
	for _, v := range m.Graph.Outputs() {
		if uses := v.Uses(); len(uses) > 0 {
			t.Errorf("%s is read by %v", v.Name(), uses)
		}
	}
	if got := names(m.Graph.Outputs()); got != "w, y, k, s" {
		t.Errorf("outputs %s", got)
	}
	if got := floatsOf(t, m, "w"); !slices.Equal(got, []float32{1, 2, 3, 4}) {
		t.Errorf("output %v", got)
	}
}
