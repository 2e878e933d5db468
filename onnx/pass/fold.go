package pass

import (
	"errors"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// FoldConstants replaces nodes whose inputs are all constant, and Shape of values whose shape is fully known, by
// initializers. Operators that the evaluator does not know stay, and so do nodes that produce graph outputs; who else
// reads such an output gets a constant of its own.
type FoldConstants struct {
	always
	work *budget // what all rounds of a sequence may spend; nil: each run for itself
}

// budget bounds the elements that folding reads and writes. A file of a kilobyte can name tensors of gigabytes: what is
// over the bound stays a node.
type budget struct {
	of   *onnx.Model
	left int
}

// Constants of a file may pass through perRead nodes or so, and freeWork elements go to what is not in the file.
const (
	perRead  = 16
	freeWork = 1 << 22
)

// begin is the budget of a model: what is left of b if it is that model's, else a full one.
func (b *budget) begin(m *onnx.Model) *budget {
	if b == nil {
		b = &budget{}
	}
	if b.of == m {
		return b
	}
	b.of, b.left = m, freeWork
	for _, v := range m.Graph.Initializers() {
		b.left += perRead * elements(v.Const())
	}
	for _, n := range m.Graph.Nodes() {
		b.left += perRead * elements(n.Tensor("value"))
	}
	return b
}

// spend takes the elements of tensors. It is false, and takes nothing, where not so many are left: a tensor that is too
// large must not keep smaller ones from being folded.
func (b *budget) spend(ts []*tensor.Tensor) bool {
	sum := 0
	for _, t := range ts {
		sum += elements(t)
	}
	if sum > b.left {
		return false
	}
	b.left -= sum
	return true
}

// room bounds the elements of one result.
func (b *budget) room() int { return min(b.left, maxFold) }

// elements counts what a tensor holds; nil and tensors without data, which only lend their shape, hold none.
func elements(t *tensor.Tensor) int {
	if t == nil || t.DType.Bits() == 0 {
		return 0
	}
	return 8 * len(t.Raw) / t.DType.Bits()
}

// Name names the pass.
func (FoldConstants) Name() string { return "constants" }

// Apply folds in document order, so that chains of constants fold in one run.
func (f FoldConstants) Apply(m *onnx.Model) (bool, error) {
	work := f.work.begin(m)
	modified := false
	for _, n := range m.Graph.Nodes() {
		if n.Domain() != "" || evaluators[n.Op()] == nil {
			continue
		}
		in, ok := constants(n)
		if !ok || !work.spend(in) {
			continue
		}
		out, err := evaluate(n, m.Opset(""), in, work.room())
		if errors.Is(err, errNoEval) {
			continue
		}
		if err != nil {
			return modified, err
		}
		if !work.spend(out) {
			continue
		}
		put := replace
		if n.Output(0).IsOutput() {
			put = beside
		}
		if err := put(m.Graph, n, out[0]); err != nil {
			return modified, err
		}
		modified = true
	}
	return modified, nil
}

// beside gives the readers of a node's output a constant in its place. The node stays, for the output.
func beside(g *onnx.Graph, n *onnx.Node, t *tensor.Tensor) error {
	out := n.Output(0)
	v, err := g.AddInitializer(g.FreshName(out.Name()), t)
	if err != nil {
		return err
	}
	return g.ReplaceUses(out, v)
}

// constants collects the constant inputs of a foldable node.
func constants(n *onnx.Node) ([]*tensor.Tensor, bool) {
	if !single(n) || n.Output(0).IsOutput() && len(n.Output(0).Uses()) == 0 || n.HasSubgraph() {
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
