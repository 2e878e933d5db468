package export

import (
	"errors"
	"fmt"
	"slices"

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

// rule checks one convention of a dialect on a whole document.
type rule struct {
	name  string
	check func(m *onnx.Model, d Description, report func(node, format string, args ...any))
	// warning is Finding.Warning of what the rule reports.
	warning bool
}

// Lint checks a quantized document against the conventions of a profile and lists what it finds, in the order of the
// rules and of the document. It may have been written by any program: then layers are taken to have 8 bits.
func Lint(m *onnx.Model, name string) ([]Finding, error) {
	p, err := profileByName(name)
	if err != nil {
		return nil, fmt.Errorf("lint: %w", err)
	}
	d := foreign(m)
	if !p.bare && !slices.ContainsFunc(m.Graph.Nodes(), quantized) {
		return nil, errors.New("lint: the model has no quantized layers")
	}
	if _, ours := m.Metadata(PolicyKey); ours {
		if d, err = Describe(m); err != nil {
			return nil, fmt.Errorf("lint: %w", err)
		}
	}
	var out []Finding
	for _, r := range p.rules {
		r.check(m, d, func(node, format string, args ...any) {
			out = append(out, Finding{Rule: r.name, Node: node, Message: fmt.Sprintf(format, args...), Warning: r.warning})
		})
	}
	return out, nil
}

// quantized reports whether a node makes or reads codes.
func quantized(n *onnx.Node) bool {
	return isQuant(n, "QuantizeLinear") || isQuant(n, "DequantizeLinear") || isQuantNode(n) || integerOperator(n)
}

// foreign describes a document that mpqc did not write: its layers are the nodes with quantized weights.
func foreign(m *onnx.Model) Description {
	var d Description
	for _, n := range m.Graph.Nodes() {
		switch v := n.Input(1); {
		case !quantize.IsLayerOp(n.Op()):
		case v != nil && (isQuant(v.Producer(), "DequantizeLinear") || isQuantNode(v.Producer())):
			d.Layers = append(d.Layers, LayerBits{Node: n.Name(), W: 8, A: 8})
		}
	}
	return d
}
