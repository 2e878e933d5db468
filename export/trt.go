package export

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// ProfileTRT is explicit quantization of TensorRT.
const ProfileTRT = "trt"

// trtProfile is TensorRT's explicit quantization: int8 with zero point 0 everywhere (NvInfer.h, IQuantizeLayer; the
// parser of onnx-tensorrt rejects uint8 and other zero points), a float Clip in front of widths below 8 bits (its Clip
// has no integer types), float biases (its DequantizeLinear has no int32), and residual branches left in float so that
// the addition fuses with the convolution before it (developer guide, Q/DQ layer-placement recommendations).
func trtProfile() profile {
	return profile{
		name: ProfileTRT, runtime: "TensorRT", maxOpset: 21, build: func(e *exporter) error { return e.place(placeInt8) },
		weights: int8Weights, bias: floatBias, rules: rulesTRT(), int8: true, symmetric: true, branches: true, tolerance: 1,
		storedBits: 8, arithmetic: "int8, whatever the bits",
		unpackable: "the parser of TensorRT has no BitShift",
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
func rulesTRT() []rule {
	return []rule{
		{name: "opset", check: lintOpset},
		{name: "scale", check: lintScales},
		// IQuantizeLayer: "zeroPt ... must be all zeros"; the parser takes UINT8 for an invalid type.
		{name: "container", check: lintContainer(tensor.Int8)},
		{name: "zero", check: lintZero},
		// docs/operators.md of onnx-tensorrt: Clip has no integer types.
		{name: "integer-clip", check: lintIntegerClip},
		{name: "layer", check: lintOperands},
		// The same table: DequantizeLinear takes INT8, FP8 and INT4, so an int32 bias does not import.
		{name: "float-bias", check: lintFloatBias},
		{name: "levels", check: lintFloatLevels},
		// quant_resnet50.rst, "Further optimization": quantize the residual input, not the convolution's output.
		{name: "residual", check: lintResidual, warning: true},
		// operators.md: these have no importer.
		{name: "operator", check: lintIntegerOperators},
	}
}
