package export

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// layerBias adds the int32 bias of a layer at the scale of its integer product, stepX*Scale.
func (e *exporter) layerBias(n *onnx.Node, l *quantize.Layer, f quantize.Folded, stepX float32) error {
	scale := make([]float32, len(f.Scale))
	for k, s := range f.Scale {
		scale[k] = stepX * s
	}
	shape := tensor.Shape{len(f.Bias)}
	name := l.Bias
	if name == "" {
		name = l.Node + "/bias"
	}
	bias, err := e.dequantizeChannels(l.Node+"/bias", name, tensor.From(shape, f.Bias), scale, tensor.From(shape, make([]int32, len(f.Bias))), 0)
	if err != nil {
		return err
	}
	n.SetInput(2, bias)
	if n.Op() == "Gemm" {
		// onnxruntime's integer Gemm asks for the attribute itself.
		n.SetAttr(onnx.FloatAttr("beta", 1))
	}
	return nil
}
