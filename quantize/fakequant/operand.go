package fakequant

import (
	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
)

// Operand returns the quantized value x that layer i multiplies with its weights, and the convolution that the layer
// is. conv is nil for a matrix product, whose operand is [..., C].
func (n *Network) Operand(i int) (x *engine.Value, conv *ops.Conv) {
	node := n.layers[i].node
	switch o := node.Op.(type) {
	case *ops.Conv:
		conv = o
	case *intConv:
		conv = o.Conv
	}
	return node.Inputs[0], conv
}
