package pass

import (
	"fmt"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// checkArity wants the inputs that operators of ONNX's own domain cannot do without, and an output of every node.
// Passes then need not look for them one by one.
func checkArity(g *onnx.Graph) error {
	for _, n := range g.Nodes() {
		row := n.Traits()
		want := row.Min
		if n.Domain() != "" || want == 0 {
			continue
		}
		if row.Max == op.Any {
			want = max(len(n.Inputs()), want)
		}
		for i := range want {
			if n.Input(i) == nil {
				return fmt.Errorf("%s lacks input %d", n, i)
			}
		}
		if n.Output(0) == nil && !row.NoOutput {
			return fmt.Errorf("%s lacks its output", n)
		}
	}
	return nil
}
