package export

import "github.com/mpqc/mpqc/quantize"

// ProfileORT is what the CPU provider of onnxruntime fuses into QLinear kernels.
const ProfileORT = "ort"

// ortProfile is the dialect of onnxruntime's CPU provider: uint8 activations, per-channel int8 weights and int32
// biases, each behind DequantizeLinear; widths below 8 bits by a Clip of the codes after QuantizeLinear, since a float
// Clip or a Relu that is not redundant would keep the operator before it from being fused.
func ortProfile() profile {
	return profile{
		name: ProfileORT, runtime: "onnxruntime", maxOpset: 21, build: buildORT, weights: int8Weights, bias: int32Bias, rules: rulesORT(),
		outputs: true, storedBits: 8, arithmetic: eightBits, pairs: quantize.PairedFlat,
	}
}

func buildORT(e *exporter) error {
	if err := e.layers(); err != nil {
		return err
	}
	for i := range e.plan.Points {
		if err := e.quantizeRoot(i); err != nil {
			return err
		}
	}
	return nil
}
