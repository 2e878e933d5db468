package quantize

import (
	"math"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// IsPole reports whether a node computes a function with a pole at an element that it may read: a quotient, a
// logarithm, a root or a power of a computed value. Rounding is not a small change near a pole, and quantizing may hit
// it exactly.
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
