package fakequant_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/quantize"
	"github.com/mpqc/mpqc/quantize/fakequant"
)

// residual is a normalised model: conv a, norm, relu -> conv b (with bias), norm -> add to a's relu -> conv c -> pool
// -> gemm.
func residual(t *testing.T) *onnx.Model {
	t.Helper()
	rng := rand.New(rand.NewPCG(1, 2))
	m := onnx.New(17)
	g := m.Graph
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	input, err := g.AddInput("x", tensor.Float32, tensor.Shape{-1, 3, 6, 6})
	must(err)
	init := func(name string, positive bool, shape ...int) *onnx.Value {
		data := make([]float32, tensor.Shape(shape).Numel())
		for i := range data {
			data[i] = float32(rng.NormFloat64())
			if positive {
				data[i] = 0.5 + rng.Float32()
			}
		}
		v, err := g.AddInitializer(name, tensor.From(tensor.Shape(shape), data))
		must(err)
		return v
	}
	node := func(name, op, out string, attrs []onnx.Attr, in ...*onnx.Value) *onnx.Value {
		n, err := g.AddNode(onnx.NodeSpec{Name: name, Op: op, Inputs: in, Outputs: []string{out}, Attrs: attrs}, nil)
		must(err)
		return n.Output(0)
	}
	pads := []onnx.Attr{onnx.IntsAttr("pads", []int64{1, 1, 1, 1})}
	norm := func(name, out string, x *onnx.Value) *onnx.Value {
		return node(name, "BatchNormalization", out, nil, x, init(name+".g", true, 4), init(name+".b", false, 4), init(name+".m", false, 4), init(name+".v", true, 4))
	}
	a := node("a", "Conv", "a_y", pads, input, init("a.w", false, 4, 3, 3, 3))
	a = node("a_relu", "Relu", "ya", nil, norm("a_bn", "a_n", a))
	b := node("b", "Conv", "b_y", pads, a, init("b.w", false, 4, 4, 3, 3), init("b.bias", false, 4))
	sum := node("sum", "Add", "ys", nil, norm("b_bn", "b_n", b), a)
	c := norm("c_bn", "c_n", node("c", "Conv", "c_y", pads, sum, init("c.w", false, 4, 4, 3, 3)))
	c = node("c_relu", "Relu", "yc", nil, c)
	p := node("pool", "GlobalAveragePool", "yp", nil, c)
	p = node("flat", "Flatten", "yf", nil, p)
	out := node("fc", "Gemm", "logits", []onnx.Attr{onnx.IntAttr("transB", 1)}, p, init("fc.w", false, 5, 4), init("fc.b", false, 5))
	must(g.AddOutput(out))
	must(pass.Normalise(m))
	return m
}

func rewritten(t *testing.T, m *onnx.Model, po quantize.PlanOptions, o fakequant.Options) (*fakequant.Network, *engine.Graph) {
	t.Helper()
	plan, err := quantize.NewPlan(m, po)
	if err != nil {
		t.Fatal(err)
	}
	g, err := decode.Decode(m)
	if err != nil {
		t.Fatal(err)
	}
	net, err := fakequant.Rewrite(g, plan, o)
	if err != nil {
		t.Fatal(err)
	}
	return net, g
}

// text lists nodes with the names of what they read.
func text(g *engine.Graph) string {
	var b strings.Builder
	for _, n := range g.Nodes {
		var in []string
		for _, v := range n.Inputs {
			in = append(in, v.Name)
		}
		fmt.Fprintf(&b, "%s %s(%s)\n", n.Outputs[0].Name, n.Op.Type(), strings.Join(in, ", "))
	}
	return b.String()
}

func TestRewriteStreams(t *testing.T) {
	_, g := rewritten(t, residual(t), quantize.PlanOptions{WeightBits: []int{3, 4, 8}, ActivationBits: []int{4, 8}, Streams: true}, fakequant.Options{})
	want := `x/quantized ActivationQuant(x)
a.w/quantized WeightQuant(a.w)
a_y Conv(x/quantized, a.w/quantized)
a_n SwitchNorm(a_y)
ya Relu(a_n)
ya/stream ActivationQuant(ya)
ya/stream/quantized ActivationQuant(ya/stream)
b.w/quantized WeightQuant(b.w)
b_y Conv(ya/stream/quantized, b.w/quantized)
b_n SwitchNorm(b_y)
b_n/stream ActivationQuant(b_n)
ys Add(b_n/stream, ya/stream)
ys/stream ActivationQuant(ys)
ys/stream/quantized ActivationQuant(ys/stream)
c.w/quantized WeightQuant(c.w)
c_y Conv(ys/stream/quantized, c.w/quantized)
c_n SwitchNorm(c_y)
yc Relu(c_n)
yc/stream ActivationQuant(yc)
yp GlobalAveragePool(yc/stream)
yp/quantized ActivationQuant(yp)
yf Flatten(yp/quantized)
fc.w/quantized WeightQuant(fc.w)
fc.b/quantized BiasQuant(fc.b)
logits Gemm(yf, fc.w/quantized, fc.b/quantized)
`
	if d := cmp.Diff(want, text(g)); d != "" {
		t.Error(d)
	}
}

// TestRewriteKeepsTheModel: at 8 bits with fine steps the network computes nearly what the model does, its bias moved
// into a norm included.
func TestRewriteKeepsTheModel(t *testing.T) {
	m := residual(t)
	g, err := decode.Decode(m)
	if err != nil {
		t.Fatal(err)
	}
	x := make([]float32, 2*3*6*6)
	rng := rand.New(rand.NewPCG(3, 4))
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	run := func(g *engine.Graph) []float32 {
		e, err := engine.Compile(g, engine.Options{Batch: 2})
		if err != nil {
			t.Fatal(err)
		}
		copy(e.Input(0).Data, x)
		if err := e.Forward(t.Context()); err != nil {
			t.Fatal(err)
		}
		return slices.Clone(e.Output(0).Data)
	}
	want := run(g)
	for _, streams := range []bool{false, true} {
		for _, exclude := range [][]string{nil, {"c"}} {
			o := quantize.PlanOptions{WeightBits: []int{8}, ActivationBits: []int{8}, Streams: streams, Exclude: exclude}
			net, q := rewritten(t, m, o, fakequant.Options{BiasRounding: true})
			testkit.Close(t, fmt.Sprintf("streams %v exclude %v", streams, exclude), run(q), want, 0.1)
			for _, p := range net.Params() {
				if strings.HasPrefix(p.Name, "c.") || strings.Contains(p.Name, ".c.") && exclude != nil {
					t.Errorf("parameter %s of an excluded layer trains", p.Name)
				}
			}
		}
	}
}

func TestSnapshot(t *testing.T) {
	m := residual(t)
	o := quantize.PlanOptions{WeightBits: []int{3, 4}, ActivationBits: []int{4, 6}, Streams: true}
	net, _ := rewritten(t, m, o, fakequant.Options{})
	s := net.Supernet()
	for i, name := range slices.Sorted(func(yield func(string) bool) {
		for name := range s.Arrays {
			if !yield(name) {
				return
			}
		}
	}) {
		for j := range s.Arrays[name].Data {
			s.Arrays[name].Data[j] = float32(i) + float32(j)/100
		}
	}
	s.Arrays["sgd.momentum.x"] = quantize.Array{Shape: tensor.Shape{1}, Data: []float32{1}}
	if err := net.Load(s); err != nil {
		t.Fatal(err)
	}
	delete(s.Arrays, "sgd.momentum.x")
	if d := cmp.Diff(s, net.Supernet()); d != "" {
		t.Error(d)
	}
	before := net.Supernet()
	for name, a := range s.Arrays {
		a.Data[0]++
		s.Arrays[name] = a
	}
	delete(s.Arrays, quantize.WeightName("b"))
	if err := net.Load(s); err == nil || !strings.Contains(err.Error(), "weight.b") {
		t.Errorf("error %v", err)
	}
	if d := cmp.Diff(before, net.Supernet()); d != "" {
		t.Error("a supernet that does not fit changed the network")
	}
}

func TestSelect(t *testing.T) {
	m := residual(t)
	net, _ := rewritten(t, m, quantize.PlanOptions{WeightBits: []int{3, 4}, ActivationBits: []int{4, 6}, Streams: true}, fakequant.Options{})
	q := net.Plan.Max()
	if err := net.Select(q); err != nil {
		t.Fatal(err)
	}
	if b := net.WeightSteps(1).Bits(); b != 4 {
		t.Errorf("%d bits selected", b)
	}
	q.W[1] = 5
	if err := net.Select(q); err == nil {
		t.Error("a width that is no candidate was selected")
	}
	if err := net.Select(quantize.Policy{}); err == nil {
		t.Error("an empty policy was selected")
	}
	f := net.Floors(0.5)
	for p, low := range f {
		for i, v := range p.Data {
			if v > 0 && low[i] != 0.5*v || v <= 0 && !math.IsInf(float64(low[i]), -1) {
				t.Errorf("%s[%d] = %g has floor %g", p.Name, i, v, low[i])
			}
		}
	}
}
