package partition

import (
	"fmt"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
)

// CheckInputs is an error if an input has no shape, or an open dimension other than the batch. Costs, buffers and the
// search need fixed sizes.
func CheckInputs(m *onnx.Model) error {
	for _, v := range m.Graph.Inputs() {
		if v.Const() != nil {
			continue
		}
		s, known := v.Shape()
		if !known {
			return fmt.Errorf("input %q has no shape: export the model with one", v.Name())
		}
		for _, d := range s[min(1, len(s)):] {
			if d < 0 {
				return fmt.Errorf("input %q has the shape %s, and only its batch may be open: export the model with a fixed input size "+
					"(torch.onnx.export: dynamic_axes for dimension 0 alone)", v.Name(), s)
			}
		}
	}
	return nil
}

// CheckBatch is an error if an input of a normalised model has a fixed batch. Later stages run batches of their own
// size.
func CheckBatch(m *onnx.Model) error {
	const fix = "export the model with an open batch (torch.onnx.export: dynamic_shapes or dynamic_axes for dimension 0)"
	if in := pass.FixedBatch(m); in != nil {
		return fmt.Errorf("input %q has the fixed batch 1: %w; %s", in.Name(), pass.WhyFixedBatch(m), fix)
	}
	for _, v := range m.Graph.Inputs() {
		if s, known := v.Shape(); v.Const() == nil && known && len(s) > 1 && s[0] > 0 {
			return fmt.Errorf("input %q has the fixed batch %d; %s", v.Name(), s[0], fix)
		}
	}
	return nil
}

// CheckOperators is an error that names the first node with an output of unknown shape. Nodes behind it could not be
// planned.
func CheckOperators(m *onnx.Model) error {
	for _, n := range m.Graph.Nodes() {
		for _, v := range n.Outputs() {
			if v == nil {
				continue
			}
			if _, known := v.Shape(); !known {
				op := n.Op()
				if n.Domain() != "" {
					op = n.Domain() + "." + op
				}
				return fmt.Errorf("node %q: operator %s is not known; export the model with standard ONNX operators, or replace this one", n.Name(), op)
			}
		}
	}
	return nil
}
