// Package sample makes small networks and samples for tests of what takes models as files.
package sample

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// Network builds a small network around what edit puts between its two convolutions; nil puts nothing.
func Network(t *testing.T, input tensor.Shape, dtype tensor.DType, edit func(g *onnx.Graph, v *onnx.Value) *onnx.Value) *onnx.Model {
	t.Helper()
	m := onnx.New(17)
	g := m.Graph
	must := func(v *onnx.Value, err error) *onnx.Value {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	weights := func(name string, s tensor.Shape) *onnx.Value {
		w := make([]float32, s.Numel())
		for i := range w {
			w[i] = float32(i%7-3) / 8
		}
		return must(g.AddInitializer(name, tensor.From(s, w)))
	}
	x := must(g.AddInput("x", dtype, input))
	v := Node(t, g, "first", "Conv", x, weights("w1", tensor.Shape{4, 3, 3, 3}))
	if edit != nil {
		v = edit(g, v)
	}
	v = Node(t, g, "second", "Conv", v, weights("w2", tensor.Shape{4, 4, 1, 1}))
	v = Node(t, g, "pool", "GlobalAveragePool", v)
	v = Node(t, g, "flat", "Flatten", v)
	v = Node(t, g, "last", "Gemm", v, weights("w3", tensor.Shape{4, 5}))
	if err := g.AddOutput(v); err != nil {
		t.Fatal(err)
	}
	return m
}

// Node adds an operator, DOMAIN:OP or OP, and returns its result.
func Node(t *testing.T, g *onnx.Graph, name, op string, in ...*onnx.Value) *onnx.Value {
	t.Helper()
	return NodeWith(t, g, name, op, nil, in...)
}

// NodeWith is Node with attributes.
func NodeWith(t *testing.T, g *onnx.Graph, name, op string, attrs []onnx.Attr, in ...*onnx.Value) *onnx.Value {
	t.Helper()
	domain, op, ok := strings.Cut(op, ":")
	if !ok {
		domain, op = "", domain
	}
	n, err := g.AddNode(onnx.NodeSpec{Name: name, Op: op, Domain: domain, Inputs: in, Outputs: []string{name + ".out"}, Attrs: attrs}, nil)
	if err != nil {
		t.Fatal(err)
	}
	return n.Output(0)
}
