package quantize

import (
	"math"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// IsPole reports whether a node computes a function that has no bound, or no value at all, beside some element that it may
// read: a quotient, a logarithm, a root or a power of a computed value. What rounding does to such an element is not small, and
// quantizing may put it on the pole.
func IsPole(n *onnx.Node) bool {
	if !n.Traits().Has(op.Pole) {
		return false
	}
	switch n.Op() {
	case "Div":
		return n.Input(1) != nil && n.Input(1).Const() == nil
	case "Pow":
		e, constant := scalar(n.Input(1))
		return !constant || e < 0 || float64(e) != math.Trunc(float64(e))
	}
	return true
}
