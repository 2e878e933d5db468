package export

import (
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

type reporter = func(node, format string, args ...any)

// rulesORT are what onnxruntime's fusions ask of a document.
func rulesORT() []rule {
	return []rule{
		{name: "opset", check: lintOpset},
		{name: "scale", check: lintScales},
		// QDQS8ToU8 misses some int8 pairs on x86, which then do not fuse.
		{name: "container", check: lintContainer(tensor.Uint8)},
		{name: "pair", check: lintPairs},
		{name: "layer", check: lintLayers},
		{name: "bias-scale", check: lintBias},
		{name: "levels", check: lintLevels},
		{name: "fusion", check: lintFusion, warning: true},
		{name: "saturation", check: lintSaturation(quantize.PairedFlat), warning: true},
	}
}

func isQuant(n *onnx.Node, op string) bool { return n != nil && n.Domain() == "" && n.Op() == op }

// lintOpset: fusions know QuantizeLinear up to opset 21.
func lintOpset(m *onnx.Model, _ Description, report reporter) {
	if v := m.Opset(""); v < 13 || v > 21 {
		report("", "opset %d is outside 13..21", v)
	}
}

// lintScales: scales are positive constants, zero points are written, and both have one element for activations.
func lintScales(m *onnx.Model, _ Description, report reporter) {
	for _, n := range m.Graph.Nodes() {
		if !isQuant(n, "QuantizeLinear") && !isQuant(n, "DequantizeLinear") {
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

// lintPairs: two quantizers with nothing but a DequantizeLinear between them are merged into one by onnxruntime.
func lintPairs(m *onnx.Model, _ Description, report reporter) {
	for _, n := range m.Graph.Nodes() {
		if isQuant(n, "QuantizeLinear") && isQuant(n.Input(0).Producer(), "DequantizeLinear") {
			report(n.Name(), "it follows a DequantizeLinear at once; onnxruntime merges such pairs")
		}
	}
}

// layers calls f with the layers of the description that are in the document.
func layers(m *onnx.Model, d Description, report reporter, f func(n *onnx.Node, l LayerBits)) {
	for _, l := range d.Layers {
		n := m.Graph.Node(l.Node)
		if n == nil {
			n = m.Graph.Node(l.Node + "/gemm")
		}
		if n == nil {
			report(l.Node, "the layer is not in the document")
			continue
		}
		f(n, l)
	}
}

// lintLayers: every operand of a layer comes from a DequantizeLinear.
func lintLayers(m *onnx.Model, d Description, report reporter) {
	layers(m, d, report, func(n *onnx.Node, _ LayerBits) {
		for i, v := range n.Inputs() {
			if v != nil && !isQuant(v.Producer(), "DequantizeLinear") {
				report(n.Name(), "input %d does not come from a DequantizeLinear", i)
			}
		}
	})
}

// lintFusion: a Conv whose output does not go to one QuantizeLinear alone runs in float, which is right but slow. Plans
// make such a Conv where its output leaves the network or enters a norm.
func lintFusion(m *onnx.Model, d Description, report reporter) {
	layers(m, d, ignore, func(n *onnx.Node, _ LayerBits) {
		out := n.Output(0)
		if uses := out.Uses(); n.Traits().Kind == op.Conv && (out.IsOutput() || len(uses) != 1 || !isQuant(uses[0].Node, "QuantizeLinear")) {
			report(n.Name(), "its output does not go to one QuantizeLinear alone, so it runs in float")
		}
	})
}

// lintBias: onnxruntime ignores the scale of a bias and takes the product of the other two.
func lintBias(m *onnx.Model, d Description, report reporter) {
	layers(m, d, ignore, func(n *onnx.Node, _ LayerBits) {
		if n.Input(2) == nil {
			return
		}
		x, w, b := scales(n.Input(0)), scales(n.Input(1)), scales(n.Input(2))
		if len(x) != 1 || len(w) != len(b) {
			report(n.Name(), "scales of input, weights and bias have %d, %d and %d elements", len(x), len(w), len(b))
			return
		}
		for k := range b {
			if b[k] != x[0]*w[k] {
				report(n.Name(), "bias scale %g of channel %d is not that of the product, %g", b[k], k, x[0]*w[k])
				return
			}
		}
	})
}

// scales reads the scale of the DequantizeLinear that produces v, nil where there is none.
func scales(v *onnx.Value) []float32 {
	if v == nil || !isQuant(v.Producer(), "DequantizeLinear") {
		return nil
	}
	return floats(v.Producer().Input(1))
}

func floats(v *onnx.Value) []float32 {
	if v == nil || v.Const() == nil {
		return nil
	}
	f, err := tensor.Floats(v.Const())
	if err != nil {
		return nil
	}
	return f
}

// lintLevels: codes of b bits stay within b bits, for activations by a Clip and for weights by their values.
func lintLevels(m *onnx.Model, d Description, report reporter) {
	for _, t := range d.Tensors {
		v := m.Graph.Value(t.Codes)
		if v == nil || v.Producer() == nil {
			report(t.Node, "the codes of tensor %q are not in the document", t.Tensor)
			continue
		}
		lo, hi := quantize.Levels(t.Bits, t.Signed)
		if t.Signed {
			lo, hi = lo+128, hi+128
		}
		if got := clipBounds(v.Producer()); int(got[0]) < lo || int(got[1]) > hi {
			report(v.Producer().Name(), "codes of tensor %q lie in %g..%g; %d bits allow %d..%d", t.Tensor, got[0], got[1], t.Bits, lo, hi)
		}
	}
	lintWeightLevels(m, d, report)
}

func lintWeightLevels(m *onnx.Model, d Description, report reporter) {
	layers(m, d, ignore, func(n *onnx.Node, l LayerBits) {
		lo, hi := quantize.Levels(l.W, true)
		for _, c := range weightCodes(n) {
			if int(c) < lo || int(c) > hi {
				report(n.Name(), "weight code %d is outside the %d..%d of %d bits", c, lo, hi, l.W)
				return
			}
		}
	})
}

// clipBounds are the lowest and highest code that the node which makes codes lets through.
func clipBounds(n *onnx.Node) [2]float32 {
	bounds := [2]float32{0, 255}
	if n.Op() != "Clip" {
		return bounds
	}
	for i := range bounds {
		if f := floats(n.Input(i + 1)); len(f) == 1 {
			bounds[i] = f[0]
		}
	}
	return bounds
}

func weightCodes(n *onnx.Node) []int8 {
	v := n.Input(1)
	if v == nil || !isQuant(v.Producer(), "DequantizeLinear") || v.Producer().Input(0).Const() == nil {
		return nil
	}
	codes, err := tensor.Values[int8](v.Producer().Input(0).Const())
	if err != nil {
		return nil
	}
	return codes
}
