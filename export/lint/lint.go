// Package lint checks a quantized document, of mpqc or of another program, against what a runtime asks of it. It knows
// conventions one by one; which of them a runtime has, and why, its profile in package export says.
package lint

import (
	"errors"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// Finding is one thing that is wrong, or may be, with an exported document.
type Finding struct {
	Rule    string `json:"rule"`
	Node    string `json:"node"`
	Message string `json:"message"`
	// Warning marks what is right in itself and matters on some machines only.
	Warning bool `json:"warning,omitempty"`
}

// String is the finding as one line.
func (f Finding) String() string { return fmt.Sprintf("%s: node %q: %s", f.Rule, f.Node, f.Message) }

// Reporter takes what a check has to say of a node, or of the document where the node is "".
type Reporter = func(node, format string, args ...any)

// Checker checks one convention on a whole document, which d describes.
type Checker = func(m *onnx.Model, d metadata.Description, report Reporter)

// Rule is a convention under the name that findings show.
type Rule struct {
	Name  string
	Check Checker
	// Warning is Finding.Warning of what the rule reports.
	Warning bool
}

// Conventions are what one runtime asks of a document.
type Conventions struct {
	Rules []Rule
	// Bare says that documents have no quantizers of their own, so that one without any is no mistake.
	Bare bool
}

// Check lists what a document does against conventions, in the order of the rules and of the document. Any program may
// have written it: layers are taken to have 8 bits where it does not say. It is an error if the document has no
// quantized layers, or describes itself wrongly.
func Check(m *onnx.Model, c Conventions) ([]Finding, error) {
	if !c.Bare && !slices.ContainsFunc(m.Graph.Nodes(), quantized) {
		return nil, errors.New("lint: the model has no quantized layers")
	}
	d := foreign(m)
	if _, ours := m.Metadata(metadata.PolicyKey); ours {
		var err error
		if d, err = metadata.Describe(m); err != nil {
			return nil, fmt.Errorf("lint: %w", err)
		}
	}
	var out []Finding
	for _, r := range c.Rules {
		r.Check(m, d, func(node, format string, args ...any) {
			out = append(out, Finding{Rule: r.Name, Node: node, Message: fmt.Sprintf(format, args...), Warning: r.Warning})
		})
	}
	return out, nil
}

// quantized reports whether a node makes or reads codes.
func quantized(n *onnx.Node) bool {
	return qdq.Is(n, "QuantizeLinear") || qdq.Is(n, "DequantizeLinear") || qdq.IsQuant(n) || integerOperator(n)
}

// foreign describes a document that mpqc did not write: its layers are the nodes with quantized weights.
func foreign(m *onnx.Model) metadata.Description {
	var d metadata.Description
	for _, n := range m.Graph.Nodes() {
		switch v := n.Input(1); {
		case !quantize.IsLayerOp(n.Op()):
		case v != nil && (qdq.Is(v.Producer(), "DequantizeLinear") || qdq.IsQuant(v.Producer())):
			d.Layers = append(d.Layers, metadata.LayerBits{Node: n.Name(), W: 8, A: 8})
		}
	}
	return d
}
