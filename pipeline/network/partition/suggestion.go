package partition

import (
	"fmt"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/onnx"
)

// suggestion tells the user which layers to pass to --exclude so that the network can be cut in front of an operator
// that the engine lacks. It is "" if nothing would be left to compress or to train.
func (c *cut) suggestion(exclude []string) string {
	var out, left []*onnx.Node
	stuck := map[*onnx.Node]bool{} // the blocked nodes and what depends on them
	for _, p := range c.blocked {
		stuck[c.model.Graph.Node(p.Node)] = true
	}
	for _, n := range c.model.Graph.Nodes() {
		stuck[n] = stuck[n] || slices.ContainsFunc(reads(n), func(v *onnx.Value) bool { return stuck[v.Producer()] })
		switch {
		case c.layer[n] && stuck[n]:
			out = append(out, n)
		case c.layer[n]:
			left = append(left, n)
		}
	}
	for ; len(left) > 0; left = left[:len(left)-1] {
		patterns := slices.Clone(exclude)
		for _, n := range out {
			patterns = append(patterns, exactly(n.Name()))
		}
		next, err := newCut(c.model, c.problems, patterns)
		if err == nil && len(next.blocked) == 0 && len(next.crossing()) > 0 {
			if d, err := next.divide(); err == nil && CheckBatch(d.Core) == nil && CheckOperators(d.Core) == nil {
				return fmt.Sprintf("%s can still be compressed, all others stay float: --exclude '%s'", layersText(left), strings.Join(patterns, ","))
			}
		}
		out = append(out, left[len(left)-1])
	}
	return ""
}

// exactly returns a pattern that matches one name. Commas separate patterns, so they become wildcards.
func exactly(name string) string { return strings.ReplaceAll(name, ",", "?") }

// shown is the largest number of layers that a message lists.
const shown = 12

// layersText names layers for a message, shortened beyond shown.
func layersText(nodes []*onnx.Node) string {
	var list []string
	for _, n := range nodes[:min(shown, len(nodes))] {
		list = append(list, n.Name())
	}
	text := strings.Join(list, ", ")
	if more := len(nodes) - shown; more > 0 {
		text += fmt.Sprintf(" and %d more", more)
	}
	return "layers " + text
}
