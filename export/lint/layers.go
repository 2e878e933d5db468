package lint

import (
	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// layers calls f with the layers of the description that are in the document.
func layers(m *onnx.Model, d metadata.Description, report Reporter, f func(n *onnx.Node, l metadata.LayerBits)) {
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

// ignore drops what a rule says of layers that another rule reports already.
func ignore(string, string, ...any) {}

// Layers checks that every operand of a layer comes from a DequantizeLinear.
func Layers(m *onnx.Model, d metadata.Description, report Reporter) {
	layers(m, d, report, func(n *onnx.Node, _ metadata.LayerBits) {
		for i, v := range n.Inputs() {
			if v != nil && !qdq.Is(v.Producer(), "DequantizeLinear") {
				report(n.Name(), "input %d does not come from a DequantizeLinear", i)
			}
		}
	})
}

// Fusion checks that the output of a Conv goes to one QuantizeLinear alone. Another Conv runs in float, which is right
// but slow. Plans make such a Conv where its output leaves the network or enters a norm.
func Fusion(m *onnx.Model, d metadata.Description, report Reporter) {
	layers(m, d, ignore, func(n *onnx.Node, _ metadata.LayerBits) {
		out := n.Output(0)
		if out == nil || n.Traits().Kind != op.Conv {
			return
		}
		if uses := out.Uses(); out.IsOutput() || len(uses) != 1 || !qdq.Is(uses[0].Node, "QuantizeLinear") {
			report(n.Name(), "its output does not go to one QuantizeLinear alone, so it runs in float")
		}
	})
}

// Bias checks that the scale of a bias is the product of the scales of input and weights. onnxruntime ignores it and
// takes the product.
func Bias(m *onnx.Model, d metadata.Description, report Reporter) {
	layers(m, d, ignore, func(n *onnx.Node, _ metadata.LayerBits) {
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
	if v == nil || !qdq.Is(v.Producer(), "DequantizeLinear") {
		return nil
	}
	return qdq.Floats(v.Producer().Input(1))
}

// Operands checks that a layer's input, perhaps by way of views, and its weights come from a DequantizeLinear.
func Operands(m *onnx.Model, d metadata.Description, report Reporter) {
	layers(m, d, report, func(n *onnx.Node, _ metadata.LayerBits) {
		for i := range 2 {
			v := n.Input(i)
			for i == 0 && v != nil && v.Producer() != nil && quantize.IsView(v.Producer()) {
				v = v.Producer().Input(0)
			}
			if v == nil || !qdq.Is(v.Producer(), "DequantizeLinear") {
				report(n.Name(), "input %d does not come from a DequantizeLinear", i)
			}
		}
	})
}

// FloatBias checks that biases are float constants.
func FloatBias(m *onnx.Model, d metadata.Description, report Reporter) {
	layers(m, d, ignore, func(n *onnx.Node, _ metadata.LayerBits) {
		if b := n.Input(2); b != nil && (b.Const() == nil || b.Const().DType != tensor.Float32) {
			report(n.Name(), "its bias is no float32 constant")
		}
	})
}

// Residual checks that of the operands of an Add one comes from a layer without quantizers between.
func Residual(m *onnx.Model, _ metadata.Description, report Reporter) {
	for _, n := range m.Graph.Nodes() {
		if n.Op() != "Add" {
			continue
		}
		quantized, layer := 0, false
		for _, v := range n.Inputs() {
			if v == nil || !qdq.Is(v.Producer(), "DequantizeLinear") || !qdq.Is(qdq.Producer(v.Producer().Input(0)), "QuantizeLinear") {
				continue
			}
			quantized++
			p := qdq.Producer(qdq.Producer(v.Producer().Input(0)).Input(0))
			layer = layer || p != nil && p.Traits().Kind == op.Conv
		}
		if quantized == len(n.Inputs()) && layer {
			report(n.Name(), "both operands are quantized, so it does not fuse with the convolution before it")
		}
	}
}
