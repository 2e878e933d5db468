package export

import (
	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// ProfileQONNX is Quant nodes, for FINN and hls4ml.
const ProfileQONNX = "qonnx"

// qonnxProfile writes one Quant per quantizer, with its true width, on float weights and activations. FINN and hls4ml
// want zero points of 0 and shapes without free dimensions.
func qonnxProfile() Profile {
	return Profile{
		Name: ProfileQONNX, Runtime: "FINN or hls4ml", MaxOpset: newestOpset, StoredBits: 32, StaticShapes: true,
		Arithmetic: "the bits themselves, where the compiler builds hardware for them (FINN, hls4ml)",
		Tolerance:  1,
		build:      buildQONNX, weights: quantWeights, bias: floatBias, lower: (*lowering).quants, rules: rulesQONNX(),
		Unpackable: "Quant reads float weights, and states their width itself",
	}
}

func buildQONNX(e *exporter) error {
	e.model.SetOpset(qdq.QuantDomain, 1)
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
		Name: e.graph.FreshName(node + "/quant"), Op: "Quant", Domain: qdq.QuantDomain, Inputs: in,
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
func rulesQONNX() []lint.Rule {
	return []lint.Rule{
		{Name: "quant", Check: lint.Quant},
		{Name: "width", Check: lint.QuantWidths},
		{Name: "static", Check: lint.Static},
		// fold_quant_weights.py: one consumer, a scale per tensor or per output channel.
		{Name: "weight", Check: lint.QuantWeights},
		// qonnx_activation_handlers.py: what may stand before an activation's Quant.
		{Name: "predecessor", Check: lint.Predecessors, Warning: true},
	}
}
