package export_test

import (
	"testing"

	"github.com/mpqc/mpqc/onnx"
)

// TestFusedOperators: operators between codes become integer kernels, a mean over the plane among them.
func TestFusedOperators(t *testing.T) {
	requireRuntime(t)
	n := prepare(t, build(t, func(b *graphBuilder) {
		b.conv("c0", "x", 4, 8)
		b.conv("c1", "c0", 8, 4)
		b.conv("c2", "c0", 8, 4)
		b.op("Concat", "cat", "c1 c2", onnx.IntAttr("axis", 1))
		b.conv("c3", "cat", 8, 8)
		b.op("AveragePool", "ap", "c3", onnx.IntsAttr("kernel_shape", []int64{2, 2}), onnx.IntsAttr("strides", []int64{2, 2}))
		b.conv("c4", "ap", 8, 8)
		b.op("ReduceMean", "mean", "c4", onnx.IntsAttr("axes", []int64{2, 3}), onnx.IntAttr("keepdims", 0))
		b.op("Gemm", "y", "mean "+b.weights("fc.w", 8, 5)+" "+b.weights("fc.b", 5))
	}), true)
	for seed := range uint64(3) {
		count := ops(t, n.export(t, mixed(n.plan, seed)))
		for op, want := range map[string]int{
			"QLinearConv": 5, "QLinearConcat": 1, "QLinearAveragePool": 1, "QLinearGlobalAveragePool": 1, "QGemm": 1,
			"Conv": 0, "Concat": 0, "AveragePool": 0, "GlobalAveragePool": 0, "ReduceMean": 0, "Gemm": 0, "DequantizeLinear": 0,
		} {
			if count[op] != want {
				t.Errorf("%d x %s, want %d: %v", count[op], op, want, count)
			}
		}
	}
}
