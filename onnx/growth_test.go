package onnx_test

import (
	"fmt"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
)

// grown is a graph of n nodes that read what from says of the ones before: values and their shapes are recorded.
func grown(t *testing.T, n int, from func(i int) int) *onnx.Model {
	t.Helper()
	m := onnx.New(17)
	x, err := m.Graph.AddInput("x", tensor.Float32, tensor.Shape{-1, 4})
	if err != nil {
		t.Fatal(err)
	}
	values := []*onnx.Value{x}
	for i := range n {
		node, err := m.Graph.AddNode(onnx.NodeSpec{Op: "Relu", Inputs: []*onnx.Value{values[from(i)]}, Outputs: []string{fmt.Sprintf("v%d", i)}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		node.Output(0).SetType(tensor.Float32, tensor.Shape{-1, 4})
		values = append(values, node.Output(0))
	}
	if err := m.Graph.AddOutput(values[1]); err != nil {
		t.Fatal(err)
	}
	return m
}

// TestEditsAreLinear edits graphs of two sizes node by node.
func TestEditsAreLinear(t *testing.T) {
	chain := func(i int) int { return i }
	fanned := func(i int) int { return min(i, 1) }
	for _, c := range []struct {
		name string
		from func(int) int
		edit func(t *testing.T, g *onnx.Graph)
	}{
		{"dead chain", chain, func(_ *testing.T, g *onnx.Graph) { g.Prune() }},
		{"dead fan", fanned, func(_ *testing.T, g *onnx.Graph) { g.Prune() }},
		{"remove in order", fanned, func(t *testing.T, g *onnx.Graph) {
			for _, n := range g.Nodes()[1:] {
				if err := g.Remove(n); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"bypass", chain, func(t *testing.T, g *onnx.Graph) {
			nodes := g.Nodes()
			for _, n := range nodes[1 : len(nodes)-1] {
				if err := g.ReplaceUses(n.Output(0), n.Input(0)); err != nil {
					t.Fatal(err)
				}
				if err := g.Remove(n); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"move readers", fanned, func(t *testing.T, g *onnx.Graph) {
			if err := g.ReplaceUses(g.Nodes()[0].Output(0), g.Inputs()[0]); err != nil {
				t.Fatal(err)
			}
		}},
		{"count readers", fanned, func(t *testing.T, g *onnx.Graph) {
			for _, n := range g.Nodes()[1:] {
				if len(n.Input(0).Uses()) == 0 {
					t.Fatal("nothing reads an input")
				}
			}
		}},
		{"rename", chain, func(t *testing.T, g *onnx.Graph) {
			for _, n := range g.Nodes() {
				if err := g.RenameValue(n.Output(0), g.FreshName("w")); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"insert", chain, func(t *testing.T, g *onnx.Graph) {
			for _, n := range g.Nodes() {
				if _, err := g.AddNode(onnx.NodeSpec{Op: "Abs", Inputs: []*onnx.Value{n.Input(0)}, Outputs: []string{g.FreshName("a")}}, n); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"constants", chain, func(t *testing.T, g *onnx.Graph) {
			for range g.Nodes() {
				v, err := g.AddInitializer(g.FreshName("c"), tensor.Scalar(float32(1)))
				if err != nil {
					t.Fatal(err)
				}
				if err := g.RemoveInitializer(v); err != nil {
					t.Fatal(err)
				}
			}
		}},
		{"sort", chain, func(t *testing.T, g *onnx.Graph) {
			if err := g.Sort(); err != nil {
				t.Fatal(err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Growth(t, 1000, func(n int) func() {
				m := grown(t, n, c.from)
				return func() {
					c.edit(t, m.Graph)
					if err := m.Validate(); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}

// TestWideSort sorts a node that reads everything that comes after it in the document.
func TestWideSort(t *testing.T) {
	testkit.Growth(t, 1000, func(n int) func() {
		m := grown(t, n, func(i int) int { return min(i, 1) })
		var all []*onnx.Value
		nodes := m.Graph.Nodes()
		for _, node := range nodes[1:] {
			all = append(all, node.Output(0))
		}
		if _, err := m.Graph.AddNode(onnx.NodeSpec{Op: "Sum", Inputs: all, Outputs: []string{"sum"}}, nodes[0]); err != nil {
			t.Fatal(err)
		}
		return func() {
			if err := m.Graph.Sort(); err != nil {
				t.Fatal(err)
			}
		}
	})
}
