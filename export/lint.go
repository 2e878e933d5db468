package export

import (
	"fmt"

	"github.com/mpqc/mpqc/onnx"
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

// Lint checks an exported document against the conventions of a profile and lists what it finds, in the order of the
// rules and of the document.
func Lint(m *onnx.Model, name string) ([]Finding, error) {
	p, err := profileByName(name)
	if err != nil {
		return nil, fmt.Errorf("lint: %w", err)
	}
	d, err := Describe(m)
	if err != nil {
		return nil, fmt.Errorf("lint: %w", err)
	}
	var out []Finding
	for _, r := range p.rules {
		r.check(m, d, func(node, format string, args ...any) {
			out = append(out, Finding{Rule: r.name, Node: node, Message: fmt.Sprintf(format, args...), Warning: r.warning})
		})
	}
	return out, nil
}
