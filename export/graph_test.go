package export_test

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
)

// build makes a model from an input "x" of 1x4x8x8 and nodes that add writes; its output is the value named "y".
func build(t *testing.T, add func(b *graphBuilder)) *onnx.Model {
	t.Helper()
	m := onnx.New(17)
	b := &graphBuilder{t: t, g: m.Graph, rng: rand.New(rand.NewPCG(6, 6))}
	b.value(m.Graph.AddInput("x", tensor.Float32, tensor.Shape{-1, 4, 8, 8}))
	add(b)
	if err := m.Graph.AddOutput(m.Graph.Value("y")); err != nil {
		t.Fatal(err)
	}
	if err := pass.Normalise(m); err != nil {
		t.Fatal(err)
	}
	return m
}

type graphBuilder struct {
	t   *testing.T
	g   *onnx.Graph
	rng *rand.Rand
}

func (b *graphBuilder) value(v *onnx.Value, err error) *onnx.Value {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
	return v
}

func (b *graphBuilder) weights(name string, shape ...int) string {
	s := tensor.Shape(shape)
	w := make([]float32, s.Numel())
	for i := range w {
		w[i] = float32(b.rng.NormFloat64() * 0.3)
	}
	b.value(b.g.AddInitializer(name, tensor.From(s, w)))
	return name
}

func (b *graphBuilder) ints(name string, v ...int64) string {
	b.value(b.g.AddInitializer(name, tensor.From(tensor.Shape{len(v)}, v)))
	return name
}

func (b *graphBuilder) scalar(name string, v float32) string {
	b.value(b.g.AddInitializer(name, tensor.Scalar(v)))
	return name
}

// op adds a node named after its output.
func (b *graphBuilder) op(op, out, in string, attrs ...onnx.Attr) {
	b.t.Helper()
	var inputs []*onnx.Value
	for _, name := range strings.Fields(in) {
		if name == "-" {
			inputs = append(inputs, nil)
			continue
		}
		v := b.g.Value(name)
		if v == nil {
			b.t.Fatalf("no value %q", name)
		}
		inputs = append(inputs, v)
	}
	if _, err := b.g.AddNode(onnx.NodeSpec{Name: "/" + out, Op: op, Inputs: inputs, Outputs: []string{out}, Attrs: attrs}, nil); err != nil {
		b.t.Fatal(err)
	}
}

// conv adds a 3x3 Conv with a bias.
func (b *graphBuilder) conv(out, in string, c, k int) {
	b.t.Helper()
	b.op("Conv", out, in+" "+b.weights(out+".w", k, c, 3, 3)+" "+b.weights(out+".b", k), onnx.IntsAttr("pads", []int64{1, 1, 1, 1}))
}

// head ends a network of c x 8 x 8 with pooling and a Gemm.
func (b *graphBuilder) head(in string, c int) {
	b.t.Helper()
	b.op("GlobalAveragePool", "gap", in)
	b.op("Flatten", "flat", "gap")
	b.op("Gemm", "y", "flat "+b.weights("fc.w", c, 5)+" "+b.weights("fc.b", 5))
}

// plain is a whole network of two convolutions and a head.
func (b *graphBuilder) plain() {
	b.t.Helper()
	b.conv("c0", "x", 4, 8)
	b.op("Relu", "r", "c0")
	b.conv("c1", "r", 8, 8)
	b.head("c1", 8)
}

// TestGraphs compares codes on small networks with what the models of the zoo lack. Networks with operators that
// onnxruntime computes in float may differ by one code.
func TestGraphs(t *testing.T) {
	requireRuntime(t)
	tests := []struct {
		name   string
		within int
		add    func(b *graphBuilder)
	}{
		{"views", 0, func(b *graphBuilder) {
			b.conv("c0", "x", 4, 6)
			b.op("MaxPool", "p", "c0", onnx.IntsAttr("kernel_shape", []int64{3, 3}), onnx.IntsAttr("strides", []int64{2, 2}), onnx.IntsAttr("pads", []int64{1, 1, 1, 1}))
			b.op("Transpose", "t", "p", onnx.IntsAttr("perm", []int64{0, 1, 3, 2}))
			b.op("Slice", "s", "t "+b.ints("starts", -1)+" "+b.ints("ends", -100)+" "+b.ints("axes", 3)+" "+b.ints("steps", -1))
			b.op("Pad", "q", "s "+b.ints("pads", 0, 0, 2, 2, 0, 0, 2, 2))
			b.conv("c1", "q", 6, 8)
			b.op("Relu", "r1", "c1")
			b.conv("c2", "r1", 8, 8)
			b.head("c2", 8)
		}},
		{"relu6 and add", 0, func(b *graphBuilder) {
			b.conv("c0", "x", 4, 8)
			b.op("Clip", "k0", "c0 "+b.scalar("zero", 0)+" "+b.scalar("six", 1.5))
			b.conv("c1", "k0", 8, 8)
			b.op("Add", "a", "c1 k0")
			b.conv("c2", "a", 8, 8)
			b.op("Relu", "r2", "c2")
			b.conv("c3", "r2", 8, 8)
			b.op("Add", "a2", "a c3")
			b.op("Relu", "ra2", "a2")
			b.conv("c4", "ra2", 8, 8)
			b.head("c4", 8)
		}},
		{"stream read plain and through relu", 0, func(b *graphBuilder) {
			b.conv("c0", "x", 4, 8)
			b.op("Add", "a", "c0 c0")
			b.op("Relu", "r", "a")
			b.conv("c1", "a", 8, 8)
			b.conv("c2", "r", 8, 8)
			b.op("Add", "s", "c1 c2")
			b.head("s", 8)
		}},
		{"concat, mul and average pool", 0, func(b *graphBuilder) {
			b.conv("c0", "x", 4, 8)
			b.conv("c1", "c0", 8, 4)
			b.conv("c2", "c0", 8, 4)
			b.op("Concat", "cat", "c1 c2", onnx.IntAttr("axis", 1))
			b.conv("c3", "cat", 8, 8)
			b.op("Relu", "r3", "c3")
			b.op("Mul", "m", "r3 cat")
			b.conv("c4", "m", 8, 8)
			b.op("AveragePool", "ap", "c4", onnx.IntsAttr("kernel_shape", []int64{2, 2}), onnx.IntsAttr("strides", []int64{2, 2}))
			b.conv("c5", "ap", 8, 8)
			b.head("c5", 8)
		}},
		{"matrix product with norm", 0, func(b *graphBuilder) {
			b.conv("c0", "x", 4, 8)
			b.op("GlobalAveragePool", "gap", "c0")
			b.op("Flatten", "flat", "gap")
			b.op("MatMul", "h", "flat "+b.weights("h.w", 8, 16))
			b.op("BatchNormalization", "n", "h "+b.ones("g", 16, 1.3)+" "+b.weights("beta", 16)+" "+b.weights("mean", 16)+" "+b.ones("var", 16, 0.7))
			b.op("Relu", "r", "n")
			b.op("MatMul", "y", "r "+b.weights("y.w", 16, 5))
		}},
		{"gate in float", 1, func(b *graphBuilder) {
			b.conv("c0", "x", 4, 8)
			b.op("Sigmoid", "s", "c0")
			b.op("Mul", "m", "c0 s")
			b.conv("c1", "m", 8, 8)
			b.head("c1", 8)
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			n := prepare(t, build(t, tt.add), false)
			x := n.samples(20, 3)
			for seed := range uint64(6) {
				q := mixed(n.plan, seed)
				m := n.export(t, q)
				want, inexact := n.reference(t, q, x)
				if (len(inexact) > 0) != (tt.within > 0) {
					t.Errorf("computed in float: %v", inexact)
				}
				got := n.compute(t, m, x, true)
				c := comparison.Of(description(t, m).Tensors, want, got)
				if !c.Within(tt.within) || (tt.within == 0 && !c.Equal()) || !varies(got) {
					t.Errorf("policy %v: %+v, first %v", q, c, c.First)
				}
			}
		})
	}
}

func (b *graphBuilder) ones(name string, n int, v float32) string {
	d := make([]float32, n)
	for i := range d {
		d[i] = v + float32(i)*0.01
	}
	b.value(b.g.AddInitializer(name, tensor.From(tensor.Shape{n}, d)))
	return name
}

// TestInnerOutput: a quantized tensor, and a view of one, that are outputs of the model too stay float outputs under
// their names, and the rest of the network still computes what it should.
func TestInnerOutput(t *testing.T) {
	requireRuntime(t)
	m := build(t, (*graphBuilder).plain)
	for _, name := range []string{"r", "flat"} {
		if err := m.Graph.AddOutput(m.Graph.Value(name)); err != nil {
			t.Fatal(err)
		}
	}
	n := prepare(t, m, false)
	q := mixed(n.plan, 2)
	e := n.export(t, q)
	var names []string
	for _, v := range e.Graph.Outputs() {
		names = append(names, v.Name()+" "+v.DType().String())
	}
	if got := strings.Join(names, ", "); got != "y float32, r float32, flat float32" {
		t.Errorf("outputs %s", got)
	}
	x := n.samples(8, 3)
	want, _ := n.reference(t, q, x)
	c := comparison.Of(description(t, e).Tensors, want, n.compute(t, e, x, true))
	if !c.Within(1) || c.Different*100 > c.Compared {
		t.Errorf("%+v, first %v", c, c.First)
	}
	if at := c.Astray(comparison.OutputTolerance); len(c.Outputs) != 3 || at != nil {
		t.Errorf("%v: %+v", at, c.Outputs)
	}
}
