package pass

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// SinkSwap moves Transposes of matrices down past operators that work element by element, and drops two Transposes that
// undo each other. Models that compute W x, with a sample in every column, then compute x W in rows, as layers do.
type SinkSwap struct{ always }

// Name names the pass.
func (SinkSwap) Name() string { return "columns" }

// Apply moves every such Transpose by one operator at least.
func (SinkSwap) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		if n.Domain() != "" || !single(n) {
			continue
		}
		done, err := undoTwice(m.Graph, n)
		if err == nil && !done {
			done, err = sinkSwap(m.Graph, n)
		}
		if err != nil {
			return modified, fmt.Errorf("columns of %q: %w", n.Name(), err)
		}
		modified = modified || done
	}
	return modified, nil
}

// permutation is the order of dimensions that a Transpose writes; nil for other nodes and where it is not known.
func permutation(n *onnx.Node) []int64 {
	if n == nil || n.Op() != "Transpose" || n.Domain() != "" || n.Input(0) == nil {
		return nil
	}
	if p := n.Ints("perm"); p != nil {
		return p
	}
	s, known := n.Input(0).Shape()
	if !known {
		return nil
	}
	p := make([]int64, len(s))
	for i := range p {
		p[i] = int64(len(s) - 1 - i)
	}
	return p
}

// undoTwice drops a Transpose that undoes the one in front of it.
func undoTwice(g *onnx.Graph, n *onnx.Node) (bool, error) {
	second := permutation(n)
	if second == nil {
		return false, nil
	}
	first := permutation(n.Input(0).Producer())
	if len(first) != len(second) {
		return false, nil
	}
	for i, p := range second {
		if p < 0 || int(p) >= len(first) || first[p] != int64(i) {
			return false, nil
		}
	}
	x, y := n.Input(0).Producer().Input(0), n.Output(0)
	if y.IsOutput() {
		if x.IsInput() || x.IsOutput() || x.Producer() == nil {
			return false, nil
		}
		return true, takeOver(g, n, x)
	}
	if err := g.ReplaceUses(y, x); err != nil {
		return false, err
	}
	return true, g.Remove(n)
}

// columnsOf is what a matrix that only one node reads is the transposed form of, nil if it is none.
func columnsOf(v *onnx.Value) *onnx.Value {
	if onlyReader(v) == nil || !slices.Equal(permutation(v.Producer()), []int64{1, 0}) {
		return nil
	}
	return v.Producer().Input(0)
}

// sinkSwap computes on rows what a node computes on their transposed form, and transposes the result.
func sinkSwap(g *onnx.Graph, n *onnx.Node) (bool, error) {
	s, known := n.Output(0).Shape()
	if !n.Traits().Has(op.Pointwise) || !known || len(s) != 2 {
		return false, nil
	}
	in, moved := slices.Clone(n.Inputs()), []*onnx.Node(nil)
	for i, v := range in {
		switch x := columnsOf(v); {
		case v == nil || n.Op() == "Clip" && i > 0:
		case x != nil:
			in[i], moved = x, append(moved, v.Producer())
		case v.Const() == nil || len(v.Const().Shape) > 2 || v.Const().DType.Bits() < 8:
			return false, nil
		}
	}
	if moved == nil {
		return false, nil
	}
	for i, v := range in {
		if v == nil || v.Const() == nil || n.Op() == "Clip" || v.Const().Shape.Numel() == 1 && len(v.Const().Shape) < 2 {
			continue
		}
		t := *v.Const()
		t.Shape = append(tensor.Shape{1, 1}[len(t.Shape):], t.Shape...)
		c, err := g.AddInitializer(g.FreshName(v.Name()+"/rows"), transposed(&t))
		if err != nil {
			return false, err
		}
		in[i] = c
	}
	rows, err := g.AddNode(onnx.NodeSpec{
		Name: g.FreshName(n.Name() + "/rows"), Op: n.Op(), Inputs: in, Outputs: []string{g.FreshName(n.Output(0).Name() + "/rows")}, Attrs: n.Attrs(),
	}, n)
	if err != nil {
		return false, err
	}
	rows.Output(0).SetType(n.Output(0).DType(), swapped(s))
	back := step{op: "Transpose", shape: s, attrs: []onnx.Attr{onnx.IntsAttr("perm", []int64{1, 0})}}
	y, err := chain(g, n, rows.Output(0), n.Name(), n.Output(0).Name(), []step{back})
	if err != nil {
		return false, err
	}
	if err := takeOver(g, n, y); err != nil {
		return false, err
	}
	return true, removeChain(g, moved)
}
