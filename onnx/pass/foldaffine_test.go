package pass

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// constants of two channels, by name, that the tests of factors and addends read.
func affineConstants(b *builder) *builder {
	b.floats("s", tensor.Shape{}, 1.5).floats("one", tensor.Shape{1}, -0.4).floats("zero", tensor.Shape{}, 0)
	b.floats("c", tensor.Shape{4, 1, 1}, 0.5, -2, 3, 0.7).floats("c4", tensor.Shape{1, 4, 1, 1}, 1, -0.5, 0.3, 2)
	b.floats("column", tensor.Shape{6}, 1, 2, 3, 4, 5, 6).floats("row", tensor.Shape{4}, 0.5, -2, 3, 0.7)
	return b.floats("rank5", tensor.Shape{1, 1, 1, 1, 1}, 2)
}

// TestFoldAffineBehind: what stands behind a layer goes into it, and what cannot stays; the results are those of the
// model as it was.
func TestFoldAffineBehind(t *testing.T) {
	conv := func(bias string) *builder {
		b := noise(noise(affineConstants(build(t, 17).in("x", -1, 2, 6, 6)), "w", 4, 2, 3, 3), "b", 4)
		return b.op("Conv", strings.TrimSpace("x w "+bias), "v", onnx.IntsAttr("pads", []int64{1, 1, 1, 1}))
	}
	gemm := func() *builder {
		return noise(noise(affineConstants(build(t, 17).in("x", -1, 5)), "w", 4, 5), "b", 4).op("Gemm", "x w b", "v", onnx.IntAttr("transB", 1))
	}
	rows := func() *builder {
		return noise(affineConstants(build(t, 17).in("x", -1, 3, 5)), "w", 5, 4).op("MatMul", "x w", "v")
	}
	norm := func() *builder {
		return noise(conv(""), "beta", 4).floats("gamma", tensor.Shape{4}, 1, 2, 0.5, 3).floats("var", tensor.Shape{4}, 1, 2, 3, 4).
			op("BatchNormalization", "v gamma beta beta var", "n")
	}
	tests := []struct {
		name string
		m    *onnx.Model
		want string
	}{
		{"scalar factor and addend", conv("").op("Mul", "s v", "m").op("Add", "m one", "y").out("y"), "Conv"},
		{"addend to a bias", conv("b").op("Add", "c v", "y").out("y"), "Conv"},
		{"subtracted, divided", conv("b").op("Sub", "v c", "m").op("Div", "m s", "y").out("y"), "Conv"},
		{"subtracted from a constant", conv("b").op("Sub", "one v", "m").op("Relu", "m", "y").out("y"), "Conv Relu"},
		{"factor per channel is a norm", conv("b").op("Div", "v c", "m").op("Sub", "c4 m", "y").out("y"), "Conv BatchNormalization"},
		{"long chain", conv("").op("Mul", "v s", "1").op("Add", "1 c", "2").op("Mul", "2 c4", "3").op("Sub", "one 3", "4").op("Add", "4 s", "y").out("y"), "Conv BatchNormalization"},
		{"behind a norm", norm().op("Mul", "n s", "m").op("Sub", "c m", "y").out("y"), "Conv BatchNormalization"},
		{"Gemm", gemm().op("Mul", "v row", "m").op("Add", "s m", "y").out("y"), "Gemm"},
		{"MatMul of rows keeps the sum", rows().op("Add", "v row", "a").op("Mul", "s a", "m").op("Div", "m row", "y").out("y"), "MatMul Add"},
		{"MatMul of rows, factor alone", rows().op("Mul", "v row", "y").out("y"), "MatMul"},
		{"constant divided", conv("b").op("Div", "one v", "y").out("y"), "Conv Div"},
		{"divided by zero", conv("b").op("Div", "v zero", "m").op("Clip", "m zero s", "y").out("y"), "Conv Div Clip"},
		{"by column", conv("b").op("Add", "v column", "y").out("y"), "Conv Add"},
		{"result grows", conv("b").op("Mul", "v rank5", "y").out("y"), "Conv Mul"},
		{"behind Relu", conv("b").op("Relu", "v", "r").op("Mul", "r s", "y").out("y"), "Conv Relu Mul"},
		{"read twice", conv("b").op("Mul", "v s", "m").op("Add", "m v", "y").out("y"), "Conv Mul Add"},
		{"output between", conv("b").op("Mul", "v s", "m").op("Add", "m s", "y").out("m", "y"), "Conv Add"},
		{"layer is an output", conv("b").op("Mul", "v s", "y").out("v", "y"), "Conv Mul"},
		{"layers that share weights", conv("").op("Mul", "v s", "m").op("Conv", "x w", "u", onnx.IntsAttr("pads", []int64{1, 1, 1, 1})).op("Sub", "u m", "y").out("y"), "Conv Conv Sub"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if tt.name == "divided by zero" {
				if err := Normalise(tt.m); err != nil {
					t.Fatal(err)
				}
				wantOperators(t, tt.m, tt.want)
				return
			}
			wantOperators(t, agrees(t, tt.m, 2e-6), tt.want)
		})
	}
}

// TestFoldAffineBefore is the same in front of layers: zeros of padding are added after what is added.
func TestFoldAffineBefore(t *testing.T) {
	head := func() *builder { return affineConstants(build(t, 17).in("x", -1, 4, 6, 6)).op("Relu", "x", "r") }
	conv := func(b *builder, x string, pad int64, group, per int) *onnx.Model {
		return noise(noise(b, "w", 4, per, 3, 3), "b", 4).
			op("Conv", x+" w b", "y", onnx.IntsAttr("pads", []int64{pad, pad, pad, pad}), onnx.IntAttr("group", int64(group))).out("y")
	}
	flat := func() *builder { return affineConstants(build(t, 17).in("x", -1, 4)).op("Relu", "x", "r") }
	norm := func() *builder {
		return affineConstants(build(t, 17).in("x", -1, 4)).op("Sub", "x row", "d").op("Mul", "d d", "q").op("Add", "q s", "e").op("Sqrt", "e", "v").op("Div", "d v", "r")
	}
	product := func(b *builder, op, x string) *onnx.Model { return noise(b, "w", 4, 3).op(op, x+" w", "y").out("y") }
	tests := []struct {
		name string
		m    *onnx.Model
		want string
	}{
		{"factor", conv(head().op("Mul", "c r", "m"), "m", 1, 1, 4), "Relu Conv"},
		{"factor, groups", conv(head().op("Div", "r c4", "m"), "m", 1, 2, 2), "Relu Conv"},
		{"depthwise", conv(head().op("Mul", "r c", "m"), "m", 1, 4, 1), "Relu Conv"},
		{"addend in front of padding", conv(head().op("Add", "c r", "m"), "m", 1, 1, 4), "Relu Add Conv"},
		{"factors per channel in front of padding", conv(head().op("Mul", "r c4", "m").op("Add", "m c", "a"), "a", 1, 1, 4), "Relu Mul Add Conv"},
		{"one factor in front of padding", conv(head().op("Mul", "r s", "m").op("Add", "m c", "a"), "a", 1, 1, 4), "Relu Add Conv"},
		{"factors last", conv(head().op("Sub", "r c", "m").op("Mul", "m c4", "a"), "a", 1, 1, 4), "Relu Sub Conv"},
		{"both without padding", conv(head().op("Mul", "r c4", "m").op("Sub", "c m", "a"), "a", 0, 2, 2), "Relu Conv"},
		{"others read the operand", conv(head().op("Mul", "r s", "m"), "m", 1, 1, 4), "Relu Conv"},
		{"Gemm", product(flat().op("Mul", "r row", "m").op("Add", "m s", "a"), "Gemm", "a"), "Relu Gemm"},
		{"MatMul of a matrix", product(flat().op("Sub", "one r", "a"), "MatMul", "a"), "Relu Gemm"},
		{"gamma and beta of a norm in pieces", product(norm().op("Mul", "r row", "m").op("Add", "m s", "a"), "Gemm", "a"), "Sub Mul Add Sqrt Div Mul Add Gemm"},
		{"GELU in pieces", product(flat().op("Erf", "r", "e").op("Add", "e s", "p").op("Mul", "r p", "q").op("Mul", "q s", "m"), "Gemm", "m"), "Relu Erf Add Mul Mul Gemm"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) { wantOperators(t, agrees(t, tt.m, 2e-6), tt.want) })
	}
}

// TestFoldAffineApply: a second run finds nothing, names of outputs stay, and weights that others read are not touched.
func TestFoldAffineApply(t *testing.T) {
	m := noise(affineConstants(build(t, 17).in("x", -1, 2, 6, 6)), "w", 4, 2, 1, 1).typed("x", -1, 2, 6, 6).op("Conv", "x w", "v").op("Mul", "v s", "m").
		op("Conv", "x w", "u").op("Add", "u m", "y").out("y")
	old, _ := tensor.Floats(m.Graph.Value("w").Const())
	if !apply(t, FoldAffine{}, m) {
		t.Fatal("no match")
	}
	wantListing(t, m, "Conv(x, w_1) -> m\nConv(x, w) -> u\nAdd(u, m) -> y")
	got, _ := tensor.Floats(m.Graph.Value("w_1").Const())
	kept, _ := tensor.Floats(m.Graph.Value("w").Const())
	for i := range old {
		if kept[i] != old[i] || got[i] != float32(float64(old[i])*1.5) {
			t.Fatalf("weight %d: %g and %g of %g", i, kept[i], got[i], old[i])
		}
	}
}
