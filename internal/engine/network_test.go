package engine_test

import (
	"context"
	"math/rand/v2"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/tensor"
)

// builder makes small graphs for the tests.
type builder struct {
	g *engine.Graph
	r *rand.Rand
}

func newBuilder() *builder { return &builder{&engine.Graph{}, rand.New(rand.NewPCG(1, 2))} }

func (b *builder) random(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(b.r.NormFloat64() * 0.5)
	}
	return x
}

func (b *builder) input(s ...int) *engine.Value {
	v := &engine.Value{Name: "x", Shape: s}
	b.g.Inputs = append(b.g.Inputs, v)
	return v
}

func (b *builder) param(name string, s ...int) *engine.Value {
	shape := tensor.Shape(s)
	return &engine.Value{Name: name, Shape: shape, Param: engine.NewParam(name, engine.Weight, shape, b.random(shape.Numel()))}
}

func (b *builder) node(name string, op engine.Op, in ...*engine.Value) *engine.Value {
	n := &engine.Node{Name: name, Op: op, Inputs: in}
	v := &engine.Value{Name: name, Producer: n}
	n.Outputs = []*engine.Value{v}
	b.g.Nodes = append(b.g.Nodes, n)
	return v
}

// residual is a small network with a multi-consumer tensor, views, a shared parameter and two outputs:
//
//	c1 = conv(x); n = norm(c1); a = relu(n); c2 = conv(a); s = a + c2; f = flatten(s); y = gemm(f); z = f + f
func residual() (*engine.Graph, *engine.Value) {
	b := newBuilder()
	x := b.input(-1, 3, 6, 6)
	conv := func() *ops.Conv { return &ops.Conv{Pads: []int{1, 1, 1, 1}, Group: 1} }
	c1 := b.node("c1", conv(), x, b.param("w1", 4, 3, 3, 3))
	gamma := engine.NewParam("gamma", engine.Scale, tensor.Shape{4}, []float32{1, 1.5, 0.5, 2})
	beta := engine.NewParam("beta", engine.Scale, tensor.Shape{4}, []float32{.1, -.2, .3, 0})
	n := b.node("n", &ops.Norm{Gamma: gamma, Beta: beta, Mean: make([]float32, 4), Var: []float32{1, 1, 1, 1}, EPS: 1e-5, Momentum: 0.9}, c1)
	a := b.node("a", &ops.Sigmoid{}, n)
	c2 := b.node("c2", conv(), a, b.param("w2", 4, 4, 3, 3))
	b.node("dead", &ops.Sigmoid{}, c2)
	s := b.node("s", ops.NewAdd(), a, c2)
	f := b.node("f", &ops.Flatten{Axis: 1}, s)
	w := b.param("w3", 144, 5)
	y := b.node("y", &ops.Gemm{Alpha: 1, Beta: 1}, f, w, b.param("b3", 5))
	d := b.node("d", ops.NewAdd(), f, f)
	z := b.node("z", &ops.Gemm{Alpha: 1, Beta: 1}, d, w)
	b.g.Outputs = []*engine.Value{y, z}
	return b.g, a
}

// step runs forward and backward with a gradient of ones and returns outputs and gradients.
func step(t *testing.T, e *engine.Exec) [][]float32 {
	t.Helper()
	ctx := context.Background()
	x := e.Input(0).Data
	for i := range x {
		x[i] = float32(i*37%101)/50 - 1
	}
	e.ZeroGrad()
	if err := e.Forward(ctx); err != nil {
		t.Fatal(err)
	}
	var all [][]float32
	for i := range 2 {
		all = append(all, append([]float32(nil), e.Output(i).Data...))
		g := e.OutputGrad(i).Data
		for j := range g {
			g[j] = 1
		}
	}
	if err := e.Backward(ctx); err != nil {
		t.Fatal(err)
	}
	for _, p := range e.Params() {
		all = append(all, append([]float32(nil), p.Grad...))
	}
	return all
}

func compile(tb testing.TB, g *engine.Graph, o engine.Options) *engine.Exec {
	tb.Helper()
	e, err := engine.Compile(g, o)
	if err != nil {
		tb.Fatal(err)
	}
	return e
}
