package pass

import (
	"errors"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// FoldConstants replaces nodes whose inputs are all constant, and Shape of values whose shape is fully known, by
// initializers. Operators that the evaluator does not know stay, and so do nodes that produce graph outputs.
type FoldConstants struct{ always }

// Name names the pass.
func (FoldConstants) Name() string { return "constants" }

// Apply folds in document order, so that chains of constants fold in one run.
func (FoldConstants) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		in, ok := constants(n)
		if !ok {
			continue
		}
		out, err := evaluate(n, m.Opset(""), in)
		if errors.Is(err, errNoEval) {
			continue
		}
		if err != nil {
			return modified, err
		}
		if err := replace(m.Graph, n, out[0]); err != nil {
			return modified, err
		}
		modified = true
	}
	return modified, nil
}

// constants collects the constant inputs of a foldable node.
func constants(n *onnx.Node) ([]*tensor.Tensor, bool) {
	if !single(n) || n.Output(0).IsOutput() || n.HasSubgraph() {
		return nil, false
	}
	in := make([]*tensor.Tensor, len(n.Inputs()))
	for i, v := range n.Inputs() {
		if v == nil {
			continue
		}
		if in[i] = v.Const(); in[i] != nil {
			continue
		}
		s, known := v.Shape()
		if (n.Op() != "Shape" && n.Op() != "Size") || !known || s.Numel() < 0 {
			return nil, false
		}
		in[i] = &tensor.Tensor{Shape: s} // Shape and Size look at nothing else
	}
	return in, true
}

// single reports whether a node has exactly one output, none omitted.
func single(n *onnx.Node) bool { return len(n.Outputs()) == 1 && n.Output(0) != nil }

// replace puts a constant in place of a node with one output; the constant takes over the name of the output.
func replace(g *onnx.Graph, n *onnx.Node, t *tensor.Tensor) error {
	out := n.Output(0)
	name := out.Name()
	v, err := g.AddInitializer(g.FreshName(name), t)
	if err != nil {
		return err
	}
	if err := g.ReplaceUses(out, v); err != nil {
		return err
	}
	if err := g.Remove(n); err != nil {
		return err
	}
	return g.RenameValue(v, name)
}
