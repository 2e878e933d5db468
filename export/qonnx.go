package export

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// ProfileQONNX is Quant nodes, for FINN and hls4ml.
const ProfileQONNX = "qonnx"

// qonnxDomain holds Quant. Its successor IntQuant is in the same domain, but FINN and QONNX's own conversions match
// Quant alone (finn convert_qonnx_to_finn.py, qonnx qonnx_to_qcdq.py).
const qonnxDomain = op.QONNX

// qonnxProfile writes one Quant per quantizer, with its true width, on float weights and activations. FINN and hls4ml
// want zero points of 0 and shapes without free dimensions.
func qonnxProfile() profile {
	return profile{
		name: ProfileQONNX, runtime: "FINN or hls4ml", maxOpset: 21, build: buildQONNX, weights: quantWeights, bias: floatBias,
		rules: rulesQONNX(), symmetric: true, static: true, tolerance: 1, lower: (*lowering).quants,
		storedBits: 32, arithmetic: "the bits themselves, where the compiler builds hardware for them (FINN, hls4ml)",
		unpackable: "Quant reads float weights, and states their width itself",
	}
}

func buildQONNX(e *exporter) error {
	e.model.SetOpset(qonnxDomain, 1)
	return e.place(placeQuant)
}

// placeQuant writes Relu and Quant where the source is a Relu or a Relu6 that ends at the highest code, which FINN's
// handlers know; another upper bound keeps a Clip.
func placeQuant(e *exporter, s site) (y, codes *onnx.Value, err error) {
	if top := int(s.grid.Hi) - int(s.grid.Zero); !s.signed && top == 1<<(s.bits-1)-1 {
		s.bits-- // in a supernet that serves int8, 8-bit codes end at 127
	}
	lo, hi := s.levels()
	if !s.signed && s.source != s.root {
		lo-- // Quant would bound at 0, but FINN looks for a Relu
	}
	x, err := e.bounded(s, lo, hi)
	if err != nil {
		return nil, nil, err
	}
	y, err = e.quant(s.node, s.value, x, tensor.Scalar(s.grid.Scale), s.bits, s.signed)
	return y, y, err
}

// quant adds a Quant node.
func (e *exporter) quant(node, value string, x *onnx.Value, scale *tensor.Tensor, bits int, signed bool) (*onnx.Value, error) {
	in := []*onnx.Value{x}
	for _, c := range []struct {
		name string
		t    *tensor.Tensor
	}{{"/scale", scale}, {"/zeropt", tensor.Scalar(float32(0))}, {"/bitwidth", tensor.Scalar(float32(bits))}} {
		v, err := e.constant(value+c.name, c.t)
		if err != nil {
			return nil, err
		}
		in = append(in, v)
	}
	n, err := e.graph.AddNode(onnx.NodeSpec{
		Name: e.graph.FreshName(node + "/quant"), Op: "Quant", Domain: qonnxDomain, Inputs: in,
		Outputs: []string{e.graph.FreshName(value + "/quantized")},
		// All three are written: their defaults differ between the specification and the code of QONNX.
		Attrs: []onnx.Attr{onnx.IntAttr("signed", flag(signed)), onnx.IntAttr("narrow", 0), onnx.StringAttr("rounding_mode", "ROUND")},
	}, nil)
	if err != nil {
		return nil, err
	}
	n.Output(0).SetType(tensor.Float32, shapeOf(x))
	return n.Output(0), nil
}

func flag(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// quantWeights is a Quant on the float values of the codes, which gives them back exactly.
func quantWeights(e *exporter, l *quantize.Layer, f quantize.Folded, bits int) (*onnx.Value, error) {
	x, err := e.constant(l.Weight+"/float", tensor.From(l.Shape, onGrid(l, f)))
	if err != nil {
		return nil, err
	}
	shape := make(tensor.Shape, len(l.Shape))
	for d := range shape {
		shape[d] = 1
	}
	shape[l.Axis] = l.OutChannels
	return e.quant(l.Node+"/weight", l.Weight, x, tensor.From(shape, f.Scale), bits, true)
}

// onGrid is what the weight codes stand for.
func onGrid(l *quantize.Layer, f quantize.Folded) []float32 {
	inner := l.Inner()
	values := make([]float32, len(f.Codes))
	for i, c := range f.Codes {
		values[i] = float32(c) * f.Scale[i/inner%l.OutChannels]
	}
	return values
}

// rulesQONNX are what QONNX's executor and FINN's and hls4ml's readers ask of a document.
func rulesQONNX() []rule {
	return []rule{
		{name: "quant", check: lintQuant},
		{name: "width", check: lintQuantWidths},
		{name: "static", check: lintStatic},
		// fold_quant_weights.py: one consumer, a scale per tensor or per output channel.
		{name: "weight", check: lintQuantWeights},
		// qonnx_activation_handlers.py: what may stand before an activation's Quant.
		{name: "predecessor", check: lintPredecessors, warning: true},
	}
}
