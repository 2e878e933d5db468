package train

import (
	"context"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/calibrate"
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/onnx/shape"
	"github.com/mpqc/mpqc/quantize"
)

const (
	smallBatch = 16
	smallSide  = 8
)

// small is a network of random weights for samples of 8x8 with outputs of class scores "scores", a regression "value"
// and a map "map", as many of them as named. The last two have the given magnitude.
func small(t *testing.T, magnitude float64, heads ...string) *calibrated {
	t.Helper()
	m := onnx.New(17)
	g := m.Graph
	rng := rand.New(rand.NewPCG(1, 1))
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	constant := func(name string, scale float64, s ...int) *onnx.Value {
		data := make([]float32, tensor.Shape(s).Numel())
		for i := range data {
			data[i] = float32(scale * rng.NormFloat64())
		}
		v, err := g.AddInitializer(name, tensor.From(s, data))
		must(err)
		return v
	}
	node := func(op, out string, attrs []onnx.Attr, in ...*onnx.Value) *onnx.Value {
		n, err := g.AddNode(onnx.NodeSpec{Name: "/" + out, Op: op, Inputs: in, Outputs: []string{out}, Attrs: attrs}, nil)
		must(err)
		return n.Output(0)
	}
	x, err := g.AddInput("x", tensor.Float32, tensor.Shape{-1, 1, smallSide, smallSide})
	must(err)
	pads := []onnx.Attr{onnx.IntsAttr("pads", []int64{1, 1, 1, 1})}[:1:1]
	v := node("Relu", "r1", nil, node("Conv", "c1", pads, x, constant("w1", 0.5, 6, 1, 3, 3)))
	v = node("Relu", "r2", nil, node("Conv", "c2", pads, v, constant("w2", 0.3, 8, 6, 3, 3)))
	v = node("Relu", "rd", nil, node("Conv", "depthwise", append(pads, onnx.IntAttr("group", 8)), v, constant("wd", 0.5, 8, 1, 3, 3)))
	v = node("Relu", "r3", nil, node("Conv", "c3", pads, v, constant("w3", 0.2, 8, 8, 3, 3)))
	features := node("Flatten", "features", nil, node("GlobalAveragePool", "pool", nil, v))
	transposed := []onnx.Attr{onnx.IntAttr("transB", 1)}
	for _, head := range heads {
		var out *onnx.Value
		switch head {
		case "scores":
			out = node("Gemm", head, transposed, features, constant("ws", 2, 5, 8), constant("bs", 0.1, 5))
		case "value":
			out = node("Gemm", head, transposed, features, constant("wv", magnitude, 1, 8), constant("bv", 10*magnitude, 1))
		case "map":
			out = node("Conv", head, nil, v, constant("wm", magnitude, 2, 8, 1, 1), constant("bm", magnitude, 2))
		}
		must(g.AddOutput(out))
	}
	must(pass.Normalise(m))
	must(shape.Infer(g))
	o := quantize.PlanOptions{Streams: true}
	c := &calibrated{model: m, n: smallBatch}
	c.plan, err = quantize.NewPlan(m, o)
	must(err)
	for i := range smallBatch * smallSide * smallSide {
		c.x = append(c.x, float32(rng.NormFloat64()+math.Sin(float64(i/64*7+i%64))))
	}
	for i := range smallBatch {
		c.label = append(c.label, int32(i%5))
	}
	pool := par.New(1)
	defer pool.Close()
	source := func(_ context.Context, yield func([]float32, int) error) error { return yield(c.x, c.n) }
	st, err := calibrate.Collect(t.Context(), m, c.plan, source, calibrate.Options{Batch: c.n, Pool: pool})
	must(err)
	must(calibrate.Norms(m, c.plan, st))
	must(shape.Infer(m.Graph))
	c.plan, err = quantize.NewPlan(m, o)
	must(err)
	must(calibrate.Balance(m, c.plan))
	c.start, err = calibrate.Supernet(m, c.plan, st, pool)
	must(err)
	return c
}

// float runs the network without quantizers: what a source brings as the float model's outputs.
func (c *calibrated) float(t *testing.T) [][]float32 {
	t.Helper()
	g, err := decode.Decode(c.model)
	if err != nil {
		t.Fatal(err)
	}
	e, err := engine.Compile(g, engine.Options{Batch: c.n})
	if err != nil {
		t.Fatal(err)
	}
	copy(e.Input(0).Data, c.x)
	if err := e.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	var out [][]float32
	for k := range g.Outputs {
		out = append(out, slices.Clone(e.Output(k).Data))
	}
	return out
}

// losses trains for some steps on one batch and lists the total loss of all paths after each.
func (c *calibrated) losses(t *testing.T, steps int, edit func(*Options)) []float64 {
	t.Helper()
	o := Defaults()
	o.Batch, o.Steps = c.n, steps
	edit(&o)
	pool := par.New(1)
	defer pool.Close()
	tr, err := New(c.network(t), o, pool)
	if err != nil {
		t.Fatal(err)
	}
	b := Batch{X: c.x, N: c.n, Teacher: c.float(t)}
	if !o.Unlabelled {
		b.Labels = c.label
	}
	var out []float64
	for step := range steps {
		list, err := tr.Step(t.Context(), b, tr.Paths(step))
		if err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for _, l := range list {
			sum += l.Total
		}
		out = append(out, sum)
	}
	return out
}

// TestOutputsOfAnyMagnitude trains networks whose regressions differ by powers of two alone: they begin with the same
// losses, until roundings differ, and end near each other. With squared errors and one learning rate for all, the small
// ones diverge.
func TestOutputsOfAnyMagnitude(t *testing.T) {
	for _, heads := range [][]string{{"value"}, {"map"}, {"scores", "value", "map"}} {
		t.Run(strings.Join(heads, " "), func(t *testing.T) {
			unlabelled := func(o *Options) { o.Unlabelled = true }
			want := small(t, 1, heads...).losses(t, 80, unlabelled)
			early, late := mean(want[:16]), mean(want[64:])
			if !(late < 0.9*early) {
				t.Errorf("the loss goes from %g to %g", early, late)
			}
			for _, magnitude := range []float64{1. / 1024, 1024} {
				got := small(t, magnitude, heads...).losses(t, 80, unlabelled)
				for i := range 2 {
					if math.Abs(got[i]-want[i]) > 0.02*want[i] {
						t.Errorf("magnitude %g: loss %d is %g instead of %g", magnitude, i, got[i], want[i])
					}
				}
				if end := mean(got[64:]); end > 2*late || late > 2*end {
					t.Errorf("magnitude %g: the loss ends at %g instead of %g", magnitude, end, late)
				}
			}
		})
	}
}

// TestMixedOutputs: labels count for their output, the float model's outputs for all others, whatever the order.
func TestMixedOutputs(t *testing.T) {
	c := small(t, 1, "value", "scores", "map")
	list := c.losses(t, 80, func(o *Options) { o.Labelled = 1 })
	if early, late := mean(list[:16]), mean(list[64:]); !(late < 0.9*early) {
		t.Errorf("the loss goes from %g to %g", early, late)
	}
	o := Defaults()
	o.Batch, o.Labelled, o.Guidance = c.n, 1, 0.5
	tr, err := New(c.network(t), o, par.New(1))
	if err != nil {
		t.Fatal(err)
	}
	b := Batch{X: c.x, N: c.n, Labels: c.label, Teacher: c.float(t)}
	gradients := func() (out [][]float32) {
		if _, err := tr.path(t.Context(), b, tr.net.Plan.Max(), nil); err != nil {
			t.Fatal(err)
		}
		// A second forward run, since backward reuses the memory.
		if err := tr.exec.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
		if _, err := tr.losses(b, nil); err != nil {
			t.Fatal(err)
		}
		for k := range tr.kinds {
			out = append(out, slices.Clone(tr.exec.OutputGrad(k).Data))
		}
		return out
	}
	if err := tr.feed(b); err != nil {
		t.Fatal(err)
	}
	before := gradients()
	b.Labels = slices.Clone(b.Labels)
	b.Labels[0] = (b.Labels[0] + 1) % 5
	after := gradients()
	for k, changes := range []bool{false, true, false} {
		if slices.Equal(before[k], after[k]) == changes {
			t.Errorf("output %d: gradients change with a label: %v, want %v", k, !changes, changes)
		}
		if !slices.ContainsFunc(before[k], func(v float32) bool { return v != 0 }) {
			t.Errorf("output %d has no gradient", k)
		}
	}
}

// TestStatedKinds: rows that are off by one in every place have the same softmax, but not the same values.
func TestStatedKinds(t *testing.T) {
	c := small(t, 1, "scores")
	for _, kind := range []quantize.OutputKind{quantize.Scores, quantize.Values} {
		o := Defaults()
		o.Batch, o.Unlabelled, o.Kinds = c.n, true, []quantize.OutputKind{kind}
		tr, err := New(c.network(t), o, par.New(1))
		if err != nil {
			t.Fatal(err)
		}
		b := Batch{X: c.x, N: c.n}
		if err := tr.feed(b); err != nil {
			t.Fatal(err)
		}
		if err := tr.exec.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
		off := slices.Clone(tr.exec.Output(0).Data)
		for i := range off {
			off[i]++
		}
		b.Teacher = [][]float32{off}
		if l, err := tr.losses(b, nil); err != nil || (l.Task > 1e-5) != (kind == quantize.Values) {
			t.Errorf("%s: distance %g, %v", kind, l.Task, err)
		}
	}
}

func TestOutputsRejected(t *testing.T) {
	c := small(t, 1, "value", "scores")
	for _, tc := range []struct {
		name string
		edit func(*Options)
		want string
	}{
		{"labels of values", func(*Options) {}, "class scores"},
		{"labels of nothing", func(o *Options) { o.Labelled = 2 }, "class scores"},
		{"too few kinds", func(o *Options) { o.Kinds = []quantize.OutputKind{quantize.Values} }, "kinds of 1 outputs"},
	} {
		o := Defaults()
		tc.edit(&o)
		if _, err := New(c.network(t), o, par.New(1)); err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error %v", tc.name, err)
		}
	}
	o := Defaults()
	o.Batch, o.Unlabelled = c.n, true
	tr, err := New(c.network(t), o, par.New(1))
	if err != nil {
		t.Fatal(err)
	}
	_, err = tr.Step(t.Context(), Batch{X: c.x, N: c.n, Teacher: c.float(t)[:1]}, tr.Paths(0))
	if err == nil || !strings.Contains(err.Error(), `output "scores"`) {
		t.Errorf("too few outputs of the float model: error %v", err)
	}
}

func mean(x []float64) float64 {
	sum := 0.0
	for _, v := range x {
		sum += v / float64(len(x))
	}
	return sum
}
