package division

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
	"github.com/mpqc/mpqc/quantize"
)

// Scores lists the values of a file that predictions are read from: those where a file of mpqc goes on as the float model does,
// unless there are layers behind them, else those in front of a last Softmax or ArgMax; none where these are its outputs.
func Scores(file *onnx.Model) ([]string, error) {
	cut, err := scoresAtCut(file)
	if err != nil || len(cut) > 0 {
		return cut, err
	}
	return allScores(file), nil
}

// scoresAtCut lists the values behind which a file of mpqc goes on as the float model does; none where these are features
// that further layers read.
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

// allScores lists what scoresOf finds for every output, each once; none where these are the outputs themselves. Outputs that
// no picture reaches are no predictions.
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

// scoresOf is the value that a last Softmax or ArgMax reads, else the output itself.
func scoresOf(v *onnx.Value) *onnx.Value {
	for n := v.Producer(); n != nil && (lastSoftmax(n) || lastArgMax(n)); n = v.Producer() {
		v = n.Input(0)
	}
	return v
}

// lastArgMax recognises an ArgMax over rows of class scores.
func lastArgMax(n *onnx.Node) bool {
	if n.Domain() != "" || n.Op() != "ArgMax" || n.Input(0) == nil {
		return false
	}
	s, known := n.Input(0).Shape()
	axis := n.Int("axis", 0)
	return known && len(s) == 2 && (axis == -1 || axis == 1)
}

// lastSoftmax recognises a Softmax of rows of class scores.
func lastSoftmax(n *onnx.Node) bool {
	if n.Domain() != "" || n.Op() != "Softmax" && n.Op() != "LogSoftmax" || n.Output(0) == nil {
		return false
	}
	s, known := n.Output(0).Shape()
	axis := n.Int("axis", -1)
	return known && len(s) == 2 && (axis == -1 || axis == 1)
}
