package lint

import (
	"slices"

	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/onnx"
)

// NoQuantizers checks that the document has none: converters put them in.
func NoQuantizers(m *onnx.Model, _ metadata.Description, report Reporter) {
	for _, n := range m.Graph.Nodes() {
		if qdq.Is(n, "QuantizeLinear") || qdq.Is(n, "DequantizeLinear") || qdq.IsQuant(n) {
			report(n.Name(), "%s in a float model with encodings", n.Op())
		}
	}
}

// encodingsOf reads the encodings of a model, nil where they cannot be.
func encodingsOf(m *onnx.Model, report Reporter) *metadata.Encodings {
	text, ok := m.Metadata(metadata.EncodingsKey)
	if !ok {
		report("", "the model has no encodings in its metadata (%s)", metadata.EncodingsKey)
		return nil
	}
	x, err := metadata.ReadEncodings([]byte(text))
	if err != nil {
		report("", "%v", err)
		return nil
	}
	return x
}

// Encodings checks that every encoding names a tensor of the model, with one scale, or for weights one per output
// channel, and that the operands of every layer have one.
func Encodings(m *onnx.Model, d metadata.Description, report Reporter) {
	x := encodingsOf(m, report)
	if x == nil {
		return
	}
	has := map[string]bool{}
	for _, a := range x.Activations {
		if v := m.Graph.Value(a.Name); v == nil || v.IsInitializer() || len(a.Scale) != 1 {
			report("", "encoding of %q fits no activation", a.Name)
		}
		if has[a.Name] {
			report("", "%q has two encodings", a.Name)
		}
		has[a.Name] = true
	}
	for _, p := range x.Params {
		v := m.Graph.Value(p.Name)
		if v == nil || v.Const() == nil || !slices.Contains(v.Const().Shape, len(p.Scale)) {
			report("", "encoding of %q fits no weights", p.Name)
		}
		has[p.Name] = true
	}
	layers(m, d, report, func(n *onnx.Node, _ metadata.LayerBits) {
		for i := range 2 {
			if v := n.Input(i); v == nil || !has[v.Name()] {
				report(n.Name(), "input %d has no encoding", i)
			}
		}
	})
}

// EncodingWidths checks that encodings have 4 bits and more, which is what older converters take.
func EncodingWidths(m *onnx.Model, _ metadata.Description, report Reporter) {
	x := encodingsOf(m, ignore)
	if x == nil {
		return
	}
	for _, e := range append(slices.Clone(x.Activations), x.Params...) {
		if e.Bits < 4 {
			report("", "%q has %d bits; converters before the encodings of 2 and 3 bits refuse that", e.Name, e.Bits)
		}
	}
}
