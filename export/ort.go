package export

import (
	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/quantize"
)

// ProfileORT is what the CPU provider of onnxruntime fuses into QLinear kernels.
const ProfileORT = "ort"

// ortProfile is the dialect of onnxruntime's CPU provider: uint8 activations, per-channel int8 weights and int32
// biases, each behind DequantizeLinear; widths below 8 bits by a Clip of the codes after QuantizeLinear, since a float
// Clip or a Relu that is not redundant would keep the operator before it from being fused.
func ortProfile() Profile {
	return Profile{
		Name: ProfileORT, Runtime: "onnxruntime", Arithmetic: eightBits, MaxOpset: newestOpset, StoredBits: 8,
		ZeroPoints: true, ConvOutputs: true, Pairs: quantize.PairedFlat,
		build: buildORT, weights: int8Weights, bias: int32Bias, rules: rulesORT(),
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

// rulesORT are what onnxruntime's fusions ask of a document.
func rulesORT() []lint.Rule {
	return []lint.Rule{
		{Name: "opset", Check: lint.Opset(newestOpset)},
		{Name: "scale", Check: lint.Scales},
		// QDQS8ToU8 misses some int8 pairs on x86, which then do not fuse.
		{Name: "container", Check: lint.Container(tensor.Uint8)},
		{Name: "pair", Check: lint.Pairs},
		{Name: "layer", Check: lint.Layers},
		{Name: "bias-scale", Check: lint.Bias},
		{Name: "levels", Check: lint.Levels},
		{Name: "fusion", Check: lint.Fusion, Warning: true},
	}
}
