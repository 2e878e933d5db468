package pass

import (
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// TestPlainProduct: constant operands stand right and are matrices, and samples stand in rows.
func TestPlainProduct(t *testing.T) {
	rows := func() *builder {
		return noise(noise(noise(build(t, 17).in("x", -1, 4), "w", 4, 4), "column", 4, 1), "row", 4).op("Relu", "x", "r")
	}
	turned := func() *builder { return rows().op("Transpose", "r", "t", onnx.IntsAttr("perm", []int64{1, 0})) }
	back := func(b *builder, x string) *onnx.Model { return b.op("Transpose", x, "y").out("y") }
	tokens := func() *builder {
		return noise(noise(noise(build(t, 17).in("x", -1, 3, 5), "w1", 1, 5, 4), "left", 2, 3), "left1", 1, 2, 3).op("Relu", "x", "r")
	}
	tests := []struct {
		name string
		m    *onnx.Model
		want string
	}{
		{"leading dimension", tokens().op("MatMul", "r w1", "y").out("y"), "Relu MatMul"},
		{"tokens from the left", tokens().op("MatMul", "left r", "y").out("y"), "Relu Transpose MatMul Transpose"},
		{"both", tokens().op("MatMul", "left1 r", "y").out("y"), "Relu Transpose MatMul Transpose"},
		{"columns", back(turned().op("MatMul", "w t", "m").op("Add", "column m", "a").op("Tanh", "a", "z"), "z"), "Relu Gemm Tanh"},
		{"Gemm from the left", back(rows().op("Gemm", "w r column", "g", onnx.IntAttr("transB", 1), onnx.FloatAttr("alpha", 0.5), onnx.FloatAttr("beta", 2)), "g"), "Relu Gemm"},
		{"Gemm, transposed weights", back(turned().op("Gemm", "w t", "g", onnx.IntAttr("transA", 1)), "g"), "Relu MatMul"},
		{"clipped", back(turned().floats("low", tensor.Shape{}, 0).op("MatMul", "w t", "m").op("Clip", "m low", "z"), "z"), "Relu MatMul Clip"},
		{"others read the columns", turned().op("MatMul", "w t", "m").op("Tanh", "m", "z").op("MatMul", "r m", "y").out("y"), "Relu MatMul Transpose MatMul"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			after := agrees(t, tt.m, 2e-6)
			wantOperators(t, after, tt.want)
			for _, n := range after.Graph.Nodes() {
				if n.Op() == "MatMul" && n.Input(1).Const() != nil && len(n.Input(1).Const().Shape) != 2 {
					t.Errorf("%s has weights of shape %s", n, n.Input(1).Const().Shape)
				}
			}
		})
	}
}

// TestPlainProductLeaves: a matrix of its own per sample, and a leading dimension that the result has from the weights,
// stay.
func TestPlainProductLeaves(t *testing.T) {
	for name, m := range map[string]*onnx.Model{
		"stacked weights": noise(build(t, 17).in("x", -1, 3, 5), "w", 2, 5, 4).op("MatMul", "x w", "y").out("y"),
		"result grows":    noise(build(t, 17).in("x", -1, 5), "w", 1, 5, 4).op("MatMul", "x w", "y").out("y"),
		"vector":          noise(build(t, 17).in("x", -1, 5), "w", 5).op("MatMul", "x w", "y").out("y"),
		"both computed":   build(t, 17).in("x", -1, 3, 3).op("MatMul", "x x", "y").out("y"),
	} {
		if before := listing(m); apply(t, PlainProduct{}, m) || listing(m) != before {
			t.Errorf("%s: now\n%s", name, listing(m))
		}
	}
}

// TestSinkSwap: two Transposes that undo each other go, those that do not stay, and names of outputs are kept.
func TestSinkSwap(t *testing.T) {
	b := func() *builder {
		return build(t, 17).in("x", -1, 2, 3).op("Relu", "x", "r").op("Transpose", "r", "t", onnx.IntsAttr("perm", []int64{1, 2, 0}))
	}
	perm := func(p ...int64) onnx.Attr { return onnx.IntsAttr("perm", p) }
	for name, c := range map[string]struct {
		m    *onnx.Model
		want string
	}{
		"inverse":       {b().op("Transpose", "t", "u", perm(2, 0, 1)).op("Relu", "u", "y").out("y"), "Relu(x) -> r\nTranspose(r) -> t\nRelu(r) -> y"},
		"as an output":  {b().op("Transpose", "t", "y", perm(2, 0, 1)).out("y"), "Relu(x) -> y\nTranspose(y) -> t"},
		"other order":   {b().op("Transpose", "t", "y", perm(1, 2, 0)).out("y"), "Relu(x) -> r\nTranspose(r) -> t\nTranspose(t) -> y"},
		"of an input":   {build(t, 17).in("x", -1, 2).op("Transpose", "x", "t", perm(1, 0)).op("Transpose", "t", "y", perm(1, 0)).out("y"), "Transpose(x) -> t\nTranspose(t) -> y"},
		"output itself": {b().op("Transpose", "t", "y", perm(2, 0, 1)).out("r", "y"), "Relu(x) -> r\nTranspose(r) -> t\nTranspose(t) -> y"},
	} {
		t.Run(name, func(t *testing.T) {
			apply(t, SinkSwap{}, c.m)
			wantListing(t, c.m, c.want)
		})
	}
}
