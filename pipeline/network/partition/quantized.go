package partition

import (
	"fmt"

	"github.com/mpqc/mpqc/onnx"
)

// QuantizedError says that a model computes with quantized activations already.
type QuantizedError struct {
	Nodes []*onnx.Node // nodes that produce, read or compute with codes of activations
}

// QuantizedReason and QuantizedFix are the parts of the message about such a model.
const (
	QuantizedReason = "the model is quantized already"
	QuantizedFix    = "start from the float model it was made from"
)

// Error names the first node and what to do.
func (e *QuantizedError) Error() string {
	n := e.Nodes[0]
	return fmt.Sprintf("%s (node %q is %s): %s", QuantizedReason, n.Name(), n.Op(), QuantizedFix)
}

// CheckFloat is a *QuantizedError if the activations of a model are quantized. A model that only stores its weights as
// codes, behind DequantizeLinear, is a float model.
func CheckFloat(m *onnx.Model) error {
	c := constancy{}
	var e QuantizedError
	for _, n := range m.Graph.Nodes() {
		op := n.Op()
		if !FromQuantized(op) {
			continue
		}
		weights := (op == "DequantizeLinear" || op == "QuantizeLinear") && c.value(n.Input(0))
		if !weights {
			e.Nodes = append(e.Nodes, n)
		}
	}
	if e.Nodes == nil {
		return nil
	}
	return &e
}

// constancy remembers which nodes depend on constants only.
type constancy map[*onnx.Node]bool

// value reports whether v depends on constants only; nil does.
func (c constancy) value(v *onnx.Value) bool {
	switch {
	case v == nil:
		return true
	case v.Producer() == nil:
		return v.IsInitializer()
	}
	n := v.Producer()
	known, seen := c[n]
	if seen {
		return known
	}
	c[n] = false // of a node that waits for itself
	for _, x := range reads(n) {
		if !c.value(x) {
			return false
		}
	}
	c[n] = true
	return true
}
