package export

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/onnx/shape"
)

// opset brings the document to an operator set that the profile's runtime fuses, and the file format to the version
// that goes with it. Sets after 21 gave the operators of 21 further element types and nothing else, so a document
// without the operators that they added can be declared as 21.
func (e *exporter) opset() error {
	v := e.model.Opset("")
	if v < 13 {
		return fmt.Errorf("opset %d has no per-channel DequantizeLinear; normalise the model first", v)
	}
	if v > e.profile.MaxOpset {
		if err := e.checkOpset(v, e.graph); err != nil {
			return err
		}
		v = e.profile.MaxOpset
		e.model.SetOpset("", v)
	}
	switch {
	case v >= 21:
		e.model.IRVersion = 10
	case v >= 19:
		e.model.IRVersion = 9
	default:
		e.model.IRVersion = 8
	}
	return nil
}

// checkOpset refuses operators of a later set than the runtime's fusions know.
func (e *exporter) checkOpset(v int64, g *onnx.Graph) error {
	if v <= e.profile.MaxOpset {
		return nil
	}
	for _, n := range g.Nodes() {
		if n.Domain() == "" && n.Traits().Since > e.profile.MaxOpset {
			return fmt.Errorf("node %q: %s needs opset %d, the runtime's fusions know %d", n.Name(), n.Op(), v, e.profile.MaxOpset)
		}
	}
	return nil
}

// batch fixes the batch at 1 where the runtime wants shapes without free dimensions.
func (e *exporter) batch() error {
	if !e.profile.StaticShapes {
		return nil
	}
	for _, v := range e.graph.Inputs() {
		if s, ok := v.Shape(); ok && len(s) > 0 {
			v.SetType(v.DType(), s.WithBatch(1))
		}
	}
	counted := map[*onnx.Value]bool{} // whose size the data decides
	for _, n := range e.graph.Nodes() {
		counts := n.Traits().Has(op.Counts) || slices.ContainsFunc(n.Inputs(), func(v *onnx.Value) bool { return counted[v] })
		for _, v := range n.Outputs() {
			if v == nil {
				continue
			}
			counted[v] = counts
			if s, ok := v.Shape(); ok && !counts && len(s) > 0 && s[0] < 0 {
				v.SetType(v.DType(), s.WithBatch(1))
			}
		}
	}
	return shape.Infer(e.graph)
}
