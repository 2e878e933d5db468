package pass

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

const far = int64(1) << 62

func iota64(shape ...int) *tensor.Tensor {
	v := make([]int64, tensor.Shape(shape).Numel())
	for i := range v {
		v[i] = int64(i)
	}
	return tensor.From(shape, v)
}

func vec(v ...int64) *tensor.Tensor { return tensor.From(tensor.Shape{len(v)}, v) }

func fvec(v ...float32) *tensor.Tensor { return tensor.From(tensor.Shape{len(v)}, v) }

func TestEvaluate(t *testing.T) {
	i, is := onnx.IntAttr, onnx.IntsAttr
	tests := []struct {
		name, op string
		attrs    []onnx.Attr
		in       []*tensor.Tensor
		shape    tensor.Shape
		want     []int64 // or floats, truncated
	}{
		{"transpose", "Transpose", []onnx.Attr{is("perm", []int64{1, 0})}, []*tensor.Tensor{iota64(2, 3)}, tensor.Shape{3, 2}, []int64{0, 3, 1, 4, 2, 5}},
		{"transpose default", "Transpose", nil, []*tensor.Tensor{iota64(2, 1, 2)}, tensor.Shape{2, 1, 2}, []int64{0, 2, 1, 3}},
		{"gather scalar", "Gather", nil, []*tensor.Tensor{vec(7, 8, 9), tensor.Scalar(int64(-1))}, tensor.Shape{}, []int64{9}},
		{"gather axis 1", "Gather", []onnx.Attr{i("axis", 1)}, []*tensor.Tensor{iota64(2, 3), vec(2, 0)}, tensor.Shape{2, 2}, []int64{2, 0, 5, 3}},
		{"slice", "Slice", nil, []*tensor.Tensor{iota64(2, 5), vec(1), vec(far), vec(1), vec(2)}, tensor.Shape{2, 2}, []int64{1, 3, 6, 8}},
		{"slice back", "Slice", nil, []*tensor.Tensor{iota64(3, 2), vec(-1), vec(-far), vec(0), vec(-1)}, tensor.Shape{3, 2}, []int64{4, 5, 2, 3, 0, 1}},
		{"slice nothing", "Slice", nil, []*tensor.Tensor{vec(1, 2), vec(2), vec(1)}, tensor.Shape{0}, nil},
		{"slice attributes", "Slice", []onnx.Attr{is("starts", []int64{1}), is("ends", []int64{2})}, []*tensor.Tensor{vec(1, 2, 3)}, tensor.Shape{1}, []int64{2}},
		{"concat", "Concat", []onnx.Attr{i("axis", -1)}, []*tensor.Tensor{iota64(2, 1), iota64(2, 2)}, tensor.Shape{2, 3}, []int64{0, 0, 1, 1, 2, 3}},
		{"reshape", "Reshape", nil, []*tensor.Tensor{iota64(2, 3), vec(0, -1, 1)}, tensor.Shape{2, 3, 1}, []int64{0, 1, 2, 3, 4, 5}},
		{"flatten", "Flatten", nil, []*tensor.Tensor{iota64(2, 1, 3)}, tensor.Shape{2, 3}, []int64{0, 1, 2, 3, 4, 5}},
		{"unsqueeze", "Unsqueeze", nil, []*tensor.Tensor{vec(4, 5), vec(0, -1)}, tensor.Shape{1, 2, 1}, []int64{4, 5}},
		{"squeeze all", "Squeeze", nil, []*tensor.Tensor{iota64(1, 2, 1)}, tensor.Shape{2}, []int64{0, 1}},
		{"squeeze axis", "Squeeze", []onnx.Attr{is("axes", []int64{-1})}, []*tensor.Tensor{iota64(1, 2, 1)}, tensor.Shape{1, 2}, []int64{0, 1}},
		{"expand", "Expand", nil, []*tensor.Tensor{iota64(2, 1), vec(3, 1, 2)}, tensor.Shape{3, 2, 2}, []int64{0, 0, 1, 1, 0, 0, 1, 1, 0, 0, 1, 1}},
		{"tile", "Tile", nil, []*tensor.Tensor{iota64(1, 2), vec(2, 2)}, tensor.Shape{2, 4}, []int64{0, 1, 0, 1, 0, 1, 0, 1}},
		{"range", "Range", nil, []*tensor.Tensor{tensor.Scalar(int64(5)), tensor.Scalar(int64(-2)), tensor.Scalar(int64(-3))}, tensor.Shape{3}, []int64{5, 2, -1}},
		{"constant of shape", "ConstantOfShape", []onnx.Attr{onnx.TensorAttr("value", vec(7))}, []*tensor.Tensor{vec(2, 2)}, tensor.Shape{2, 2}, []int64{7, 7, 7, 7}},
		{"cast truncates", "Cast", []onnx.Attr{i("to", int64(tensor.Int64))}, []*tensor.Tensor{fvec(-1.7, 2.9)}, tensor.Shape{2}, []int64{-1, 2}},
		{"where", "Where", nil, []*tensor.Tensor{{DType: tensor.Bool, Shape: tensor.Shape{2}, Raw: []byte{1, 0}}, vec(1), vec(5, 6)}, tensor.Shape{2}, []int64{1, 6}},
		{"equal", "Equal", nil, []*tensor.Tensor{vec(1, 2), vec(1)}, tensor.Shape{2}, []int64{1, 0}},
		{"div truncates", "Div", nil, []*tensor.Tensor{vec(-7, 7), vec(2)}, tensor.Shape{2}, []int64{-3, 3}},
		{"mod floors", "Mod", nil, []*tensor.Tensor{vec(-7, 7), vec(2)}, tensor.Shape{2}, []int64{1, 1}},
		{"float div", "Div", nil, []*tensor.Tensor{fvec(8), fvec(2, 4)}, tensor.Shape{2}, []int64{4, 2}},
		{"max of three", "Max", nil, []*tensor.Tensor{vec(1, 9), vec(3), vec(4)}, tensor.Shape{2}, []int64{4, 9}},
		{"sqrt", "Sqrt", nil, []*tensor.Tensor{fvec(9)}, tensor.Shape{1}, []int64{3}},
		{"product", "ReduceProd", []onnx.Attr{i("keepdims", 0)}, []*tensor.Tensor{vec(2, 3, 4)}, tensor.Shape{}, []int64{24}},
		{"shape with start", "Shape", []onnx.Attr{i("start", -2)}, []*tensor.Tensor{iota64(2, 3, 1)}, tensor.Shape{2}, []int64{3, 1}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := build(t, 17).op(tt.op, "", "y", tt.attrs...).m.Graph.Nodes()[0]
			out, err := evaluate(n, 17, tt.in, maxFold)
			if err != nil {
				t.Fatal(err)
			}
			got, err := integers(out[0], false)
			if err != nil || !slices.Equal(got, tt.want) || !out[0].Shape.Equal(tt.shape) {
				t.Errorf("got %v of shape %s (%v), want %v of %s", got, out[0].Shape, err, tt.want, tt.shape)
			}
		})
	}
}

func TestEvaluateRefuses(t *testing.T) {
	tests := []struct {
		name, op string
		attrs    []onnx.Attr
		in       []*tensor.Tensor
		unknown  bool // the evaluator does not know the case, as against a wrong document
	}{
		{"unknown operator", "RandomNormal", nil, nil, true},
		{"cast to half", "Cast", []onnx.Attr{onnx.IntAttr("to", int64(tensor.Float16))}, []*tensor.Tensor{fvec(1)}, true},
		{"huge", "Expand", nil, []*tensor.Tensor{vec(1), vec(1<<20, 1<<20)}, true},
		{"index outside", "Gather", nil, []*tensor.Tensor{vec(1), vec(1)}, false},
		{"no broadcast", "Add", nil, []*tensor.Tensor{vec(1, 2), vec(1, 2, 3)}, false},
		{"two types", "Add", nil, []*tensor.Tensor{vec(1), fvec(1)}, false},
		{"division by zero", "Div", nil, []*tensor.Tensor{vec(1), vec(0)}, false},
		{"missing input", "Reshape", nil, []*tensor.Tensor{vec(1)}, false},
		{"step zero", "Slice", nil, []*tensor.Tensor{vec(1), vec(0), vec(1), vec(0), vec(0)}, false},
		{"bad perm", "Transpose", []onnx.Attr{onnx.IntsAttr("perm", []int64{0})}, []*tensor.Tensor{iota64(2, 2)}, false},
		{"bad reshape", "Reshape", nil, []*tensor.Tensor{vec(1, 2, 3), vec(2, -1)}, false},
		{"bad axes", "Unsqueeze", nil, []*tensor.Tensor{vec(1), vec(0, 0)}, false},
		{"perm of one axis twice", "Transpose", []onnx.Attr{onnx.IntsAttr("perm", []int64{0, 0})}, []*tensor.Tensor{iota64(3, 1)}, false},
		{"slice of one axis twice", "Slice", nil, []*tensor.Tensor{vec(1, 2, 3, 4), vec(3, 3), vec(4, 4), vec(0, 0)}, false},
		{"nothing to fill with", "ConstantOfShape", []onnx.Attr{onnx.TensorAttr("value", vec())}, []*tensor.Tensor{vec(2)}, false},
		{"range over all of int64", "Range", nil, []*tensor.Tensor{tensor.Scalar(int64(0)), tensor.Scalar(int64(math.MinInt64)), tensor.Scalar(int64(-1))}, true},
		{"condition of integers", "Where", nil, []*tensor.Tensor{vec(1), vec(1), vec(1)}, true},
		{"huge concat", "Concat", nil, slices.Repeat([]*tensor.Tensor{iota64(1 << 16)}, 257), true},
		{"many large operands", "Max", nil, slices.Repeat([]*tensor.Tensor{iota64(1 << 16)}, 257), true},
		{"rank of thousands", "Expand", nil, []*tensor.Tensor{vec(1), vec(slices.Repeat([]int64{1}, 5000)...)}, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := build(t, 17).op(tt.op, "", "y", tt.attrs...).m.Graph.Nodes()[0]
			if _, err := evaluate(n, 17, tt.in, maxFold); err == nil || errors.Is(err, errNoEval) != tt.unknown {
				t.Errorf("error %v", err)
			}
		})
	}
}

func TestFoldConstants(t *testing.T) {
	// Constant -> Cast -> Clip: the constants become initializers named like the values they replace.
	m := build(t, 17).in("x", -1, 2).
		op("Constant", "", "c", onnx.TensorAttr("value", tensor.Scalar(float32(6)))).
		op("Cast", "c", "hi", onnx.IntAttr("to", 1)).
		op("Clip", "x - hi", "y").out("y")
	if !apply(t, FoldConstants{}, m) {
		t.Error("nothing folded")
	}
	wantListing(t, m, "Clip(x, -, hi) -> y")
	if v := m.Graph.Value("hi"); v == nil || v.Const() == nil {
		t.Error("hi is no constant")
	}

	// A constant graph output keeps its node, an unknown operator too.
	m = build(t, 17).op("Constant", "", "y", onnx.IntAttr("value_int", 1)).
		op("RandomNormal", "", "z", onnx.IntsAttr("shape", []int64{1})).out("y", "z")
	if apply(t, FoldConstants{}, m) {
		t.Errorf("folded\n%s", listing(m))
	}

	// A wrong document is an error that names the node.
	m = build(t, 17).ints("a", 1, 2).ints("b", 1, 2, 3).op("Add", "a b", "c").op("Relu", "c", "y").out("y")
	if _, err := (FoldConstants{}).Apply(m); err == nil {
		t.Error("no error")
	}
}

// TestFoldBudget: thirty additions of a kilobyte's file that each make 16 million elements are left to the runtime.
func TestFoldBudget(t *testing.T) {
	b := build(t, 17).in("x", 1).ints("big", 1<<12, 1<<12).init("one", tensor.Scalar(float32(1)))
	for i := range 30 {
		b.op("Expand", "one big", fmt.Sprint("e", i)).op("Add", fmt.Sprint("x e", i), fmt.Sprint("y", i))
	}
	m := b.out("y0", "y29")
	if _, err := (FoldConstants{}).Apply(m); err != nil {
		t.Fatal(err)
	}
	if n := size(m); n > 4*freeWork+1<<10 {
		t.Errorf("%d bytes of constants", n)
	}
}

func TestFoldBatch(t *testing.T) {
	flat := func(shape ...int) *builder {
		b := build(t, 17).in("x", shape...).op("Relu", "x", "r").typed("r", shape...).
			init("zero", tensor.Scalar(int64(0))).ints("axes", 0).ints("rest", -1).ints("four", 4).
			op("Shape", "x", "s").op("Gather", "s zero", "n").op("Unsqueeze", "n axes", "n1")
		return b
	}
	target := func(m *onnx.Model) []int64 {
		for _, n := range m.Graph.Nodes() {
			if n.Op() == "Reshape" {
				return constInts(n.Input(1))
			}
		}
		return nil
	}
	concat := onnx.IntAttr("axis", 0)
	tests := []struct {
		name string
		m    *onnx.Model
		want []int64
	}{
		{"batch and -1", flat(-1, 2, 4).op("Concat", "n1 rest", "t", concat).op("Reshape", "r t", "y").out("y"), []int64{-1, 8}},
		{"batch and known", flat(-1, 2, 4).op("Concat", "n1 four rest", "t", concat).op("Reshape", "r t", "y").out("y"), []int64{-1, 4, 2}},
		{"batch times four", flat(-1, 2, 4).op("Mul", "n1 four", "k").ints("two", 2).op("Concat", "k two", "t", concat).op("Reshape", "r t", "y").out("y"), []int64{-1, 2}},
		{"batch times four and -1", flat(-1, 2, 4).op("Mul", "n1 four", "k").op("Concat", "k rest", "t", concat).op("Reshape", "r t", "y").out("y"), nil},
		{"other value reshaped", flat(-1, 2, 4).in("z", -1, 8).op("Concat", "n1 rest", "t", concat).op("Reshape", "z t", "y").out("y"), nil},
		{"unknown height", flat(-1, -1, 4).op("Concat", "n1 rest", "t", concat).op("Reshape", "r t", "y").out("y"), nil},
	}
	// The batch is followed through a Reshape that keeps samples together, not through one that mixes them.
	for _, c := range []struct {
		name string
		mid  int64
		want []int64
	}{{"after a reshape", 4, []int64{-1, 8}}, {"after a mixing reshape", 8, nil}} {
		b := flat(-1, 2, 4).ints("mid", -1, c.mid, 2).op("Reshape", "r mid", "q").typed("q", -1, int(c.mid), 2)
		m := b.op("Relu", "q", "q2").typed("q2", -1, int(c.mid), 2).op("Concat", "n1 rest", "t", concat).op("Reshape", "q2 t", "y").out("y")
		if apply(t, FoldBatch{}, m) != (c.want != nil) {
			t.Errorf("%s:\n%s", c.name, listing(m))
		}
		if got := constInts(m.Graph.Node("n/y").Input(1)); !slices.Equal(got, c.want) {
			t.Errorf("%s: target %v, want %v", c.name, got, c.want)
		}
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if apply(t, FoldBatch{}, tt.m) != (tt.want != nil) || !slices.Equal(target(tt.m), tt.want) {
				t.Errorf("target %v, want %v\n%s", target(tt.m), tt.want, listing(tt.m))
			}
		})
	}

	// A dimension other than the batch is a constant even where the batch is unknown.
	m := build(t, 17).in("x", -1, 2, 4).init("one", tensor.Scalar(int64(1))).ints("axes", 0).
		op("Shape", "x", "s").op("Gather", "s one", "c").op("Unsqueeze", "c axes", "pads").op("Relu", "x", "z").op("Pad", "z pads", "y").out("y")
	apply(t, FoldBatch{}, m)
	apply(t, FoldConstants{}, m)
	apply(t, Prune{}, m)
	wantListing(t, m, "Relu(x) -> z\nPad(z, pads) -> y")
}
