package pass

import (
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// TestLayout: Transposes around operators between convolutions vanish, norms are whole again, the mean is a pooling.
func TestLayout(t *testing.T) {
	m, err := onnx.Load("testdata/exporters/channels-last-15.onnx")
	if err != nil {
		t.Fatal(err)
	}
	if err := Normalise(m); err != nil {
		t.Fatal(err)
	}
	if got, want := operators(m), "Add:1 BatchNormalization:1 Clip:1 Conv:3 Flatten:1 Gemm:1 GlobalAveragePool:1 Relu:1 Transpose:1"; got != want {
		t.Errorf("operators %s, want %s\n%s", got, want, listing(m))
	}
}

func TestSinkLayoutLeaves(t *testing.T) {
	last, first := onnx.IntsAttr("perm", toLast), onnx.IntsAttr("perm", []int64{0, 3, 1, 2})
	b := func() *builder {
		return build(t, 17).in("x", -1, 2, 4, 4).op("Transpose", "x", "p", last).typed("p", -1, 4, 4, 2)
	}
	for name, m := range map[string]*onnx.Model{
		"a matrix product":  b().floats("w", tensor.Shape{2, 3}, 1).op("MatMul", "p w", "y").out("y"),
		"another operand":   b().in("z", -1, 4, 4, 2).op("Add", "p z", "y").out("y"),
		"mean of channels":  b().op("ReduceMean", "p", "y", onnx.IntsAttr("axes", []int64{3})).out("y"),
		"another transpose": b().op("Transpose", "p", "y", onnx.IntsAttr("perm", []int64{0, 2, 1, 3})).out("y"),
		"channels first":    build(t, 17).in("x", -1, 4, 4, 2).op("Transpose", "x", "p", first).op("Relu", "p", "y").out("y"),
	} {
		before := listing(m)
		if modified, err := (SinkLayout{}).Apply(m); modified || err != nil || listing(m) != before {
			t.Errorf("%s: modified %v, %v:\n%s", name, modified, err, listing(m))
		}
	}
	c := firstChannels(tensor.From(tensor.Shape{2, 3}, []float32{1, 2, 3, 4, 5, 6}))
	if got, err := tensor.Floats(c); err != nil || !c.Shape.Equal(tensor.Shape{1, 3, 1, 2}) || got[1] != 4 || got[2] != 2 {
		t.Errorf("constant %s %v, %v", c.Shape, got, err)
	}
}

func TestScaleToNorm(t *testing.T) {
	b := func() *builder {
		return build(t, 17).in("x", -1, 1, 2, 2).floats("w", tensor.Shape{3, 1, 1, 1}, 1, -2, 3).op("Conv", "x w", "c").typed("c", -1, 3, 2, 2).
			floats("s", tensor.Shape{3, 1, 1}, 1, 2, 3).floats("b", tensor.Shape{1, 3, 1, 1}, 4, 5, 6).floats("last", tensor.Shape{3}, 1, 2, 3)
	}
	norm := "Conv(x, w) -> c\nBatchNormalization(c, n/m/gamma, n/m/beta, n/m/mean, n/m/var) -> y"
	for name, c := range map[string]struct {
		m    *onnx.Model
		want string
	}{
		"scale and shift": {b().op("Mul", "c s", "m").typed("m", -1, 3, 2, 2).op("Add", "b m", "y").out("y"), norm},
		"scale alone":     {b().op("Mul", "s c", "m").op("Relu", "m", "y").out("y"), "Conv(x, w) -> c\nBatchNormalization(c, n/m/gamma, n/m/beta, n/m/mean, n/m/var) -> m\nRelu(m) -> y"},
		"by column":       {b().floats("k", tensor.Shape{2}, 1, 2).op("Mul", "c k", "y").out("y"), "Conv(x, w) -> c\nMul(c, k) -> y"},
		"read twice":      {b().op("Mul", "c s", "m").op("Add", "m c", "y").out("y"), "Conv(x, w) -> c\nMul(c, s) -> m\nAdd(m, c) -> y"},
	} {
		t.Run(name, func(t *testing.T) {
			apply(t, ScaleToNorm{}, c.m)
			wantListing(t, c.m, c.want)
		})
	}
}
