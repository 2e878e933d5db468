package session

import (
	"fmt"
	"path/filepath"

	"github.com/mpqc/mpqc/internal/file"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// FloatOp is a node of a quantized file that onnxruntime computes in float.
type FloatOp struct {
	Node   string `json:"node"`
	Op     string `json:"op"`
	Reason string `json:"reason"`
}

// FloatOps lists the nodes that compute in float after onnxruntime has rewritten the file, and counts those that
// compute on integers. reasons maps nodes to the reasons of the plan. dir is for a temporary file.
func (d Document) FloatOps(dir string, reasons map[string]string) (integer int, out []FloatOp, err error) {
	m, err := d.optimized(dir)
	if err != nil {
		return 0, nil, fmt.Errorf("inspect fusions: %w", err)
	}
	out = []FloatOp{}
	for _, n := range m.Graph.Nodes() {
		switch {
		case op.Fused(n.Op()):
			integer++
		case floatArithmetic(n):
			reason := reasons[n.Name()]
			if reason == "" {
				reason = "onnxruntime fused no integer kernel: an operand or the result is not quantized by itself"
			}
			out = append(out, FloatOp{n.Name(), n.Op(), reason})
		}
	}
	return integer, out, nil
}

// optimized returns the model as onnxruntime rewrites it. onnxruntime can only write that to a file. It goes to a
// temporary folder inside dir, since the system's temporary folder may be full or missing.
func (d Document) optimized(dir string) (*onnx.Model, error) {
	dir, remove, err := file.Temporary(dir)
	if err != nil {
		return nil, err
	}
	defer remove()
	path := filepath.Join(dir, "optimized.onnx")
	if err := ort.SaveOptimized(d.data, path, d.folder); err != nil {
		return nil, err
	}
	return onnx.Load(path)
}

// floatArithmetic reports whether n computes in float. Conversions and moves of elements do not.
func floatArithmetic(n *onnx.Node) bool {
	if n.Traits().Has(op.Carries) || quantize.IsView(n) || n.Output(0) == nil {
		return false
	}
	// Clip and Concat also run on codes.
	for _, v := range n.Inputs() {
		if v != nil && v.Producer() != nil && isCodes(v) {
			return false
		}
	}
	return true
}

// isCodes reports whether v holds codes. It follows v back to the operator that made codes from floats.
func isCodes(v *onnx.Value) bool {
	for n := v.Producer(); n != nil; n = n.Input(0).Producer() {
		switch name := n.Op(); {
		case name == "QGemm":
			return len(n.Inputs()) > 7 // with a scale of its result, which is float otherwise
		case name == "QuantizeLinear", op.Fused(name):
			return true
		case name == "Clip", name == "Concat", name == "NhwcMaxPool", quantize.IsView(n):
		default:
			return false
		}
		if n.Input(0) == nil {
			return false
		}
	}
	return false
}
