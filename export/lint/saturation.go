package lint

import (
	"math"
	"slices"

	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// Saturation checks that no sum of two products overflows 16 bits. x86 CPUs without VNNI multiply uint8 by int8 with an
// instruction that adds neighbouring products in 16 bits and saturates. Neighbours there are quantize.Partners.
func Saturation(order quantize.Pairing) Checker {
	return func(m *onnx.Model, d metadata.Description, report Reporter) {
		layers(m, d, ignore, func(n *onnx.Node, _ metadata.LayerBits) {
			if top, worst := worstSum(n, order); worst > math.MaxInt16 {
				report(n.Name(), "codes up to %d times two weights may reach %d; CPUs without VNNI saturate at %d (onnxruntime's session.x64quantprecision=1 avoids it)", top, worst, math.MaxInt16)
			}
		})
	}
}

// Saturating lists the layers of an exported document, in its order, whose pairs of weights may overflow 16 bits on x86
// CPUs without VNNI, where the runtime pairs them in an order. It is arithmetic on codes, and says the same on every
// machine. It is an error if mpqc did not export the document.
func Saturating(m *onnx.Model, order quantize.Pairing) ([]string, error) {
	d, err := metadata.Describe(m)
	if err != nil {
		return nil, err
	}
	var names []string
	if order != quantize.Unpaired {
		layers(m, d, ignore, func(n *onnx.Node, _ metadata.LayerBits) {
			if _, worst := worstSum(n, order); worst > math.MaxInt16 {
				names = append(names, n.Name())
			}
		})
	}
	return names, nil
}

// worstSum is the largest magnitude that products of two partners of a layer may add up to with codes up to top; 0
// where the runtime adds in 32 bits.
func worstSum(n *onnx.Node, order quantize.Pairing) (top, worst int) {
	codes := weightCodes(n)
	if len(codes) == 0 {
		return 0, 0
	}
	shape, axis := qdq.Producer(n.Input(1)).Input(0).Const().Shape, qdq.OutputAxis(n)
	if len(shape) < 2 || axis == 1 && len(shape) > 2 || shape.Numel() == 0 { // no weights of a layer
		return 0, 0
	}
	if isDepthwise(n, shape) { // kernels of these add in 32 bits
		return 0, 0
	}
	top = maxCode(n.Input(0))
	return top, slices.Max(quantize.WorstPairs(codes, shape, axis, order)) * top
}

// isDepthwise reports whether a Conv computes every channel by itself.
func isDepthwise(n *onnx.Node, shape tensor.Shape) bool {
	return n.Traits().Kind == op.Conv && shape[1] == 1 && int(n.Int("group", 1)) == shape[0]
}

// maxQuantized is the highest code that a QuantizeLinear makes: a Clip of the floats before it may bound them.
func maxQuantized(n *onnx.Node) int {
	zero := qdq.Ints(n.Input(2))
	if len(zero) != 1 || len(qdq.Floats(n.Input(1))) != 1 {
		return math.MaxUint8
	}
	_, last := reachable(n)
	return last + int(zero[0])
}

// maxCode is the highest code that a layer reads, looked up behind its DequantizeLinear and the views on either side of
// it.
func maxCode(v *onnx.Value) int {
	for v != nil && v.Producer() != nil && quantize.IsView(v.Producer()) {
		v = v.Producer().Input(0)
	}
	if v == nil || v.Producer() == nil || !qdq.Is(v.Producer(), "DequantizeLinear") {
		return math.MaxUint8
	}
	for n := qdq.Producer(v.Producer().Input(0)); n != nil; n = qdq.Producer(n.Input(0)) {
		switch n.Op() {
		case "Clip":
			return int(clipBounds(n)[1])
		case "QuantizeLinear":
			return maxQuantized(n)
		}
	}
	return math.MaxUint8
}
