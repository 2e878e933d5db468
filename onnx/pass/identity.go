package pass

import (
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// DropIdentity removes nodes that hand their first input on: Identity, Dropout outside training, Cast to the type at
// hand, Relu of a Relu, Pad by nothing, Transpose that keeps the order, Concat of one.
type DropIdentity struct{ always }

// Name names the pass.
func (DropIdentity) Name() string { return "identities" }

// Apply removes them all.
func (DropIdentity) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		if n.Domain() != "" || !handsOn(n) {
			continue
		}
		ok, err := bypass(m.Graph, n)
		if err != nil {
			return modified, err
		}
		modified = modified || ok
	}
	return modified, nil
}

func handsOn(n *onnx.Node) bool {
	if n.Input(0) == nil || n.Output(0) == nil {
		return false
	}
	switch n.Op() {
	case "Identity":
		return true
	case "Relu": // onnxruntime 1.28 gives two nodes one name where two Relus in a row follow a Gemm
		p := n.Input(0).Producer()
		return p != nil && p.Op() == "Relu" && p.Domain() == ""
	case "Dropout":
		mask := n.Output(1)
		if mask != nil && (mask.IsOutput() || len(mask.Uses()) > 0) {
			return false
		}
		return n.Input(2) == nil || isFalse(n.Input(2))
	case "Cast":
		t := n.Input(0).DType()
		return t != tensor.Undefined && tensor.DType(n.Int("to", 0)) == t
	case "Pad":
		p := constInts(n.Input(1))
		return p != nil && !slices.ContainsFunc(p, func(x int64) bool { return x != 0 })
	case "Transpose":
		p := n.Ints("perm")
		for i, a := range p {
			if a != int64(i) {
				return false
			}
		}
		return p != nil
	case "Concat":
		return len(n.Inputs()) == 1
	default:
		return false
	}
}

func isFalse(v *onnx.Value) bool {
	t := v.Const()
	return t != nil && t.DType == tensor.Bool && len(t.Raw) == 1 && t.Raw[0] == 0
}

// bypass makes readers of a node's first output read its first input, and removes the node. It leaves the node where a
// graph output would lose its name: if the input is itself part of the graph's interface or constant.
func bypass(g *onnx.Graph, n *onnx.Node) (bool, error) {
	x, y := n.Input(0), n.Output(0)
	if y.IsOutput() {
		if x.IsInput() || x.IsOutput() || x.Producer() == nil {
			return false, nil
		}
		if err := g.ReplaceOutput(y, x); err != nil {
			return false, err
		}
	}
	if err := g.ReplaceUses(y, x); err != nil {
		return false, err
	}
	return true, g.Remove(n)
}
