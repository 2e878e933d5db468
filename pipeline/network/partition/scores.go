package partition

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
	"github.com/mpqc/mpqc/quantize"
)

// Scores lists the values of a file that predictions are read from. These are, in this order of preference:
//   - the values at the cut of a file that mpqc wrote, if no layers follow them;
//   - the values in front of a final Softmax or ArgMax;
//   - none, if these are the outputs of the file themselves.
//
// It is an error if the metadata about the cut is damaged or does not fit the graph.
func Scores(file *onnx.Model) ([]string, error) {
	cut, err := scoresAtCut(file)
	if err != nil || len(cut) > 0 {
		return cut, err
	}
	return allScores(file), nil
}

// scoresAtCut lists the values at the cut that the metadata of a file names. It lists none if layers follow them.
func scoresAtCut(m *onnx.Model) (cut []string, err error) {
	text, ok := m.Metadata(metadata.CutKey)
	if !ok {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &cut); err != nil {
		return nil, fmt.Errorf("metadata %s: %w", metadata.CutKey, err)
	}
	tail, err := m.Extract(append(onnx.Names(m.Graph.Inputs()), cut...), onnx.Names(m.Graph.Outputs()))
	if err != nil || slices.ContainsFunc(tail.Graph.Nodes(), func(n *onnx.Node) bool { return quantize.IsLayerOp(n.Op()) }) {
		return nil, err
	}
	return cut, nil
}

// allScores lists the distinct values that scoresOf finds for the outputs. It lists none if these are the outputs
// themselves. Outputs that do not depend on the input are no predictions.
func allScores(m *onnx.Model) (cut []string) {
	if shape.Infer(m.Graph) != nil {
		return nil
	}
	reached := map[*onnx.Node]bool{}
	fed := func(v *onnx.Value) bool { return v.Producer() == nil && v.Const() == nil || reached[v.Producer()] }
	for _, n := range m.Graph.Nodes() {
		reached[n] = slices.ContainsFunc(reads(n), fed)
	}
	other := false
	for _, out := range m.Graph.Outputs() {
		if !fed(out) {
			other = true
			continue
		}
		v := scoresOf(out)
		other = other || !v.IsOutput()
		if !slices.Contains(cut, v.Name()) {
			cut = append(cut, v.Name())
		}
	}
	if !other {
		return nil
	}
	return cut
}

// scoresOf returns the value that a final Softmax or ArgMax reads, else the output v itself.
func scoresOf(v *onnx.Value) *onnx.Value {
	for n := v.Producer(); n != nil && (lastSoftmax(n) || lastArgMax(n)); n = v.Producer() {
		v = n.Input(0)
	}
	return v
}

// lastArgMax reports whether n is an ArgMax over rows of class scores.
func lastArgMax(n *onnx.Node) bool {
	if n.Domain() != "" || n.Op() != "ArgMax" || n.Input(0) == nil {
		return false
	}
	s, known := n.Input(0).Shape()
	axis := n.Int("axis", 0)
	return known && len(s) == 2 && (axis == -1 || axis == 1)
}

// lastSoftmax reports whether n is a Softmax or LogSoftmax over rows of class scores.
func lastSoftmax(n *onnx.Node) bool {
	if n.Domain() != "" || n.Op() != "Softmax" && n.Op() != "LogSoftmax" || n.Output(0) == nil {
		return false
	}
	s, known := n.Output(0).Shape()
	axis := n.Int("axis", -1)
	return known && len(s) == 2 && (axis == -1 || axis == 1)
}
