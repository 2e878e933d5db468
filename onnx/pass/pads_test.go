package pass

import (
	"math"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

func TestSpreadPads(t *testing.T) {
	b := func() *builder { return build(t, 18).in("x", -1, 2, 4, 6).ints("p", 1, 2, 3, 4) }
	tests := []struct {
		name string
		m    *onnx.Model
		want []int64 // nil: stays as it is
	}{
		{"axes", b().ints("a", 2, 3).op("Pad", "x p - a", "y").out("y"), []int64{0, 0, 1, 2, 0, 0, 3, 4}},
		{"from the end, in any order", b().ints("a", -1, 1).op("Pad", "x p - a", "y").out("y"), []int64{0, 2, 0, 1, 0, 4, 0, 3}},
		{"one named twice", b().ints("a", 3, -1).op("Pad", "x p - a", "y").out("y"), nil},
		{"outside", b().ints("a", 2, 4).op("Pad", "x p - a", "y").out("y"), nil},
		{"too few", b().ints("a", 2).op("Pad", "x p - a", "y").out("y"), nil},
		{"all", b().ints("q", 0, 0, 1, 1, 0, 0, 1, 1).op("Pad", "x q", "y").out("y"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if modified := apply(t, SpreadPads{}, tt.m); modified != (tt.want != nil) {
				t.Errorf("modified = %v", modified)
			}
			n := tt.m.Graph.Nodes()[0]
			if tt.want != nil && (!slices.Equal(constInts(n.Input(1)), tt.want) || n.Input(3) != nil) {
				t.Errorf("pads %v, want %v", constInts(n.Input(1)), tt.want)
			}
		})
	}
	resize := func(given string, v *builder) *onnx.Model {
		return v.op("Resize", given, "y", onnx.IntsAttr("axes", []int64{3, 2})).out("y")
	}
	for name, m := range map[string]*onnx.Model{
		"scales": resize("x - s", b().floats("s", tensor.Shape{2}, 0.5, 2)), "sizes": resize("x - - z", b().ints("z", 3, 8)),
	} {
		if !apply(t, SpreadPads{}, m) || !slices.Equal(constFloats(m.Graph.Nodes()[0].Input(2)), []float32{1, 1, 2, 0.5}) {
			t.Errorf("%s: %v", name, constFloats(m.Graph.Nodes()[0].Input(2)))
		}
	}
}

// TestPadsOfMaxima merges a Pad into a MaxPool where that computes the same, and keeps the runtime from doing so
// elsewhere.
func TestPadsOfMaxima(t *testing.T) {
	b := func(value float32, pads ...int64) *builder {
		return build(t, 17).in("x", -1, 1, 4, 4).ints("p", pads...).floats("v", tensor.Shape{}, value).op("Relu", "x", "r").typed("r", -1, 1, 4, 4)
	}
	inf := float32(math.Inf(-1))
	frame := []int64{0, 0, 1, 1, 0, 0, 1, 1}
	window := onnx.IntsAttr("kernel_shape", []int64{2, 2})
	tests := []struct {
		name   string
		m      *onnx.Model
		merged bool
		kept   bool
	}{
		{"nothing", b(inf, frame...).op("Pad", "x p v", "q").op("MaxPool", "q", "y", window).out("y"), true, false},
		{"the least number", b(-math.MaxFloat32, frame...).op("Pad", "x p v", "q").op("MaxPool", "q", "y", window).out("y"), true, false},
		{"below a Relu", b(-1e4, frame...).op("Pad", "r p v", "q").op("MaxPool", "q", "y", window).out("y"), true, false},
		{"perhaps above x", b(-1e4, frame...).op("Pad", "x p v", "q").op("MaxPool", "q", "y", window).out("y"), false, false},
		{"above zero", b(1, frame...).op("Pad", "r p v", "q").op("MaxPool", "q", "y", window).out("y"), false, false},
		{"as wide as the window", b(inf, 0, 0, 2, 0, 0, 0, 0, 0).op("Pad", "x p v", "q").op("MaxPool", "q", "y", window).out("y"), false, false},
		{"a window beside the plane", build(t, 17).in("x", -1, 1, 1, 4).ints("p", 0, 0, 1, 0, 0, 0, 1, 0).floats("v", tensor.Shape{}, inf).
			op("Pad", "x p v", "q").op("MaxPool", "q", "y", window, onnx.IntsAttr("dilations", []int64{2, 1})).out("y"), false, false},
		{"rounded up", b(inf, frame...).op("Pad", "x p v", "q").op("MaxPool", "q", "y", window, onnx.IntAttr("ceil_mode", 1)).out("y"), false, false},
		{"zeros below a Relu", b(0, frame...).op("Pad", "r p v", "q").op("MaxPool", "q", "y", window).out("y"), false, false},
		{"zeros, wide, below a Relu", b(0, 0, 0, 2, 2, 0, 0, 2, 2).op("Pad", "r p v", "q").op("MaxPool", "q", "y", window).out("y"), false, true},
		{"zeros", b(0, frame...).op("Pad", "x p v", "q").op("MaxPool", "q", "y", window).out("y"), false, true},
		{"zeros and a crop", b(0, 0, 0, 1, -1, 0, 0, 1, 1).op("Pad", "x p", "q").op("MaxPool", "q", "y", window).out("y"), false, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := apply(t, MergePads{}, tt.m); got != tt.merged {
				t.Errorf("merged = %v", got)
			}
			if got := apply(t, KeepPads{}, tt.m); got != tt.kept {
				t.Errorf("kept apart = %v:\n%s", got, listing(tt.m))
			}
		})
	}
}

// TestFloorPools: what a pooling that rounds up computes of ones is the share of its window that counts.
func TestFloorPools(t *testing.T) {
	attrs := func(more ...onnx.Attr) []onnx.Attr {
		return append(more, onnx.IntsAttr("kernel_shape", []int64{3, 2}), onnx.IntsAttr("strides", []int64{3, 2}), onnx.IntAttr("ceil_mode", 1))
	}
	count := onnx.IntAttr("count_include_pad", 1)
	m := build(t, 13).in("x", -1, 1, 7, 4).op("AveragePool", "x", "y", attrs(count)...).typed("y", -1, 1, 3, 2).out("y")
	if !apply(t, FloorPools{}, m) {
		t.Fatal("no match")
	}
	pool, mul := m.Graph.Nodes()[0], m.Graph.Nodes()[1]
	if !slices.Equal(pool.Ints("pads"), []int64{0, 0, 2, 0}) || pool.Has("ceil_mode") {
		t.Errorf("pads %v", pool.Ints("pads"))
	}
	if got := constFloats(mul.Input(1)); !slices.Equal(got, []float32{1, 1, 1, 1, 3, 3}) {
		t.Errorf("factors %v", got)
	}
	for name, m := range map[string]*onnx.Model{
		"padding does not count": build(t, 13).in("x", -1, 1, 7, 4).op("AveragePool", "x", "y", attrs()...).typed("y", -1, 1, 3, 2).out("y"),
		"a maximum":              build(t, 13).in("x", -1, 1, 7, 4).op("MaxPool", "x", "y", attrs()...).typed("y", -1, 1, 3, 2).out("y"),
	} {
		if apply(t, FloorPools{}, m) {
			t.Errorf("%s: matches", name)
		}
	}
	for dilation, want := range map[int64]string{1: "AveragePool(x) -> d\nRelu(d) -> y", 2: "AveragePool(x) -> d\nLeakyRelu(d) -> d/kept\nRelu(d/kept) -> y"} {
		m := build(t, 19).in("x", -1, 1, 7, 4).op("AveragePool", "x", "d", onnx.IntsAttr("kernel_shape", []int64{2, 2}), onnx.IntsAttr("dilations", []int64{dilation, 1})).
			op("Relu", "d", "y").out("y")
		apply(t, FloorPools{}, m)
		wantListing(t, m, want)
	}
}

// TestGammaBehindMatMul: a norm behind a product of matrices belongs to it, one behind a product of stacks does not.
func TestGammaBehindMatMul(t *testing.T) {
	for rank, want := range map[int]bool{2: true, 3: false} {
		shape := []int{-1, 3, 2}[:rank]
		shape[rank-1] = 2
		b := build(t, 17).in("x", shape...).floats("w", tensor.Shape{2, 3}, 1).op("MatMul", "x w", "c")
		shape[rank-1] = 3
		for _, name := range []string{"beta", "mean", "var"} {
			b.floats(name, tensor.Shape{3}, 1)
		}
		m := b.typed("c", shape...).floats("gamma", tensor.Shape{3}, -1).op("BatchNormalization", "c gamma beta mean var", "y").out("y")
		if got := apply(t, PositiveGamma{}, m); got != want {
			t.Errorf("rank %d: %v", rank, got)
		}
	}
}
