package pass

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// SpreadPads writes a Pad of chosen axes, as opset 18 has it, as a Pad of all axes, which means the same. Everything behind
// reads one form then, and onnxruntime (seen with 1.28) moves a Transpose past a Pad without looking at its axes.
type SpreadPads struct{ always }

// Name names the pass.
func (SpreadPads) Name() string { return "pad axes" }

// Apply rewrites every Pad with constant counts and axes whose input has a known rank.
func (SpreadPads) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		pads := allPads(n)
		if pads == nil {
			continue
		}
		v, err := m.Graph.AddInitializer(m.Graph.FreshName(n.Name()+"/pads"), tensor.From(tensor.Shape{len(pads)}, pads))
		if err != nil {
			return modified, err
		}
		n.SetInput(1, v)
		n.SetInput(3, nil)
		modified = true
	}
	return modified, nil
}

// allPads are the counts of a Pad for all axes, nil where it names none or they do not fit.
func allPads(n *onnx.Node) []int64 {
	if n.Op() != "Pad" || n.Domain() != "" || n.Input(0) == nil || n.Input(3) == nil || n.Input(3).Const() == nil {
		return nil
	}
	shape, known := n.Input(0).Shape()
	pads, axes := constInts(n.Input(1)), constInts(n.Input(3))
	if !known || len(pads) != 2*len(axes) {
		return nil
	}
	rank := len(shape)
	all, seen := make([]int64, 2*rank), make([]bool, rank)
	for i, axis := range axes {
		a, err := tensor.Axis(axis, rank)
		if err != nil || seen[a] { // the standard leaves a repeated axis open
			return nil
		}
		seen[a] = true
		all[a], all[a+rank] = pads[i], pads[i+len(axes)]
	}
	return all
}
