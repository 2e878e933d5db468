package lint

import (
	"slices"

	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// Quant checks that every Quant has constant scale, zero point and width, and states its attributes. intquant.py reads
// signed and narrow without defaults that agree with the specification. FINN takes zero points of 0 only.
func Quant(m *onnx.Model, _ metadata.Description, report Reporter) {
	for _, n := range m.Graph.Nodes() {
		if qdq.Is(n, "QuantizeLinear") || qdq.Is(n, "DequantizeLinear") {
			report(n.Name(), "%s in a file of Quant nodes: its width would be read as that of its container", n.Op())
		}
		if !qdq.IsQuant(n) {
			continue
		}
		scale, zero, bits := qdq.Floats(n.Input(1)), qdq.Floats(n.Input(2)), qdq.Floats(n.Input(3))
		switch {
		case len(scale) == 0 || len(zero) == 0 || len(bits) != 1:
			report(n.Name(), "scale, zero point or width is not constant")
		case slices.ContainsFunc(scale, func(s float32) bool { return !(s > 0) }):
			report(n.Name(), "a scale is not positive")
		case slices.ContainsFunc(zero, func(z float32) bool { return z != 0 }):
			report(n.Name(), "its zero point is not 0")
		case bits[0] < 2 || bits[0] > 8 || bits[0] != float32(int(bits[0])):
			report(n.Name(), "%g bits are not 2 to 8", bits[0])
		}
		if !n.Has("signed") || !n.Has("narrow") || n.Str("rounding_mode", "") != "ROUND" {
			report(n.Name(), "signed, narrow and rounding_mode ROUND must be written")
		}
	}
}

// QuantWidths checks that widths are those of the policy, or one less where unsigned codes of a supernet for int8 end
// at 127.
func QuantWidths(m *onnx.Model, d metadata.Description, report Reporter) {
	width := func(n *onnx.Node) int {
		if !qdq.IsQuant(n) || len(qdq.Floats(n.Input(3))) != 1 {
			return 0
		}
		return int(qdq.Floats(n.Input(3))[0])
	}
	for _, t := range d.Tensors {
		v := m.Graph.Value(t.Codes)
		if v == nil || v.Producer() == nil {
			report(t.Node, "tensor %q is not quantized", t.Tensor)
			continue
		}
		bits := width(v.Producer())
		if bits != t.Bits && (t.Signed || t.Bits != 8 || bits != 7) || t.Signed != (v.Producer().Int("signed", 0) == 1) {
			report(t.Node, "tensor %q is not quantized to %d bits", t.Tensor, t.Bits)
		}
	}
	layers(m, d, report, func(n *onnx.Node, l metadata.LayerBits) {
		if v := n.Input(1); v == nil || width(v.Producer()) != l.W {
			report(n.Name(), "its weights are not quantized to %d bits", l.W)
		}
	})
}

// QuantWeights checks that the Quant of weights has one consumer, and a scale for the tensor or per output channel.
func QuantWeights(m *onnx.Model, d metadata.Description, report Reporter) {
	layers(m, d, ignore, func(n *onnx.Node, _ metadata.LayerBits) {
		v := n.Input(1)
		if v == nil || !qdq.IsQuant(v.Producer()) {
			return
		}
		if len(v.Uses()) != 1 {
			report(n.Name(), "%d nodes share its quantized weights", len(v.Uses()))
		}
		scale := v.Producer().Input(1)
		if scale == nil {
			return
		}
		s, _ := scale.Shape()
		wide := 0
		for _, d := range s {
			if d > 1 {
				wide++
			}
		}
		if wide > 1 {
			report(n.Name(), "a scale of shape %s is not per output channel", s)
		}
	})
}

// Predecessors checks that the Quant of an activation follows one of the few operators after which FINN turns it into
// thresholds. The bias of a Conv or Gemm is one of them: ConvertQONNXtoFINN makes an Add of it first
// (ExtractBiasFromConv, GemmToMatMul).
func Predecessors(m *onnx.Model, d metadata.Description, report Reporter) {
	for _, t := range d.Tensors {
		v := m.Graph.Value(t.Codes)
		if v == nil || !qdq.IsQuant(v.Producer()) {
			continue
		}
		n := v.Producer()
		p := qdq.Producer(n.Input(0))
		if p != nil && (p.Traits().Kind == op.Conv || p.Traits().Kind == op.Gemm) && p.Input(2) != nil {
			continue
		}
		if p != nil && !p.Traits().Has(op.Thresholds) && !qdq.IsQuant(p) {
			report(n.Name(), "FINN has no handler for a Quant that follows %s", p.Op())
		}
	}
}
