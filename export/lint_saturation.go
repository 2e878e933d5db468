package export

import (
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// lintSaturation: x86 CPUs without VNNI multiply uint8 by int8 with an instruction that adds neighbouring products in
// 16 bits and saturates. Neighbours there are quantize.Partners.
func lintSaturation(m *onnx.Model, d Description, report reporter) {
	layers(m, d, ignore, func(n *onnx.Node, _ LayerBits) {
		codes := weightCodes(n)
		if len(codes) == 0 {
			return
		}
		shape := n.Input(1).Producer().Input(0).Const().Shape
		axis := outputAxis(n)
		if len(shape) < 2 || axis == 1 && len(shape) > 2 || shape.Numel() == 0 { // no weights of a layer
			return
		}
		if isDepthwise(n, shape) { // kernels of these add in 32 bits
			return
		}
		top := maxCode(n.Input(0))
		if worst := slices.Max(quantize.WorstPairs(codes, shape, axis)) * top; worst > math.MaxInt16 {
			report(n.Name(), "codes up to %d times two weights may reach %d; CPUs without VNNI saturate at %d (onnxruntime's session.x64quantprecision=1 avoids it)", top, worst, math.MaxInt16)
		}
	})
}

// isDepthwise reports whether a Conv computes every channel by itself.
func isDepthwise(n *onnx.Node, shape tensor.Shape) bool {
	return n.Op() == "Conv" && shape[1] == 1 && int(n.Int("group", 1)) == shape[0]
}

// maxCode is the highest code that a layer reads, looked up behind its DequantizeLinear and the views before it.
func maxCode(v *onnx.Value) int {
	if v == nil || v.Producer() == nil || !isQuant(v.Producer(), "DequantizeLinear") {
		return math.MaxUint8
	}
	for n := v.Producer().Input(0).Producer(); n != nil; n = n.Input(0).Producer() {
		switch n.Op() {
		case "Clip":
			return int(clipBounds(n)[1])
		case "QuantizeLinear":
			return math.MaxUint8
		}
		if n.Input(0) == nil {
			break
		}
	}
	return math.MaxUint8
}
