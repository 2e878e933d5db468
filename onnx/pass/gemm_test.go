package pass

import (
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

func gemms(t *testing.T) *builder {
	t.Helper()
	b := noise(noise(noise(build(t, 17).in("x", -1, 4), "w", 4, 4), "row", 4), "plane", 1, 4)
	return b.floats("one", tensor.Shape{1}, 0.3).floats("s", tensor.Shape{}, -0.7).op("Relu", "x", "r")
}

// TestPlainGemm: settings of a Gemm go into constants or operators around it.
func TestPlainGemm(t *testing.T) {
	f, i := onnx.FloatAttr, onnx.IntAttr
	tests := []struct {
		name  string
		m     *onnx.Model
		want  string
		plain bool // the Gemm has no setting but transB
	}{
		{"alpha and beta", gemms(t).op("Gemm", "r w row", "y", f("alpha", 0.5), f("beta", -2)).out("y"), "Relu Gemm", true},
		{"beta of a row", gemms(t).op("Gemm", "r w plane", "y", f("beta", 3)).out("y"), "Relu Gemm", true},
		{"one element", gemms(t).op("Gemm", "r w one", "y", i("transB", 1)).out("y"), "Relu Gemm", true},
		{"scalar times beta", gemms(t).op("Gemm", "r w s", "y", f("beta", 0.5)).out("y"), "Relu Gemm", true},
		{"beta without summand", gemms(t).op("Gemm", "r w", "y", f("beta", 0.5)).out("y"), "Relu Gemm", true},
		{"beta of zero", gemms(t).op("Gemm", "r w row", "y", f("beta", 0)).out("y"), "Relu Gemm", true},
		{"computed summand", gemms(t).op("Gemm", "r w x", "g", f("beta", 0.5)).op("Relu", "g", "y").out("y", "g"), "Relu Gemm Mul Add Relu", true},
		{"transA", gemms(t).op("Transpose", "r", "rt").op("Gemm", "rt w row", "y", i("transA", 1)).out("y"), "Relu Gemm", true},
		{"weights that two read", gemms(t).op("Gemm", "r w", "g", f("alpha", 2)).op("Gemm", "g w", "y").out("y"), "Relu Gemm Gemm", true},
		{"computed operands", gemms(t).op("Transpose", "r", "rt").op("Gemm", "rt r", "g", f("alpha", 2)).op("MatMul", "r g", "y").out("y"), "Relu Transpose Gemm MatMul", false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			after := agrees(t, tt.m, 2e-6)
			wantOperators(t, after, tt.want)
			for _, n := range after.Graph.Nodes() {
				if n.Op() == "Gemm" && tt.plain && (n.Has("alpha") || n.Has("beta") || n.Has("transA") || n.Input(2) != nil && n.Input(2).Const().Shape.Numel() != 4) {
					t.Errorf("%s has settings or a bias of another shape", n)
				}
			}
		})
	}
}

// TestPlainGemmColumn: a summand per row, which a fixed batch allows, is added behind.
func TestPlainGemmColumn(t *testing.T) {
	m := noise(build(t, 17).in("x", 4, 4), "w", 4, 4).floats("column", tensor.Shape{4, 1}, 1, 2, 3, 4).typed("x", 4, 4).
		op("Gemm", "x w column", "y", onnx.FloatAttr("beta", 2)).typed("y", 4, 4).out("y")
	if !apply(t, PlainGemm{}, m) {
		t.Error("no match")
	}
	wantListing(t, m, "Gemm(x, w) -> y/replaced\nAdd(y/replaced, column_1) -> y")
	if v, _ := tensor.Floats(m.Graph.Value("column_1").Const()); v[3] != 8 {
		t.Errorf("column %v", v)
	}
}
