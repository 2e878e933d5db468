package export

import (
	"math"

	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// ProfileQNN is a float model with encodings, for Qualcomm's converter.
const ProfileQNN = "qnn"

// qnnProfile is a float model, its weights on their grids, with encodings for Qualcomm's converters
// (--quantization_overrides), which put the quantizers in themselves. The hardware wants shapes without free
// dimensions. Biases have no encodings: the converters derive them (--bias_bitwidth 32).
func qnnProfile() Profile {
	return Profile{
		Name: ProfileQNN, Runtime: "Qualcomm AI Engine Direct", MaxOpset: newestOpset, StoredBits: 32, StaticShapes: true,
		Arithmetic: "int8, or int4 where the device has it; other widths run at the next one",
		ZeroPoints: true, ConvOutputs: true, Tolerance: 1,
		build: buildQNN, weights: encodedWeights, bias: floatBias, lower: (*lowering).encodings, rules: rulesQNN(), bare: true,
		Unpackable: "the converters read float weights, and pack them for the device themselves",
	}
}

func buildQNN(e *exporter) error {
	e.encodings = metadata.NewEncodings()
	if err := e.place(placeEncoding); err != nil {
		return err
	}
	e.encodeViews()
	text, err := e.encodings.Marshal()
	if err != nil {
		return err
	}
	e.model.SetMetadata(metadata.EncodingsKey, string(text))
	return nil
}

// placeEncoding leaves the graph as it is, but where a layer reads a stream below 8 bits: one tensor has one encoding,
// so an Identity, or the Clip that the grid needs, makes another tensor.
func placeEncoding(e *exporter, s site) (y, codes *onnx.Value, err error) {
	y = s.root
	lo, hi := s.levels()
	switch read := s.root.Name() != s.value; {
	case !read && int(s.grid.Hi)-int(s.grid.Zero) < hi && !clips(s):
		s.source = s.root
		if y, err = e.bounded(s, lo, hi); err != nil {
			return nil, nil, err
		}
	case read:
		if y, err = e.bounded(s, lo, hi); err == nil && y == s.source {
			y, err = e.node("Identity", s.node+"/read", s.value, tensor.Float32, shapeOf(s.source), []*onnx.Value{s.source})
		}
		if err != nil {
			return nil, nil, err
		}
	}
	e.encodings.Activations = append(e.encodings.Activations, activationEncoding(y.Name(), s))
	return y, y, nil
}

// clips reports whether the Clip that produces a root bounds it to the codes of the grid.
func clips(s site) bool {
	n := s.root.Producer()
	if n == nil || n.Op() != "Clip" {
		return false
	}
	top := qdq.Floats(n.Input(2))
	return len(top) == 1 && s.grid.Quantize(top[0]) == s.grid.Hi && math.RoundToEven(float64(top[0]/s.grid.Scale)) == float64(int(s.grid.Hi)-int(s.grid.Zero))
}

// encodeViews gives views of a quantized tensor the encoding of the tensor.
func (e *exporter) encodeViews() {
	at := map[string]metadata.Encoding{}
	for _, x := range e.encodings.Activations {
		at[x.Name] = x
	}
	for _, n := range e.graph.Nodes() {
		if !quantize.IsView(n) || n.Input(0) == nil {
			continue
		}
		if x, ok := at[n.Input(0).Name()]; ok {
			x.Name = n.Output(0).Name()
			at[x.Name] = x
			e.encodings.Activations = append(e.encodings.Activations, x)
		}
	}
}

// encodedWeights are the float values of the codes, with an encoding.
func encodedWeights(e *exporter, l *quantize.Layer, f quantize.Folded, bits int) (*onnx.Value, error) {
	x, err := e.constant(l.Weight+"/float", tensor.From(l.Shape, onGrid(l, f)))
	if err != nil {
		return nil, err
	}
	e.encodings.Params = append(e.encodings.Params, weightEncoding(x.Name(), f.Scale, bits))
	return x, nil
}

// activationEncoding is the encoding of a tensor that a quantizer is put on.
func activationEncoding(name string, s site) metadata.Encoding {
	lo, _ := s.levels()
	return metadata.Encoding{
		Name: name, Type: "PER_TENSOR", DType: "INT", Bits: s.bits, Symmetric: s.signed, Scale: []float32{s.grid.Scale}, Offset: []int{lo},
	}
}

// weightEncoding is the encoding of weights with a scale per output channel.
func weightEncoding(name string, scale []float32, bits int) metadata.Encoding {
	offset := make([]int, len(scale))
	for k := range offset {
		offset[k] = -1 << (bits - 1)
	}
	return metadata.Encoding{Name: name, Type: "PER_CHANNEL", DType: "INT", Bits: bits, Symmetric: true, Scale: scale, Offset: offset}
}

// rulesQNN are what the converters and the HTP back end ask of a document.
func rulesQNN() []lint.Rule {
	return []lint.Rule{
		{Name: "static", Check: lint.Static},
		{Name: "float", Check: lint.NoQuantizers},
		{Name: "encodings", Check: lint.Encodings},
		// Version 1.0.0 of the encodings was widened from 4..32 to 2..32 bits late.
		{Name: "width", Check: lint.EncodingWidths, Warning: true},
	}
}
