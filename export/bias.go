package export

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// int32Bias is the int32 bias of a layer at the scale of its integer product, stepX*Scale.
func int32Bias(e *exporter, n *onnx.Node, l *quantize.Layer, f quantize.Folded, stepX float32) (*onnx.Value, error) {
	scale := make([]float32, len(f.Scale))
	for k, s := range f.Scale {
		scale[k] = stepX * s
	}
	if n.Op() == "Gemm" {
		// onnxruntime's integer Gemm asks for the attribute itself.
		n.SetAttr(onnx.FloatAttr("beta", 1))
	}
	shape := tensor.Shape{len(f.Bias)}
	return e.dequantizeChannels(l.Node+"/bias", biasName(l), tensor.From(shape, f.Bias), scale, tensor.From(shape, make([]int32, len(f.Bias))), 0)
}
