package export

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// view makes an operator that only moves values work on codes, and hands its output on.
func (e *exporter) view(i int, q quantizer, codes *onnx.Value, n *onnx.Node) error {
	n.SetInput(0, codes)
	if n.Op() == "Pad" {
		zero, err := e.constant(n.Name()+"/zero", tensor.Scalar(q.grid.Zero))
		if err != nil {
			return err
		}
		n.SetInput(2, zero)
	}
	out := n.Output(0)
	uses, name, shape := out.Uses(), out.Name(), shapeOf(out)
	if out.IsOutput() {
		// What leaves the model stays float, under its own name.
		v, err := e.dequantize(q, out, n.Name()+"/dequantize", name+"/float")
		if err != nil {
			return err
		}
		if err := e.graph.ReplaceOutput(out, v); err != nil {
			return err
		}
	}
	out.SetType(tensor.Uint8, shape)
	return e.carry(i, q, name, out, uses)
}
