package partition

import (
	"errors"
	"fmt"
	"strings"

	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// BlockedError says that the engine lacks an operator whose result a layer needs.
type BlockedError struct {
	Problems []decode.Problem // one for each such node
	Fix      string           // what the user can do
}

// Error names the nodes and what to do about them.
func (e *BlockedError) Error() string { return e.Reason() + "; " + e.Fix }

// Reason names the nodes without the remedy.
func (e *BlockedError) Reason() string {
	var nodes []string
	for _, p := range e.Problems {
		nodes = append(nodes, fmt.Sprintf("node %q (%s): %v", p.Node, p.Op, p.Err))
	}
	return "layers stand behind what the engine cannot compute: " + strings.Join(nodes, ", ")
}

// FromQuantized reports whether an operator occurs in quantized models only. It may carry its domain, as "domain.Op".
func FromQuantized(operator string) bool {
	name := operator[strings.LastIndex(operator, ".")+1:]
	return op.OnCodes(name) || name == "DequantizeLinear" || strings.HasSuffix(name, "QuantizeLinear")
}

// OperatorFix says what the user can do about a node of m that the engine refuses.
func OperatorFix(p decode.Problem, m *onnx.Model) string {
	if !errors.Is(p.Err, decode.ErrUnsupported) {
		return "export the model with constants in place of computed settings, or rebuild this part from other operators"
	}
	n := m.Graph.Node(p.Node)
	switch {
	case n != nil && n.HasSubgraph():
		return "export without control flow (torch.jit.trace in place of script), or fold the condition with onnxsim"
	case n != nil && n.Domain() != "" && m.Defines(n):
		return "the operator is a function of the model for another operator set: export both for the same one, or try onnx.inliner.inline_local_functions(model, convert_version=True)"
	case n != nil && n.Domain() != "":
		return "export the model with standard ONNX operators; a file that onnxruntime optimised has lost them, use the one before"
	}
	return "build this part of the model from other operators and export it again"
}
