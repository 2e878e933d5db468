package partition

import (
	"fmt"

	"github.com/mpqc/mpqc/onnx"
)

// QuantizedError is a model that computes with codes.
type QuantizedError struct {
	Nodes []*onnx.Node // those that make, read or compute with codes of activations
}

// QuantizedReason and QuantizedFix are what to say about such a model.
const (
	QuantizedReason = "the model is quantized already"
	QuantizedFix    = "start from the float model it was made from"
)

// Error names the first node and what to do.
func (e *QuantizedError) Error() string {
	n := e.Nodes[0]
	return fmt.Sprintf("%s (node %q is %s): %s", QuantizedReason, n.Name(), n.Op(), QuantizedFix)
}

// CheckFloat refuses a model whose activations are quantized. One that only stores its weights as codes, which
// DequantizeLinear makes floats of, is a float model.
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

// constancy remembers which nodes compute from constants alone.
type constancy map[*onnx.Node]bool

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
