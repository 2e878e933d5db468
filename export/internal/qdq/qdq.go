// Package qdq reads quantizers of a document, as QuantizeLinear and DequantizeLinear of ONNX or as Quant of QONNX, and
// the constants and weights that belong to them.
package qdq

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// QuantDomain holds Quant. Its successor IntQuant is in the same domain, but FINN and QONNX's own conversions match
// Quant alone (finn convert_qonnx_to_finn.py, qonnx qonnx_to_qcdq.py).
const QuantDomain = op.QONNX

// Is reports whether a node is an operator of ONNX; a nil node is none.
func Is(n *onnx.Node, name string) bool { return n != nil && n.Domain() == "" && n.Op() == name }

// IsQuant reports whether a node is a Quant; a nil node is none.
func IsQuant(n *onnx.Node) bool {
	return n != nil && n.Domain() == QuantDomain && n.Op() == "Quant"
}

// Producer is the node that makes a value, nil where there is neither: files of other programs leave inputs out.
func Producer(v *onnx.Value) *onnx.Node {
	if v == nil {
		return nil
	}
	return v.Producer()
}

// Const is the tensor of a constant, nil where the value is none.
func Const(v *onnx.Value) *tensor.Tensor {
	if v == nil {
		return nil
	}
	return v.Const()
}

// Floats are the numbers of a constant, nil where the value is none.
func Floats(v *onnx.Value) []float32 {
	c := Const(v)
	if c == nil {
		return nil
	}
	f, err := tensor.Floats(c)
	if err != nil {
		return nil
	}
	return f
}

// Ints are the whole numbers of a constant, nil where the value is none.
func Ints(v *onnx.Value) []int64 {
	c := Const(v)
	if c == nil {
		return nil
	}
	i, err := tensor.Ints(c)
	if err != nil {
		return nil
	}
	return i
}

// OutputAxis is the axis of a layer's weights that counts its output channels.
func OutputAxis(n *onnx.Node) int {
	axis, _ := quantize.WeightAxes(n)
	return axis
}
