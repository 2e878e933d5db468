package export

import (
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// checker is what a rule does.
type checker = func(m *onnx.Model, d Description, report reporter)

// lintContainer: activations are quantized to one of the types.
func lintContainer(types ...tensor.DType) checker {
	return func(m *onnx.Model, _ Description, report reporter) {
		for _, n := range m.Graph.Nodes() {
			if !isQuant(n, "QuantizeLinear") || n.Input(0).Const() != nil {
				continue
			}
			dtype := tensor.Uint8 // what an omitted zero point stands for
			if zero := n.Input(2); zero != nil {
				dtype = zero.DType()
			}
			if !slices.Contains(types, dtype) {
				report(n.Name(), "its codes are %s, the runtime takes %v", dtype, types)
			}
		}
	}
}

// lintZero: every zero point is zero.
func lintZero(m *onnx.Model, _ Description, report reporter) {
	for _, n := range m.Graph.Nodes() {
		if !isQuant(n, "QuantizeLinear") && !isQuant(n, "DequantizeLinear") || n.Input(2) == nil || n.Input(2).Const() == nil {
			continue
		}
		zero, err := tensor.Ints(n.Input(2).Const())
		if err != nil || slices.ContainsFunc(zero, func(z int64) bool { return z != 0 }) {
			report(n.Name(), "its zero point is not 0")
		}
	}
}

// lintIntegerClip: codes go from QuantizeLinear to DequantizeLinear without a Clip between.
func lintIntegerClip(m *onnx.Model, _ Description, report reporter) {
	for _, n := range m.Graph.Nodes() {
		if n.Op() != "Clip" || n.Input(0) == nil {
			continue
		}
		if isQuant(n.Input(0).Producer(), "QuantizeLinear") || n.Input(0).DType() == tensor.Uint8 || n.Input(0).DType() == tensor.Int8 {
			report(n.Name(), "it clips codes; the runtime wants a float Clip before QuantizeLinear")
		}
	}
}

// lintOperands: a layer's input comes from a DequantizeLinear, perhaps by way of views, and so do its weights.
func lintOperands(m *onnx.Model, d Description, report reporter) {
	layers(m, d, report, func(n *onnx.Node, _ LayerBits) {
		for i := range 2 {
			v := n.Input(i)
			for i == 0 && v != nil && v.Producer() != nil && quantize.IsView(v.Producer()) {
				v = v.Producer().Input(0)
			}
			if v == nil || !isQuant(v.Producer(), "DequantizeLinear") {
				report(n.Name(), "input %d does not come from a DequantizeLinear", i)
			}
		}
	})
}

// lintFloatBias: biases are float constants.
func lintFloatBias(m *onnx.Model, d Description, report reporter) {
	layers(m, d, ignore, func(n *onnx.Node, _ LayerBits) {
		if b := n.Input(2); b != nil && (b.Const() == nil || b.Const().DType != tensor.Float32) {
			report(n.Name(), "its bias is no float32 constant")
		}
	})
}

// ignore drops what a rule says of layers that another rule reports already.
func ignore(string, string, ...any) {}

// lintFloatLevels: codes of b bits stay within b bits, by the container or by a Clip of the floats before.
func lintFloatLevels(m *onnx.Model, d Description, report reporter) {
	for _, t := range d.Tensors {
		v := m.Graph.Value(t.Codes)
		if v == nil || !isQuant(v.Producer(), "QuantizeLinear") || len(floats(v.Producer().Input(1))) != 1 {
			report(t.Node, "the codes of tensor %q are not in the document", t.Tensor)
			continue
		}
		lo, hi := quantize.Levels(t.Bits, t.Signed)
		lo, hi = lo-t.Zero, hi-t.Zero
		if first, last := reachable(v.Producer()); first < lo || last > hi {
			report(v.Producer().Name(), "codes of tensor %q lie in %d..%d; %d bits allow %d..%d", t.Tensor, first, last, t.Bits, lo, hi)
		}
	}
	lintWeightLevels(m, d, report)
}

// reachable are the lowest and highest code, less the zero point, that a QuantizeLinear makes of what comes before it.
func reachable(n *onnx.Node) (first, last int) {
	first, last = 0, math.MaxUint8
	if n.Input(2).DType() == tensor.Int8 {
		first, last = math.MinInt8, math.MaxInt8
	}
	if zero, err := tensor.Ints(n.Input(2).Const()); err == nil && len(zero) == 1 {
		first, last = first-int(zero[0]), last-int(zero[0])
	}
	scale := floats(n.Input(1))[0]
	code := func(v *onnx.Value, def int) int {
		if f := floats(v); len(f) == 1 {
			return int(math.RoundToEven(float64(f[0] / scale)))
		}
		return def
	}
	if p := n.Input(0).Producer(); p != nil && p.Op() == "Clip" {
		first, last = max(first, code(p.Input(1), first)), min(last, code(p.Input(2), last))
	} else if p != nil && nonNegative(p) {
		first = max(first, 0)
	}
	return first, last
}

// nonNegative reports whether the operators before a value keep it from being negative.
func nonNegative(n *onnx.Node) bool {
	for n != nil {
		switch row := n.Traits(); {
		case row.Has(op.Unsigned):
			return true
		case n.Op() == "Clip":
			lo := floats(n.Input(1))
			return len(lo) == 1 && lo[0] >= 0
		case row.Stream == op.Joins:
			return !slices.ContainsFunc(n.Inputs(), func(v *onnx.Value) bool { return v == nil || !nonNegative(v.Producer()) })
		case n.Op() == "QuantizeLinear", n.Op() == "DequantizeLinear", row.Has(op.Pool) && row.Stream == op.Averages, quantize.IsView(n):
			n = n.Input(0).Producer()
		default:
			return false
		}
	}
	return false
}

// lintResidual: of the operands of an Add one comes from a layer without quantizers between.
func lintResidual(m *onnx.Model, _ Description, report reporter) {
	for _, n := range m.Graph.Nodes() {
		if n.Op() != "Add" {
			continue
		}
		quantized, layer := 0, false
		for _, v := range n.Inputs() {
			if v == nil || !isQuant(v.Producer(), "DequantizeLinear") || !isQuant(v.Producer().Input(0).Producer(), "QuantizeLinear") {
				continue
			}
			quantized++
			p := v.Producer().Input(0).Producer().Input(0).Producer()
			layer = layer || p != nil && p.Traits().Kind == op.Conv
		}
		if quantized == len(n.Inputs()) && layer {
			report(n.Name(), "both operands are quantized, so it does not fuse with the convolution before it")
		}
	}
}

// lintIntegerOperators: quantization is said by QuantizeLinear and DequantizeLinear alone.
func lintIntegerOperators(m *onnx.Model, _ Description, report reporter) {
	for _, n := range m.Graph.Nodes() {
		if integerOperator(n) {
			report(n.Name(), "the runtime does not read %s", n.Op())
		}
	}
}

// integerOperator reports whether a node computes on codes, as runtimes write it after fusing.
func integerOperator(n *onnx.Node) bool {
	return op.OnCodes(n.Op()) || n.Op() == "DynamicQuantizeLinear"
}

// lintStatic: no shape of the interface has free dimensions.
func lintStatic(m *onnx.Model, _ Description, report reporter) {
	for _, v := range append(m.Graph.Inputs(), m.Graph.Outputs()...) {
		if s, ok := v.Shape(); !ok || slices.Contains(s, -1) {
			report("", "the shape %s of %q has free dimensions", s, v.Name())
		}
	}
}
