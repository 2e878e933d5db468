package export

import (
	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// ProfileOpenVINO is what OpenVINO reads as FakeQuantize.
const ProfileOpenVINO = "openvino"

// openvinoProfile is the dialect that OpenVINO's ONNX frontend turns into FakeQuantize of 256 levels, which its
// low-precision passes run in int8: uint8 activations with a float Clip in front where they have fewer than 8 bits
// (a Clip of codes would break the match of ConvertQuantizeDequantize, and the passes know no other numbers of levels
// below 256 than 15 and 16), int8 weights behind DequantizeLinear, float biases.
//
// Pairs of weights are bounded in either order: OpenVINO packs dense layers as oneDNN does and grouped ones flat, and
// onnxruntime computes these files on integers, too (TestPairs asks both).
func openvinoProfile() Profile {
	return Profile{
		Name: ProfileOpenVINO, Runtime: "OpenVINO", Arithmetic: eightBits, MaxOpset: newestOpset, StoredBits: 8,
		ZeroPoints: true, Pairs: quantize.PairedEither, Tolerance: 1, supernet: 1,
		build: func(e *exporter) error { return e.place(placeUint8) }, weights: int8Weights, bias: floatBias, rules: rulesOpenVINO(),
		Unpackable: "OpenVINO (tried with 2026.4) looks for constant weights before it folds what unpacks them, so these layers would run in float",
	}
}

func placeUint8(e *exporter, s site) (y, codes *onnx.Value, err error) {
	x, err := e.bounded(s, -int(s.grid.Zero), 255-int(s.grid.Zero))
	if err != nil {
		return nil, nil, err
	}
	return e.pair(s, x, tensor.Scalar(s.grid.Zero))
}

// rulesOpenVINO are what src/frontends/onnx (quantize_linear.cpp, dequantize_linear.cpp) and the low-precision
// transformations of OpenVINO ask of a document.
func rulesOpenVINO() []lint.Rule {
	return []lint.Rule{
		{Name: "opset", Check: lint.Opset(newestOpset)},
		{Name: "scale", Check: lint.Scales},
		// quantize_linear.cpp refuses other types of zero points than 4, 8 and 16 bits; the int8 pipeline takes 8.
		{Name: "container", Check: lint.Container(tensor.Uint8, tensor.Int8)},
		{Name: "integer-clip", Check: lint.IntegerClip},
		{Name: "layer", Check: lint.Operands},
		{Name: "float-bias", Check: lint.FloatBias},
		{Name: "levels", Check: lint.FloatLevels},
	}
}
