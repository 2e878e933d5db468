package lint

import (
	"math"
	"slices"

	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// oldest is the first operator set with QuantizeLinear per channel.
const oldest = 13

// Opset checks that a document is of an operator set whose quantizers the runtime knows, up to the newest of them.
func Opset(newest int64) Checker {
	return func(m *onnx.Model, _ metadata.Description, report Reporter) {
		if v := m.Opset(""); v < oldest || v > newest {
			report("", "opset %d is outside %d..%d", v, oldest, newest)
		}
	}
}

// Scales checks that scales are positive constants, that zero points are written, and that both have one shape.
func Scales(m *onnx.Model, _ metadata.Description, report Reporter) {
	for _, n := range m.Graph.Nodes() {
		if !qdq.Is(n, "QuantizeLinear") && !qdq.Is(n, "DequantizeLinear") {
			continue
		}
		scale, zero := n.Input(1), n.Input(2)
		if scale == nil || scale.Const() == nil {
			report(n.Name(), "its scale is not constant")
			continue
		}
		if zero == nil || zero.Const() == nil {
			report(n.Name(), "its zero point is not written as a constant")
			continue
		}
		values, err := tensor.Floats(scale.Const())
		if err != nil {
			report(n.Name(), "its scale cannot be read: %v", err)
		}
		for _, s := range values {
			if !(s > 0) || math.IsInf(float64(s), 0) {
				report(n.Name(), "scale %g is not positive", s)
				break
			}
		}
		switch {
		case !scale.Const().Shape.Equal(zero.Const().Shape):
			report(n.Name(), "scale and zero point have shapes %s and %s", scale.Const().Shape, zero.Const().Shape)
		case len(scale.Const().Shape) > 0 && !n.Has("axis"):
			report(n.Name(), "a scale per channel needs the attribute axis")
		}
	}
}

// Pairs checks that no quantizer follows a DequantizeLinear at once: onnxruntime would merge both into one.
func Pairs(m *onnx.Model, _ metadata.Description, report Reporter) {
	for _, n := range m.Graph.Nodes() {
		if qdq.Is(n, "QuantizeLinear") && qdq.Is(qdq.Producer(n.Input(0)), "DequantizeLinear") {
			report(n.Name(), "it follows a DequantizeLinear at once; onnxruntime merges such pairs")
		}
	}
}

// Container checks that activations are quantized to one of the types.
func Container(types ...tensor.DType) Checker {
	return func(m *onnx.Model, _ metadata.Description, report Reporter) {
		for _, n := range m.Graph.Nodes() {
			if !qdq.Is(n, "QuantizeLinear") || qdq.Const(n.Input(0)) != nil {
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

// Zero checks that every zero point is 0.
func Zero(m *onnx.Model, _ metadata.Description, report Reporter) {
	for _, n := range m.Graph.Nodes() {
		if !qdq.Is(n, "QuantizeLinear") && !qdq.Is(n, "DequantizeLinear") || qdq.Const(n.Input(2)) == nil {
			continue
		}
		zero, err := tensor.Ints(qdq.Const(n.Input(2)))
		if err != nil || slices.ContainsFunc(zero, func(z int64) bool { return z != 0 }) {
			report(n.Name(), "its zero point is not 0")
		}
	}
}

// IntegerClip checks that codes go from QuantizeLinear to DequantizeLinear without a Clip between.
func IntegerClip(m *onnx.Model, _ metadata.Description, report Reporter) {
	for _, n := range m.Graph.Nodes() {
		if n.Op() != "Clip" || n.Input(0) == nil {
			continue
		}
		if qdq.Is(qdq.Producer(n.Input(0)), "QuantizeLinear") || n.Input(0).DType() == tensor.Uint8 || n.Input(0).DType() == tensor.Int8 {
			report(n.Name(), "it clips codes; the runtime wants a float Clip before QuantizeLinear")
		}
	}
}

// IntegerOperators checks that QuantizeLinear and DequantizeLinear alone say what is quantized.
func IntegerOperators(m *onnx.Model, _ metadata.Description, report Reporter) {
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

// Static checks that no input and no output has free dimensions.
func Static(m *onnx.Model, _ metadata.Description, report Reporter) {
	for _, v := range append(m.Graph.Inputs(), m.Graph.Outputs()...) {
		if s, ok := v.Shape(); !ok || slices.Contains(s, -1) {
			report("", "the shape %s of %q has free dimensions", s, v.Name())
		}
	}
}
