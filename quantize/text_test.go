package quantize_test

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/mpqc/mpqc/quantize"
)

// text is a plan as lines, for golden files.
func text(p *quantize.Plan) string {
	var s strings.Builder
	for _, l := range p.Layers {
		fmt.Fprintf(&s, "layer %s %s %s -> %s out %d axis %d w %q b %q n %q reads %q point %d makes %q macs %d params %d bits %v%s%s\n",
			l.Node, l.Op, l.Shape, l.OutputShape, l.OutChannels, l.Axis, l.Weight, l.Bias, l.Norm, l.Input, l.Point, l.Output,
			l.MACs, l.Params, l.Candidates, mark(l.Depthwise, " depthwise"), mark(l.Fixed, " fixed"))
	}
	for _, x := range p.Points {
		fmt.Fprintf(&s, "point %s elements %d bits %v layers %v %s%s%s", x.Tensor, x.Elements, x.Candidates, x.Layers,
			map[bool]string{true: "signed", false: "unsigned"}[x.Signed], mark(x.Stream, " stream"), mark(x.Fixed, " fixed"))
		if x.ClipMax != 0 {
			fmt.Fprintf(&s, " clip %g", x.ClipMax)
		}
		s.WriteByte('\n')
	}
	for _, name := range slices.Sorted(maps.Keys(p.Roots)) {
		fmt.Fprintf(&s, "root %s %d\n", name, p.Roots[name])
	}
	for _, f := range p.Float {
		fmt.Fprintf(&s, "float %s %s: %s\n", f.Node, f.Op, f.Reason)
	}
	fmt.Fprintf(&s, "rest %d macs %d\n", p.FloatRest, p.MACs())
	return s.String()
}

func mark(on bool, word string) string {
	if on {
		return word
	}
	return ""
}
