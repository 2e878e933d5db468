package pass

import "github.com/mpqc/mpqc/onnx"

// InlineFunctions writes out the functions that a model brings, which exporters leave in place of operators: see
// onnx.Model.InlineFunctions. Functions of another operator set than the model's stay.
type InlineFunctions struct{ always }

// Name names the pass.
func (InlineFunctions) Name() string { return "functions" }

// Apply inlines. What was inside functions is checked as the rest of the document was when it was read.
func (InlineFunctions) Apply(m *onnx.Model) (bool, error) {
	n, err := m.InlineFunctions()
	if err != nil || n == 0 {
		return false, err
	}
	if err := m.Graph.Sort(); err != nil {
		return true, err
	}
	return true, m.Validate()
}
