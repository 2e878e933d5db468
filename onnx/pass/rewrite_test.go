package pass

import (
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

func TestDropIdentity(t *testing.T) {
	b := func() *builder { return build(t, 17).in("x", -1, 2, 4, 4).op("Relu", "x", "r") }
	falsehood := &tensor.Tensor{DType: tensor.Bool, Shape: tensor.Shape{}, Raw: []byte{0}}
	truth := &tensor.Tensor{DType: tensor.Bool, Shape: tensor.Shape{}, Raw: []byte{1}}
	tests := []struct {
		name string
		m    *onnx.Model
		want string
	}{
		{"identity", b().op("Identity", "r", "i").op("Neg", "i", "y").out("y"), "Relu(x) -> r\nNeg(r) -> y"},
		{"graph output keeps its name", b().op("Identity", "r", "y").out("y"), "Relu(x) -> y"},
		{"of a graph input", build(t, 17).in("x", 1).op("Identity", "x", "y").out("y"), "Identity(x) -> y"},
		{"dropout", b().op("Dropout", "r", "d m").op("Neg", "d", "y").out("y"), "Relu(x) -> r\nNeg(r) -> y"},
		{"dropout, told not to", b().init("no", falsehood).op("Dropout", "r - no", "d").op("Neg", "d", "y").out("y"), "Relu(x) -> r\nNeg(r) -> y"},
		{"training dropout", b().init("yes", truth).op("Dropout", "r - yes", "d").op("Neg", "d", "y").out("y"), "Relu(x) -> r\nDropout(r, -, yes) -> d\nNeg(d) -> y"},
		{"dropout with mask", b().op("Dropout", "r", "d m").op("Neg", "d", "y").out("y", "m"), "Relu(x) -> r\nDropout(r) -> d, m\nNeg(d) -> y"},
		{"cast", b().typed("r", -1).op("Cast", "r", "c", onnx.IntAttr("to", 1)).op("Neg", "c", "y").out("y"), "Relu(x) -> r\nNeg(r) -> y"},
		{"cast to another type", b().typed("r", -1).op("Cast", "r", "c", onnx.IntAttr("to", 7)).op("Neg", "c", "y").out("y"), "Relu(x) -> r\nCast(r) -> c\nNeg(c) -> y"},
		{"relu of relu", b().op("Relu", "r", "s").op("Relu", "s", "y").out("y"), "Relu(x) -> y"},
		{"pad", b().ints("p", 0, 0, 0, 0).op("Pad", "r p", "q").op("Neg", "q", "y").out("y"), "Relu(x) -> r\nNeg(r) -> y"},
		{"real pad", b().ints("p", 0, 0, 0, 1).op("Pad", "r p", "y").out("y"), "Relu(x) -> r\nPad(r, p) -> y"},
		{"transpose", b().op("Transpose", "r", "c", onnx.IntsAttr("perm", []int64{1, 0})).op("Neg", "c", "y").out("y"), "Relu(x) -> r\nTranspose(r) -> c\nNeg(c) -> y"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			before := listing(tt.m)
			if modified := apply(t, DropIdentity{}, tt.m); modified != (listing(tt.m) != before) {
				t.Errorf("modified = %v", modified)
			}
			wantListing(t, tt.m, tt.want)
		})
	}
}

// normed is a 1x1 Conv of one input channel and three output channels with a BatchNormalization.
func normed(t *testing.T, withBias bool) *builder {
	t.Helper()
	b := build(t, 17).in("x", -1, 1, 2, 2).floats("w", tensor.Shape{3, 1, 1, 1}, 1, -2, 3)
	in := "x w"
	if withBias {
		b.floats("b", tensor.Shape{3}, 0.5, 1, -1)
		in = "x w b"
	}
	return b.op("Conv", in, "c").floats("gamma", tensor.Shape{3}, -2, 0, 1.5).floats("beta", tensor.Shape{3}, 1, 2, 3).
		floats("mean", tensor.Shape{3}, 0.25, -0.5, 1).floats("var", tensor.Shape{3}, 1, 2, 4)
}

// valueAt computes the three channels for one input pixel from the parameters of the document.
func valueAt(m *onnx.Model, x float64) [3]float64 {
	p := func(name string) []float32 {
		f, _ := tensor.Floats(m.Graph.Value(name).Const())
		return f
	}
	conv := m.Graph.Node("n/c")
	var out [3]float64
	for c := range out {
		y := float64(p("w")[c]) * x
		if v := conv.Input(2); v != nil {
			y += float64(p(v.Name())[c])
		}
		if m.Graph.Node("n/y") != nil {
			y = float64(p("gamma")[c])*(y-float64(p("mean")[c]))/math.Sqrt(float64(p("var")[c])+1e-5) + float64(p("beta")[c])
		}
		out[c] = y
	}
	return out
}

func TestBatchNormPasses(t *testing.T) {
	for _, p := range []Pass{PositiveGamma{}, FoldBatchNorm{}} {
		for _, withBias := range []bool{false, true} {
			m := normed(t, withBias).op("BatchNormalization", "c gamma beta mean var", "y").out("y")
			want := valueAt(m, 0.7)
			if !apply(t, p, m) {
				t.Errorf("%s: no match", p.Name())
			}
			if got := valueAt(m, 0.7); closeTo(got, want) > 1e-6 {
				t.Errorf("%s (bias %v): %v, want %v", p.Name(), withBias, got, want)
			}
			if v := m.Graph.Value("gamma"); v != nil && p.Name() == "gamma signs" {
				if f, _ := tensor.Floats(v.Const()); !slices.Equal(f, []float32{2, 0, 1.5}) {
					t.Errorf("gamma %v", f)
				}
			}
		}
	}
	for name, m := range map[string]*onnx.Model{
		"second reader":   normed(t, true).op("BatchNormalization", "c gamma beta mean var", "y").op("Relu", "c", "z").out("y", "z"),
		"conv is output":  normed(t, true).op("BatchNormalization", "c gamma beta mean var", "y").out("y", "c"),
		"training":        normed(t, true).op("BatchNormalization", "c gamma beta mean var", "y", onnx.IntAttr("training_mode", 1)).out("y"),
		"shared gamma":    normed(t, true).op("BatchNormalization", "c gamma gamma mean var", "y").out("y"),
		"behind a Relu":   normed(t, true).op("Relu", "c", "r").op("BatchNormalization", "r gamma beta mean var", "y").out("y"),
		"behind a PRelu":  normed(t, true).floats("s", tensor.Shape{3, 1, 1}, 1).op("PRelu", "c s", "r").op("BatchNormalization", "r gamma beta mean var", "y").out("y"),
		"wrong channels":  normed(t, true).floats("g4", tensor.Shape{4}, -1).op("BatchNormalization", "c g4 beta mean var", "y").out("y"),
		"no BN":           normed(t, true).op("Relu", "c", "y").out("y"),
		"shared by Gemms": normed(t, false).op("Conv", "x w", "d").op("BatchNormalization", "c gamma beta mean var", "y").out("y", "d"),
	} {
		for _, p := range []Pass{PositiveGamma{}, FoldBatchNorm{}} {
			if apply(t, p, m) {
				t.Errorf("%s: pass %s matches", name, p.Name())
			}
		}
	}
}

func closeTo(a, b [3]float64) float64 {
	d := 0.0
	for i := range a {
		d = max(d, math.Abs(a[i]-b[i]))
	}
	return d
}

// TestUnshare: layers get weights of their own, and none keeps those that another operator reads, whose result would
// change with them.
func TestUnshare(t *testing.T) {
	gemms := func() *builder {
		return build(t, 17).in("x", -1, 2).floats("w", tensor.Shape{2, 2}, 1).op("Gemm", "x w", "a").op("Gemm", "a w", "b")
	}
	for want, m := range map[string]*onnx.Model{
		"Gemm(x, w) -> a\nGemm(a, w_1) -> b":                   gemms().out("b"),
		"Gemm(x, w_1) -> a\nGemm(a, w_2) -> b\nAdd(b, w) -> y": gemms().op("Add", "b w", "y").out("y"),
	} {
		if !apply(t, Unshare{}, m) {
			t.Error("no match")
		}
		wantListing(t, m, want)
		if apply(t, Unshare{}, m) {
			t.Error("matches once more")
		}
	}
}

func TestInsertNorm(t *testing.T) {
	ones := []float32{1, 1, 1}
	tests := []struct {
		name string
		m    *onnx.Model
		want string
	}{
		{
			"inner", normed(t, true).op("Relu", "c", "y").op("Sigmoid", "c", "z").out("y", "z"),
			"Conv(x, w) -> c/conv\nBatchNormalization(c/conv, n/c/norm.gamma, n/c/norm.beta, n/c/norm.mean, n/c/norm.var) -> c\nRelu(c) -> y\nSigmoid(c) -> z",
		},
		{
			"graph output", normed(t, false).out("c"),
			"Conv(x, w) -> c/conv\nBatchNormalization(c/conv, n/c/norm.gamma, n/c/norm.beta, n/c/norm.mean, n/c/norm.var) -> c",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conv := tt.m.Graph.Node("n/c")
			if err := InsertNorm(tt.m, conv, ones, ones, ones, ones); err != nil {
				t.Fatal(err)
			}
			wantListing(t, tt.m, tt.want)
			if err := tt.m.Validate(); err != nil {
				t.Error(err)
			}
			if tt.m.Graph.Node("n/c/norm") == nil || tt.m.Graph.Value("b") != nil {
				t.Error("norm is not named after the Conv, or its bias is left")
			}
			if err := InsertNorm(tt.m, conv, ones, ones, ones, ones); err == nil {
				t.Error("a second norm is no error")
			}
		})
	}
	m := normed(t, true).out("c")
	if err := InsertNorm(m, m.Graph.Node("n/c"), ones[:2], ones, ones, ones); err == nil {
		t.Error("wrong length is no error")
	}
}

func TestMergePads(t *testing.T) {
	b := func(pads ...int64) *builder {
		return build(t, 17).in("x", -1, 1, 4, 4).ints("p", pads...).floats("zero", tensor.Shape{}, 0).floats("one", tensor.Shape{}, 1).
			floats("w", tensor.Shape{1, 1, 3, 3}, 1)
	}
	own := onnx.IntsAttr("pads", []int64{1, 0, 1, 0})
	pool := []onnx.Attr{onnx.IntsAttr("kernel_shape", []int64{2, 2})}
	tests := []struct {
		name string
		m    *onnx.Model
		want []int64 // pads of the last node; nil: no match
	}{
		{"conv", b(0, 0, 0, 1, 0, 0, 2, 3).op("Pad", "x p zero", "q").op("Conv", "q w", "y", own).out("y"), []int64{1, 1, 3, 3}},
		{"no value, no own pads", b(0, 0, 1, 1, 0, 0, 1, 1).op("Pad", "x p", "q").op("Conv", "q w", "y").out("y"), []int64{1, 1, 1, 1}},
		{"valid", b(0, 0, 1, 1, 0, 0, 1, 1).op("Pad", "x p", "q").op("Conv", "q w", "y", onnx.StringAttr("auto_pad", "VALID")).out("y"), []int64{1, 1, 1, 1}},
		{"pool", b(0, 0, 1, 1, 0, 0, 1, 1).op("Pad", "x p", "q").op("AveragePool", "q", "y", pool...).out("y"), []int64{1, 1, 1, 1}},
		{"pool that does not count its pads", b(0, 0, 1, 1, 0, 0, 1, 1).op("Pad", "x p", "q").op("AveragePool", "q", "y", append(pool, own)...).out("y"), nil},
		{"pool that rounds up", b(0, 0, 1, 1, 0, 0, 1, 1).op("Pad", "x p", "q").op("AveragePool", "q", "y", append(pool, onnx.IntAttr("ceil_mode", 1))...).out("y"), nil},
		{"max pool", b(0, 0, 1, 1, 0, 0, 1, 1).op("Pad", "x p", "q").op("MaxPool", "q", "y", pool...).out("y"), nil},
		{"channels", b(0, 1, 0, 0, 0, 0, 0, 0).op("Pad", "x p", "q").op("Conv", "q w", "y").out("y"), nil},
		{"crop", b(0, 0, -1, 0, 0, 0, 0, 0).op("Pad", "x p", "q").op("Conv", "q w", "y").out("y"), nil},
		{"ones", b(0, 0, 1, 1, 0, 0, 1, 1).op("Pad", "x p one", "q").op("Conv", "q w", "y").out("y"), nil},
		{"reflect", b(0, 0, 1, 1, 0, 0, 1, 1).op("Pad", "x p", "q", onnx.StringAttr("mode", "reflect")).op("Conv", "q w", "y").out("y"), nil},
		{"same", b(0, 0, 1, 1, 0, 0, 1, 1).op("Pad", "x p", "q").op("Conv", "q w", "y", onnx.StringAttr("auto_pad", "SAME_UPPER")).out("y"), nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if modified := apply(t, MergePads{}, tt.m); modified != (tt.want != nil) {
				t.Errorf("modified = %v", modified)
			}
			nodes := tt.m.Graph.Nodes()
			last := nodes[len(nodes)-1]
			if tt.want != nil && (len(nodes) != 1 || !slices.Equal(last.Ints("pads"), tt.want) || last.Has("auto_pad")) {
				t.Errorf("pads %v, want %v\n%s", last.Ints("pads"), tt.want, listing(tt.m))
			}
			if last.Op() == "AveragePool" && (last.Int("count_include_pad", 0) == 1) != (tt.want != nil) {
				t.Error("count_include_pad does not fit")
			}
		})
	}
}

func TestResolvePads(t *testing.T) {
	tests := []struct {
		name, auto string
		size       int
		stride     int64
		want       []int64
	}{
		{"upper even", "SAME_UPPER", 8, 2, []int64{0, 0, 1, 1}},
		{"lower even", "SAME_LOWER", 8, 2, []int64{1, 1, 0, 0}},
		{"upper odd", "SAME_UPPER", 7, 2, []int64{1, 1, 1, 1}},
		{"stride beyond the kernel", "SAME_UPPER", 8, 4, []int64{0, 0, 0, 0}},
		{"valid", "VALID", 8, 1, []int64{0, 0, 0, 0}},
		{"notset", "NOTSET", 8, 1, nil},
		{"unknown size", "SAME_UPPER", -1, 1, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := build(t, 17).in("x", -1, 1, tt.size, tt.size).floats("w", tensor.Shape{1, 1, 3, 3}, 1).
				op("Conv", "x w", "y", onnx.StringAttr("auto_pad", tt.auto), onnx.IntsAttr("strides", []int64{tt.stride, tt.stride})).out("y")
			apply(t, ResolvePads{}, m)
			n := m.Graph.Nodes()[0]
			if !slices.Equal(n.Ints("pads"), tt.want) || n.Has("auto_pad") != (tt.size < 0) {
				t.Errorf("pads %v, auto_pad left %v", n.Ints("pads"), n.Has("auto_pad"))
			}
		})
	}
}

func TestUpgradeOpset(t *testing.T) {
	m := build(t, 9).in("x", -1, 1, 4, 4).
		op("Pad", "x", "p", onnx.IntsAttr("pads", []int64{0, 0, 1, 1, 0, 0, 1, 1}), onnx.FloatAttr("value", 0)).
		op("Clip", "p", "c", onnx.FloatAttr("min", 0), onnx.FloatAttr("max", 6)).
		op("Clip", "c", "c2", onnx.FloatAttr("min", 0)).
		op("Slice", "c2", "s", onnx.IntsAttr("starts", []int64{0}), onnx.IntsAttr("ends", []int64{1}), onnx.IntsAttr("axes", []int64{1})).
		op("Dropout", "s", "d").
		op("Squeeze", "d", "q", onnx.IntsAttr("axes", []int64{1})).typed("q", -1, 4, 4).
		op("Softmax", "q", "y", onnx.IntAttr("axis", 2)).out("y")
	if !apply(t, UpgradeOpset{}, m) {
		t.Error("nothing done")
	}
	wantListing(t, m, strings.Join([]string{
		"Pad(x, n/p/pads, n/p/value) -> p", "Clip(p, n/c/min, n/c/max) -> c", "Clip(c, n/c2/min) -> c2",
		"Slice(c2, n/s/starts, n/s/ends, n/s/axes) -> s", "Squeeze(s, n/q/axes) -> q", "Softmax(q) -> y",
	}, "\n"))
	if m.Opset("") != 13 || m.Graph.Node("n/y").Int("axis", 0) != -1 || m.Graph.Node("n/c").Has("min") {
		t.Error("opset, axis or old attributes")
	}
	if apply(t, UpgradeOpset{}, build(t, 17).in("x", 1).op("Upsample", "x", "y").out("y")) {
		t.Error("a current model is upgraded")
	}
	for name, m := range map[string]*onnx.Model{
		"too old":        build(t, 6).in("x", 1).op("Relu", "x", "y").out("y"),
		"other operator": build(t, 9).in("x", 1).op("Upsample", "x", "y").out("y"),
		"across samples": build(t, 9).in("x", -1, 2, 3).op("Softmax", "x", "y", onnx.IntAttr("axis", 0)).out("y"),
		"axis outside":   build(t, 9).in("x", -1, 2, 3).op("Softmax", "x", "y", onnx.IntAttr("axis", 3)).out("y"),
		"axis from an unknown end": build(t, 11).in("x", -1, 2, 3).op("NonZero", "x", "z").op("Cast", "z", "f", onnx.IntAttr("to", 1)).op("Mystery", "f", "u").
			op("Softmax", "u", "y", onnx.IntAttr("axis", -2)).out("y"),
	} {
		if _, err := (Sequence{UpgradeOpset{}}).Run(m); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

// flip changes the model every time.
type flip struct{ always }

func (flip) Name() string                    { return "flip" }
func (flip) Apply(*onnx.Model) (bool, error) { return true, nil }

func TestSequence(t *testing.T) {
	m := build(t, 17).in("x", 1).op("Relu", "x", "r").op("Identity", "r", "i").op("Relu", "i", "y").op("Relu", "x", "dead").out("y")
	reports, err := Sequence{Prune{}, DropIdentity{}}.Fixpoint(m)
	if err != nil {
		t.Fatal(err)
	}
	if want := []Report{{"dead code", 2, 1}, {"identities", 2, 1}}; !slices.Equal(reports, want) {
		t.Errorf("reports %v, want %v", reports, want)
	}
	if _, err := (Sequence{flip{}}).Fixpoint(m); err == nil {
		t.Error("passes without end are no error")
	}
}
