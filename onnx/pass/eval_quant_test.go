package pass

import (
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// TestDequantizeConstants: constant codes become floats, whatever their width and however scales are spread, and codes
// of floats are made as runtimes make them.
func TestDequantizeConstants(t *testing.T) {
	i := onnx.IntAttr
	s8 := tensor.From(tensor.Shape{2, 3}, []int8{-128, 0, 127, 1, 2, -3})
	u8 := tensor.From(tensor.Shape{3}, []uint8{0, 128, 255})
	four := func(t tensor.DType) *tensor.Tensor {
		return &tensor.Tensor{DType: t, Shape: tensor.Shape{1, 3}, Raw: []byte{0x8f, 0x07}}
	}
	f := func(shape tensor.Shape, v ...float32) *tensor.Tensor { return tensor.From(shape, v) }
	tests := []struct {
		name, op string
		in       []*tensor.Tensor
		attrs    []onnx.Attr
		want     []float32 // nil: the node stays
	}{
		{"one scale", "DequantizeLinear", []*tensor.Tensor{s8, f(nil, 0.5)}, nil, []float32{-64, 0, 63.5, 0.5, 1, -1.5}},
		{"zero point of bytes", "DequantizeLinear", []*tensor.Tensor{u8, f(nil, 2), tensor.From(nil, []uint8{128})}, nil, []float32{-256, 0, 254}},
		{"per column, the default", "DequantizeLinear", []*tensor.Tensor{s8, f(tensor.Shape{3}, 1, 2, 3)}, nil, []float32{-128, 0, 381, 1, 4, -9}},
		{"per row", "DequantizeLinear", []*tensor.Tensor{s8, f(tensor.Shape{2}, 1, 2), tensor.From(tensor.Shape{2}, []int8{0, 1})}, []onnx.Attr{i("axis", -2)}, []float32{-128, 0, 127, 0, 2, -8}},
		{"blocks", "DequantizeLinear", []*tensor.Tensor{s8, f(tensor.Shape{2, 2}, 1, 2, 3, 4)}, []onnx.Attr{i("axis", 1), i("block_size", 2)}, []float32{-128, 0, 254, 3, 6, -12}},
		{"int4", "DequantizeLinear", []*tensor.Tensor{four(tensor.Int4), f(nil, 1)}, nil, []float32{-1, -8, 7}},
		{"uint4", "DequantizeLinear", []*tensor.Tensor{four(tensor.Uint4), f(nil, 1)}, nil, []float32{15, 8, 7}},
		{"int32", "DequantizeLinear", []*tensor.Tensor{tensor.From(tensor.Shape{2}, []int32{70000, -1}), f(nil, 0.5)}, nil, []float32{35000, -0.5}},
		{"half to even, saturated", "QuantizeLinear", []*tensor.Tensor{f(tensor.Shape{4}, 0.5, 1.5, 300, -9), f(nil, 1)}, nil, []float32{0, 2, 255, 0}},
		{"to int8", "QuantizeLinear", []*tensor.Tensor{f(tensor.Shape{3}, -1, 1e9, 1), f(nil, 0.5), tensor.From(nil, []int8{3})}, nil, []float32{1, 127, 5}},
		{"to int16", "QuantizeLinear", []*tensor.Tensor{f(tensor.Shape{1}, 1), f(nil, 0.5), tensor.From(nil, []int16{3})}, nil, nil},
		{"of floats", "DequantizeLinear", []*tensor.Tensor{f(tensor.Shape{1}, 1), f(nil, 0.5)}, nil, nil},
		{"to float16", "DequantizeLinear", []*tensor.Tensor{u8, {DType: tensor.Float16, Shape: nil, Raw: []byte{0, 60}}}, nil, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b, inputs := build(t, 21).in("x", 1, 3), ""
			for k, c := range tt.in {
				name := string(rune('a' + k))
				b.init(name, c)
				inputs += name + " "
			}
			m := b.op(tt.op, inputs, "w", tt.attrs...).op("Cast", "w", "v", i("to", 1)).op("Add", "x v", "y").out("y")
			apply(t, FoldConstants{}, m)
			v := m.Graph.Value("w")
			if tt.want == nil {
				if v.Producer() == nil || v.Producer().Op() != tt.op {
					t.Errorf("it is folded:\n%s", listing(m))
				}
				return
			}
			if v = m.Graph.Value("v"); v.Const() == nil {
				t.Fatalf("it is not folded:\n%s", listing(m))
			}
			if got, err := tensor.Floats(v.Const()); err != nil || !slices.Equal(got, tt.want) {
				t.Errorf("%v, %v; want %v", got, err, tt.want)
			}
		})
	}
}

// TestDequantizeDamaged: scales that do not fit are an error that names the node.
func TestDequantizeDamaged(t *testing.T) {
	for name, scale := range map[string]tensor.Shape{"too many": {4}, "two axes": {2, 3}} {
		m := build(t, 17).in("x", 2, 3).init("c", tensor.From(tensor.Shape{2, 3}, make([]int8, 6))).floats("s", scale, 1).
			op("DequantizeLinear", "c s", "w").op("Add", "x w", "y").out("y")
		if _, err := (Sequence{FoldConstants{}}).Run(m); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
