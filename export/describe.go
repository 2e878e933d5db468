package export

import (
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// record notes where the codes of a tensor are and how wide they are.
func (e *exporter) record(tensor string, codes *onnx.Value, node string, bits int, t *quantize.Point, grid quantize.Grid, stream bool) {
	b := metadata.TensorBits{Tensor: tensor, Node: node, Codes: codes.Name(), Bits: bits, Signed: signedCodes(t), Stream: stream}
	if t.Asymmetric {
		b.Zero = int(grid.Zero)
	}
	e.desc.Tensors = append(e.desc.Tensors, b)
}

// describe writes the metadata.
func (e *exporter) describe() error {
	for i := range e.plan.Layers {
		w, a := e.plan.Bits(e.policy, i)
		e.desc.Layers = append(e.desc.Layers, metadata.LayerBits{Node: e.plan.Layers[i].Node, W: w, A: a})
	}
	return e.desc.Write(e.model)
}
