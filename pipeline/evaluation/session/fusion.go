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

// FloatOp is a node that onnxruntime computes in float although the file is quantized.
type FloatOp struct {
	Node   string `json:"node"`
	Op     string `json:"op"`
	Reason string `json:"reason"`
}

// FloatOps lists the nodes that compute in float after onnxruntime's own rewriting of a file, and counts those on
// integers. Reasons are those of the plan, by node. The rewritten file lies below the folder for a moment.
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

// optimized is the model as onnxruntime rewrites it. The runtime only writes that to a file: one in a folder that has room for
// the model itself, rather than in the system's for temporaries, which may be full or missing.
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

// floatArithmetic reports whether a node computes: conversions and moves of elements do not.
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

// isCodes follows a value back to the operator that made codes of floats.
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
