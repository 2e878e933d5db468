package pass

import "github.com/mpqc/mpqc/onnx"

// Prune removes nodes that nothing needs and initializers that nothing reads.
type Prune struct{ always }

// Name names the pass.
func (Prune) Name() string { return "dead code" }

// Apply prunes.
func (Prune) Apply(m *onnx.Model) (bool, error) { return m.Graph.Prune() > 0, nil }
