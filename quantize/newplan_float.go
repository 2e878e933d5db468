package quantize

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// Excluded is the reason of nodes that stay float because they were asked to.
const Excluded = "excluded by option"

// floats lists nodes that compute in float, with the reason, and adds up what bits do not change.
func (b *planner) floats() error {
	for _, n := range b.graph.Nodes() {
		if why := b.floatReason(n); why != "" {
			b.plan.Float = append(b.plan.Float, FloatNode{Node: n.Name(), Op: n.Op(), Reason: why})
		}
	}
	b.plan.FloatRest = b.floatRest()
	return nil
}

// floatReason says why a node is not quantized, or "" if it is, belongs to a quantized one, or computes no floats.
func (b *planner) floatReason(n *onnx.Node) string {
	if why, ok := b.reason[n]; ok {
		return why
	}
	if _, ok := b.layer[n]; ok || b.norm[n] || IsView(n) || !computesFloat(n) {
		return ""
	}
	in := streamInputs(n)
	switch {
	case b.stream[n] && b.options.Streams:
		return ""
	case b.stream[n]:
		return "streams are off"
	case b.excluded[n]:
		return Excluded
	case b.betweenPoints(n):
		return ""
	case n.Traits().Has(op.Absorbed):
		if v := n.Input(0); v != nil && b.domain[v] {
			return ""
		}
		return "no input comes from a quantized layer"
	case n.Op() == "BatchNormalization":
		return "does not alone follow a quantized layer"
	case n.Op() == "Pad" || n.Op() == "MaxPool":
		return "the constant of its Pad is not zero"
	case in != nil && b.anyConstant(in):
		return "an operand is constant"
	case in != nil:
		return "no input comes from a quantized layer"
	default:
		return "operator has no quantized form"
	}
}

// betweenPoints reports whether a node has a quantized form between two quantizers and stands there.
func (b *planner) betweenPoints(n *onnx.Node) bool {
	if n.Domain() != "" || n.Op() != "LeakyRelu" && n.Op() != "Sigmoid" || n.Input(0) == nil || n.Output(0) == nil {
		return false
	}
	_, reads := b.plan.Roots[n.Input(0).Name()]
	_, writes := b.plan.Roots[n.Output(0).Name()]
	return reads && writes
}

// computesFloat leaves out shape arithmetic; an output of unknown type counts as float.
func computesFloat(n *onnx.Node) bool {
	for _, v := range n.Outputs() {
		if v == nil {
			continue
		}
		switch v.DType() {
		case tensor.Int64, tensor.Int32, tensor.Bool:
		default:
			return true
		}
	}
	return false
}

// floatRest is Plan.FloatRest. A layer's own bias and BatchNorm are not counted as initializers: folded, they are its
// one bias and one scale per channel.
func (b *planner) floatRest() int64 {
	counted := map[string]bool{}
	var n int64
	for i := range b.plan.Layers {
		l := &b.plan.Layers[i]
		n += 2 * int64(l.OutChannels)
		counted[l.Weight], counted[l.Bias] = true, true
	}
	for norm := range b.norm {
		for _, v := range norm.Inputs()[1:] {
			counted[v.Name()] = true
		}
	}
	n += int64(len(b.plan.Points))
	for _, v := range b.graph.Initializers() {
		if s, _ := v.Shape(); !counted[v.Name()] { // of strings too, whose data has no tensor
			n += int64(s.Numel())
		}
	}
	return 4 * n
}
