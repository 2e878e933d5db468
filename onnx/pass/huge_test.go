package pass

import (
	"errors"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// TestHugeEmptyTensors folds tensors of no elements whose dimensions nobody could count.
func TestHugeEmptyTensors(t *testing.T) {
	huge := &tensor.Tensor{DType: tensor.Int64, Shape: tensor.Shape{1 << 55, 0}, Raw: []byte{}}
	for _, c := range []struct {
		name, op string
		attrs    []onnx.Attr
		in       []*tensor.Tensor
		want     tensor.Shape // nil: left as it is
	}{
		{"rows", "Concat", []onnx.Attr{onnx.IntAttr("axis", 1)}, []*tensor.Tensor{huge, huge}, tensor.Shape{1 << 55, 0}},
		{"on top", "Concat", []onnx.Attr{onnx.IntAttr("axis", 0)}, []*tensor.Tensor{huge, huge}, tensor.Shape{1 << 56, 0}},
		{"transposed", "Transpose", nil, []*tensor.Tensor{huge}, tensor.Shape{0, 1 << 55}},
		{"gathered", "Gather", nil, []*tensor.Tensor{huge, vec(0, -1)}, tensor.Shape{2, 0}},
		{"sliced", "Slice", nil, []*tensor.Tensor{huge, vec(1), vec(far)}, tensor.Shape{1<<55 - 1, 0}},
		{"tiled", "Tile", nil, []*tensor.Tensor{huge, vec(3, 2)}, tensor.Shape{3 << 55, 0}},
		{"tiled too often", "Tile", nil, []*tensor.Tensor{huge, vec(1<<30, 2)}, nil},
		{"added", "Add", nil, []*tensor.Tensor{huge, huge}, tensor.Shape{1 << 55, 0}},
		{"expanded", "Expand", nil, []*tensor.Tensor{huge, vec(3, 1, 1)}, tensor.Shape{3, 1 << 55, 0}},
		{"expanded too far", "Expand", nil, []*tensor.Tensor{huge, vec(1<<30, 1, 1)}, nil},
		{"flattened", "Flatten", nil, []*tensor.Tensor{huge}, tensor.Shape{1 << 55, 0}},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := evaluate(build(t, 17).op(c.op, "", "y", c.attrs...).m.Graph.Nodes()[0], 17, c.in, maxFold)
			switch {
			case c.want == nil && !errors.Is(err, errNoEval):
				t.Errorf("%v, %v", out, err)
			case c.want != nil && (err != nil || !out[0].Shape.Equal(c.want) || len(out[0].Raw) != 0):
				t.Errorf("%v, %v, want shape %s", out, err, c.want)
			}
		})
	}
}

// TestRoom: what is too large for what is left stays a node, before anything is made of it, and takes nothing from
// others.
func TestRoom(t *testing.T) {
	for _, c := range []struct {
		op string
		in []*tensor.Tensor
	}{
		{"ConstantOfShape", []*tensor.Tensor{vec(1<<15, 1<<15, 4)}},
		{"Expand", []*tensor.Tensor{vec(1), vec(1<<15, 1<<15, 4)}},
		{"Tile", []*tensor.Tensor{vec(1), vec(1 << 30)}},
		{"Range", []*tensor.Tensor{tensor.Scalar(int64(0)), tensor.Scalar(far), tensor.Scalar(int64(1))}},
		{"Add", []*tensor.Tensor{iota64(101, 1), iota64(1, 101)}},
		{"Gather", []*tensor.Tensor{iota64(2, 101), vec(make([]int64, 100)...)}},
		{"Concat", []*tensor.Tensor{iota64(6000), iota64(6000)}},
	} {
		var attrs []onnx.Attr
		if c.op == "Concat" {
			attrs = append(attrs, onnx.IntAttr("axis", 0))
		}
		const room = 10_000
		n := build(t, 17).op(c.op, "", "y", attrs...).m.Graph.Nodes()[0]
		allocated := testing.AllocsPerRun(1, func() {
			if _, err := evaluate(n, 17, c.in, room); !errors.Is(err, errNoEval) {
				t.Errorf("%s: %v", c.op, err)
			}
		})
		if allocated > 1000 {
			t.Errorf("%s: %g allocations", c.op, allocated)
		}
	}
	b := &budget{left: 100}
	if b.spend([]*tensor.Tensor{iota64(101)}) || !b.spend([]*tensor.Tensor{iota64(60), iota64(40)}) || b.spend([]*tensor.Tensor{iota64(1)}) {
		t.Errorf("%d left", b.left)
	}
}
