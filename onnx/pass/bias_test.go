package pass

import (
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

func TestFuseBias(t *testing.T) {
	conv := func(s ...int) *builder {
		return build(t, 17).in("x", -1, 2, 4, 4).floats("w", tensor.Shape{3, 2, 1, 1}, 1).floats("b", s, 1).op("Conv", "x w", "c")
	}
	dense := func(rank int, s ...int) *builder {
		return build(t, 17).in("x", []int{-1, 2, 2}[:rank]...).floats("w", tensor.Shape{2, 3}, 1).floats("b", s, 1).op("MatMul", "x w", "c")
	}
	tests := []struct {
		name string
		m    *onnx.Model
		want string
	}{
		{"conv", conv(3, 1, 1).op("Add", "c b", "y").out("y"), "Conv(x, w, n/c/bias) -> y"},
		{"conv, batch axis, constant first", conv(1, 3, 1, 1).op("Add", "b c", "a").op("Relu", "a", "y").out("y"), "Conv(x, w, n/c/bias) -> c\nRelu(c) -> y"},
		{"conv along width", conv(3).op("Add", "c b", "y").out("y"), "Conv(x, w) -> c\nAdd(c, b) -> y"},
		{"one scalar", conv().op("Add", "c b", "y").out("y"), "Conv(x, w) -> c\nAdd(c, b) -> y"},
		{"read twice", conv(3, 1, 1).op("Add", "c b", "y").op("Relu", "c", "z").out("y", "z"), "Conv(x, w) -> c\nAdd(c, b) -> y\nRelu(c) -> z"},
		{"matmul", dense(2, 3).op("Add", "c b", "y").out("y"), "Gemm(x, w, n/c/bias) -> y"},
		{"matmul, row", dense(2, 1, 3).op("Add", "c b", "a").op("Relu", "a", "y").out("y"), "Gemm(x, w, n/c/bias) -> c/biased\nRelu(c/biased) -> y"},
		{"matmul of three axes", dense(3, 3).op("Add", "c b", "y").out("y"), "MatMul(x, w) -> c\nAdd(c, b) -> y"},
		{"two values", conv(3, 1, 1).op("Add", "c c", "y").out("y"), "Conv(x, w) -> c\nAdd(c, c) -> y"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := listing(tt.m)
			if modified := apply(t, FuseBias{}, tt.m); modified != (before != listing(tt.m)) {
				t.Errorf("modified = %v", modified)
			}
			apply(t, Prune{}, tt.m)
			wantListing(t, tt.m, tt.want)
		})
	}
}
