package export

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// ProfileTRT is explicit quantization of TensorRT.
const ProfileTRT = "trt"

// trtProfile is TensorRT's explicit quantization: int8 with zero point 0 everywhere (NvInfer.h, IQuantizeLayer; the
// parser of onnx-tensorrt rejects uint8 and other zero points), a float Clip in front of widths below 8 bits (its Clip
// has no integer types), float biases (its DequantizeLinear has no int32), and residual branches left in float so that
// the addition fuses with the convolution before it (developer guide, Q/DQ layer-placement recommendations).
func trtProfile() Profile {
	return Profile{
		Name: ProfileTRT, Runtime: "TensorRT", Arithmetic: "int8, whatever the bits", MaxOpset: newestOpset, StoredBits: 8,
		Int8: true, FloatBranches: true, Tolerance: 1,
		build: func(e *exporter) error { return e.place(placeInt8) }, weights: int8Weights, bias: floatBias, rules: rulesTRT(),
		Unpackable: "the parser of TensorRT has no BitShift",
	}
}

func placeInt8(e *exporter, s site) (y, codes *onnx.Value, err error) {
	if top := int(s.grid.Hi) - int(s.grid.Zero); top > math.MaxInt8 {
		return nil, nil, fmt.Errorf("it is unsigned with codes up to %d, and TensorRT has no unsigned 8-bit type: "+
			"train with trt among the profiles (--profile ort,trt --retrain), which keeps such codes within 127", top)
	}
	x, err := e.bounded(s, math.MinInt8, math.MaxInt8)
	if err != nil {
		return nil, nil, err
	}
	return e.pair(s, x, tensor.Scalar(int8(0)))
}

// rulesTRT are what the parser and the builder of TensorRT ask of a document.
func rulesTRT() []lint.Rule {
	return []lint.Rule{
		{Name: "opset", Check: lint.Opset(newestOpset)},
		{Name: "scale", Check: lint.Scales},
		// IQuantizeLayer: "zeroPt ... must be all zeros"; the parser takes UINT8 for an invalid type.
		{Name: "container", Check: lint.Container(tensor.Int8)},
		{Name: "zero", Check: lint.Zero},
		// docs/operators.md of onnx-tensorrt: Clip has no integer types.
		{Name: "integer-clip", Check: lint.IntegerClip},
		{Name: "layer", Check: lint.Operands},
		// The same table: DequantizeLinear takes INT8, FP8 and INT4, so an int32 bias does not import.
		{Name: "float-bias", Check: lint.FloatBias},
		{Name: "levels", Check: lint.FloatLevels},
		// quant_resnet50.rst, "Further optimization": quantize the residual input, not the convolution's output.
		{Name: "residual", Check: lint.Residual, Warning: true},
		// operators.md: these have no importer.
		{Name: "operator", Check: lint.IntegerOperators},
	}
}
