package pass

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/onnx"
)

func TestMeanToPool(t *testing.T) {
	b := func(opset int64) *builder {
		return build(t, opset).in("x", -1, 2, 4, 4).op("Relu", "x", "r").typed("r", -1, 2, 4, 4)
	}
	axes := func(v ...int64) onnx.Attr { return onnx.IntsAttr("axes", v) }
	plain := "Relu(x) -> r\n"
	tests := []struct {
		name string
		m    *onnx.Model
		want string
	}{
		{"attribute", b(17).op("ReduceMean", "r", "p", axes(2, 3)).op("Relu", "p", "y").out("y"), plain + "GlobalAveragePool(r) -> p\nRelu(p) -> y"},
		{"from the end", b(17).op("ReduceMean", "r", "p", axes(-1, -2)).op("Relu", "p", "y").out("y"), plain + "GlobalAveragePool(r) -> p\nRelu(p) -> y"},
		{"input", b(18).ints("a", 2, 3).op("ReduceMean", "r a", "p").op("Relu", "p", "y").out("y"), plain + "GlobalAveragePool(r) -> p\nRelu(p) -> y"},
		{
			"without the dimensions", b(17).op("ReduceMean", "r", "p", axes(2, 3), onnx.IntAttr("keepdims", 0)).op("Relu", "p", "y").out("y"),
			plain + "GlobalAveragePool(r) -> p/pool\nFlatten(p/pool) -> p\nRelu(p) -> y",
		},
		{"graph output", b(17).op("ReduceMean", "r", "y", axes(2, 3)).out("y"), plain + "GlobalAveragePool(r) -> y"},
		{"one axis", b(17).op("ReduceMean", "r", "y", axes(2)).out("y"), plain + "ReduceMean(r) -> y"},
		{"all axes", b(17).op("ReduceMean", "r", "y").out("y"), plain + "ReduceMean(r) -> y"},
		{"computed axes", b(18).in("a", 2).op("ReduceMean", "r a", "y").out("y"), plain + "ReduceMean(r, a) -> y"},
		{"unknown rank", build(t, 17).in("x", 1).op("ReduceMean", "x", "y", axes(2, 3)).out("y"), "ReduceMean(x) -> y"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := listing(tt.m)
			if modified := apply(t, MeanToPool{}, tt.m); modified != (listing(tt.m) != before) {
				t.Errorf("modified = %v", modified)
			}
			if got := strings.TrimSpace(listing(tt.m)); got != tt.want {
				t.Errorf("got\n%s\nwant\n%s", got, tt.want)
			}
		})
	}
}
