package pass

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// Unbind keeps the batch in front where an attention layer takes queries, keys and values apart: exporters move the
// dimension that counts the three to the front, ahead of the batch, and take single indices of it. Taken before the
// Transpose they never pass the batch:
//
//	take(Transpose(x, p), i) = Transpose(take along p[0] of x, p less its first)
//
// with take a Gather of a scalar, or a Squeeze of a Slice or of a Split into single indices, all along dimension 0.
type Unbind struct{ always }

// Name names the pass.
func (Unbind) Name() string { return "unbind" }

// Apply rewrites every take behind a Transpose that moves the leading dimension.
func (Unbind) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		t, index, ok := takes(n)
		if !ok {
			continue
		}
		if err := takeBefore(m, n, t, index); err != nil {
			return modified, fmt.Errorf("unbind %q: %w", n.Name(), err)
		}
		modified = true
	}
	return modified, nil
}

// takes recognises a node whose output is one index of dimension 0 of a Transpose.
func takes(n *onnx.Node) (transpose *onnx.Node, index int64, ok bool) {
	x := n.Input(0)
	if x == nil || x.Producer() == nil || n.Domain() != "" || n.Output(0) == nil {
		return nil, 0, false
	}
	switch n.Op() {
	case "Gather":
		i := n.Input(1)
		if n.Int("axis", 0) != 0 || i == nil || i.Const() == nil || len(i.Const().Shape) != 0 {
			return nil, 0, false
		}
		v, err := tensor.Ints(i.Const())
		if err != nil {
			return nil, 0, false
		}
		transpose, index = x.Producer(), v[0]
	case "Squeeze":
		axes := axesOf(n, 1)
		if !slices.Equal(axes, []int64{0}) {
			return nil, 0, false
		}
		if index, ok = single0(x); !ok {
			return nil, 0, false
		}
		transpose = x.Producer().Input(0).Producer()
	default:
		return nil, 0, false
	}
	if transpose == nil || transpose.Op() != "Transpose" || transpose.Input(0) == nil {
		return nil, 0, false
	}
	s, known := transpose.Input(0).Shape()
	perm := transpose.Ints("perm")
	if !known || len(perm) < 2 || perm[0] == 0 || !isOrder(perm, len(s)) {
		return nil, 0, false
	}
	count := int64(s[perm[0]])
	if index < 0 {
		index += count
	}
	return transpose, index, index >= 0 && index < count
}

// isOrder reports whether perm names each of so many axes once.
func isOrder(perm []int64, axes int) bool {
	sorted := slices.Sorted(slices.Values(perm))
	for i, p := range sorted {
		if p != int64(i) {
			return false
		}
	}
	return len(sorted) == axes
}

// single0 is the index that a Slice or one output of a Split takes of dimension 0, if it takes one.
func single0(v *onnx.Value) (int64, bool) {
	n := v.Producer()
	if n.Input(0) == nil {
		return 0, false
	}
	switch n.Op() {
	case "Slice":
		start, end, axes := constInts(n.Input(1)), constInts(n.Input(2)), constInts(n.Input(3))
		ok := len(start) == 1 && len(end) == 1 && slices.Equal(axes, []int64{0}) && start[0] >= 0 && end[0] == start[0]+1 &&
			(n.Input(4) == nil || slices.Equal(constInts(n.Input(4)), []int64{1}))
		return first(start), ok
	case "Split":
		s, known := n.Input(0).Shape()
		at := slices.Index(n.Outputs(), v)
		return int64(at), known && n.Int("axis", 0) == 0 && len(s) > 0 && s[0] == len(n.Outputs())
	default:
		return 0, false
	}
}

func first(v []int64) int64 {
	if len(v) == 0 {
		return 0
	}
	return v[0]
}

// takeBefore puts Slice, Squeeze and Transpose in the place of a take.
func takeBefore(m *onnx.Model, n, t *onnx.Node, index int64) error {
	g, x, perm := m.Graph, t.Input(0), t.Ints("perm")
	axis := perm[0]
	var rest []int64
	for _, p := range perm[1:] {
		if p > axis {
			p--
		}
		rest = append(rest, p)
	}
	shape, _ := x.Shape()
	sliced := shape.Clone()
	sliced[axis] = 1
	squeezed := slices.Delete(shape.Clone(), int(axis), int(axis)+1)
	turned := make(tensor.Shape, len(rest))
	for i, p := range rest {
		turned[i] = squeezed[p]
	}
	var consts []*onnx.Value
	for _, v := range []int64{index, index + 1, axis} {
		c, err := addInts(g, n.Name()+"/index", v)
		if err != nil {
			return err
		}
		consts = append(consts, c)
	}
	squeeze := []*onnx.Value{consts[2]}
	var attrs []onnx.Attr
	if m.Opset("") < 13 { // axes were an attribute
		squeeze, attrs = nil, []onnx.Attr{onnx.IntsAttr("axes", []int64{axis})}
	}
	y, err := chain(g, n, x, n.Name(), n.Output(0).Name(), []step{
		{"Slice", consts, sliced, nil},
		{"Squeeze", squeeze, squeezed, attrs},
		{"Transpose", nil, turned, []onnx.Attr{onnx.IntsAttr("perm", rest)}},
	})
	if err != nil {
		return err
	}
	return takeOver(g, n, y)
}
