package decode

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/onnx"
)

// Operator returns a graph of one node of a normalised model. Its inputs are the distinct inputs of the node that are
// not constant, in order; its outputs are those of the node. Nothing in it is trainable.
func Operator(n *onnx.Node) (*engine.Graph, error) {
	build := ops.Registry()[n.Op()]
	if build == nil || n.Domain() != "" {
		return nil, fmt.Errorf("node %q (%s): %w", n.Name(), operator(n), ErrUnsupported)
	}
	op, err := build(n)
	if err != nil {
		return nil, fmt.Errorf("node %q (%s): %w", n.Name(), n.Op(), err)
	}
	b := &backend{values: map[string]*engine.Value{}, out: &engine.Graph{}}
	node := &engine.Node{Name: n.Name(), Op: op}
	for _, v := range n.Inputs() {
		in, err := b.operand(v)
		if err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", n.Name(), n.Op(), err)
		}
		node.Inputs = append(node.Inputs, in)
	}
	if a, ok := op.(ops.Absorber); ok {
		if node.Inputs, err = a.Absorb(node.Inputs); err != nil {
			return nil, fmt.Errorf("node %q (%s): %w", n.Name(), n.Op(), err)
		}
	}
	for _, v := range n.Outputs() {
		shape, _ := v.Shape()
		node.Outputs = append(node.Outputs, &engine.Value{Name: v.Name(), Shape: shape, Producer: node})
	}
	b.out.Nodes, b.out.Outputs = []*engine.Node{node}, node.Outputs
	b.out.Values = append(b.out.Values, node.Outputs...)
	return b.out, nil
}

// operand makes an input of a single node.
func (b *backend) operand(d *onnx.Value) (*engine.Value, error) {
	if d == nil {
		return nil, nil // an omitted input is a nil value throughout the engine
	}
	if v := b.values[d.Name()]; v != nil {
		return v, nil
	}
	if d.Const() != nil {
		return b.constant(d)
	}
	shape, known := d.Shape()
	if !known {
		return nil, fmt.Errorf("shape of input %q is unknown", d.Name())
	}
	v := &engine.Value{Name: d.Name(), Shape: shape}
	b.values[v.Name] = v
	b.out.Inputs, b.out.Values = append(b.out.Inputs, v), append(b.out.Values, v)
	return v, nil
}
