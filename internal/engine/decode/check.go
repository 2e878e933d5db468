package decode

import (
	"fmt"

	"gonum.org/v1/gonum/graph"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/onnx"
)

// Problem is a node that Decode would refuse.
type Problem struct {
	Node, Op string // Op with its domain, if it is not ONNX's own
	Err      error  // wraps ErrUnsupported if the engine lacks the operator
}

// Check lists every node that Decode would refuse, in document order. Large weights are not read, so it needs little
// memory. The error concerns the graph as a whole.
func Check(m *onnx.Model) ([]Problem, error) {
	data, err := skeleton(m)
	if err != nil {
		return nil, fmt.Errorf("check graph: %w", err)
	}
	b := newBackend(m.Graph, ops.Registry())
	b.tolerant = true
	for _, step := range []func() error{b.inputs, func() error { return unmarshal(b, data) }, b.outputs} {
		if err := step(); err != nil {
			return b.problems, fmt.Errorf("check graph: %w", err)
		}
	}
	return b.problems, nil
}

// tolerate makes placeholders for the outputs of a refused node and notes the reason, so that later nodes are checked,
// too.
func (b *backend) tolerate(n *onnx.Node, outs []graph.Node, err error) {
	b.problems = append(b.problems, Problem{n.Name(), operator(n), err})
	for i, o := range outs {
		v := &engine.Value{Name: o.(*tensorNode).name} //nolint:forcetypeassert // NewNode makes no other kind
		if d := n.Output(i); d != nil {
			v.Shape, _ = d.Shape()
		}
		b.values[v.Name] = v
	}
}

// buildKnown makes the engine node, or returns why it cannot.
func (b *backend) buildKnown(n *onnx.Node, outs []graph.Node) error {
	if n.Domain() != "" || b.registry[n.Op()] == nil {
		return ErrUnsupported
	}
	return b.build(n, outs)
}
