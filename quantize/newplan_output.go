package quantize

import (
	"slices"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// isActivation reports whether a node computes every element from the one at its place, in a way that no bounds of a
// quantizer behind it make redundant.
func isActivation(n *onnx.Node) bool {
	return n.Traits().Has(op.Activation) && n.Input(0) != nil && n.Output(0) != nil
}

// opens reports whether a reader of a convolution's output keeps its values comparable, so that 8 bits for all of them
// are enough: activations, and operators that move or interpolate values. Norms are left out: they may blow up the
// rounding errors of channels that are small beside the others.
func opens(n *onnx.Node) bool {
	return n.Traits().Has(op.Comparable) || isActivation(n) || IsView(n)
}

// outputs adds the points of PlanOptions.Outputs: on what a Conv computes where nothing absorbs it into a quantizer,
// but one follows further on. Without it a runtime computes the convolution in float. Products of matrices need none:
// they run on integers with a float result, and so does what leaves the network.
func (b *planner) outputs(found map[*onnx.Value]*Point) {
	follows := b.beforeQuantizers(found)
	for i := range b.plan.Layers {
		l := &b.plan.Layers[i]
		v := b.graph.Value(l.Output)
		if !l.Kind.Spatial() || v.IsOutput() || found[v] != nil || !follows[v] || absorbed(v, found) || !opened(v) {
			continue
		}
		found[v] = &Point{Tensor: v.Name(), Stream: true, Output: true}
		b.plan.Outputs = true
	}
}

// beforeQuantizers are the values that some point's tensor is computed from.
func (b *planner) beforeQuantizers(found map[*onnx.Value]*Point) map[*onnx.Value]bool {
	before := map[*onnx.Value]bool{}
	for _, n := range slices.Backward(b.graph.Nodes()) {
		if !slices.ContainsFunc(n.Outputs(), func(v *onnx.Value) bool { return v != nil && (before[v] || found[v] != nil) }) {
			continue
		}
		for _, v := range n.Inputs() {
			if v != nil {
				before[v] = true
			}
		}
	}
	return before
}

// absorbed reports whether a value is what the quantizer of a point reads, past a Relu or Clip, and nothing else does.
func absorbed(v *onnx.Value, found map[*onnx.Value]*Point) bool {
	uses := v.Uses()
	if len(uses) != 1 || uses[0].Index != 0 {
		return false
	}
	out := uses[0].Node.Output(0)
	return out != nil && !out.IsOutput() && found[out] != nil && Source(out) == v
}

// opened reports whether all readers of a value, past views, are of the kind that opens says.
func opened(v *onnx.Value) bool {
	for _, u := range v.Uses() {
		if u.Index != 0 || !opens(u.Node) {
			return false
		}
		if IsView(u.Node) && !opened(u.Node.Output(0)) {
			return false
		}
	}
	return len(v.Uses()) > 0
}
