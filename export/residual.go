package export

import (
	"slices"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// Plan is the plan as the profile's files compute it, for the reference that they are verified against. It differs from
// the plan that was trained in two ways. Where the runtime wants residual branches in float, of the two operands of an
// Add the one that a layer computes and nothing else reads loses its quantizer, the deeper one if both could. Where it
// computes a Conv on integers whatever follows, results of convolutions in front of activations lose theirs.
func (p Profile) Plan(m *onnx.Model, plan *quantize.Plan) *quantize.Plan {
	if !p.FloatBranches && p.ConvOutputs {
		return plan
	}
	c := *plan
	c.Points = slices.Clone(plan.Points)
	for i := range c.Points {
		t := &c.Points[i]
		t.Off = t.Off || t.Output && !p.ConvOutputs
	}
	if p.FloatBranches {
		floatBranches(m.Graph, c.Points)
	}
	return &c
}

// floatBranches takes the quantizer from one operand of every Add.
func floatBranches(g *onnx.Graph, points []quantize.Point) {
	point := map[string]int{}
	for i := range points {
		point[points[i].Tensor] = i
	}
	depth := depths(g)
	for _, n := range g.Nodes() {
		if n.Op() != "Add" {
			continue
		}
		best, deepest := -1, -1
		for _, v := range n.Inputs() {
			if v == nil {
				continue
			}
			if i, ok := point[v.Name()]; ok && branch(v, &points[i]) && depth[v] > deepest {
				best, deepest = i, depth[v]
			}
		}
		if best >= 0 {
			points[best].Off = true
		}
	}
}

// branch reports whether a quantizer sits between a layer and the one Add that reads it.
func branch(v *onnx.Value, t *quantize.Point) bool {
	n := v.Producer()
	if n != nil && n.Op() == "BatchNormalization" && n.Input(0) != nil {
		n = n.Input(0).Producer()
	}
	if n == nil || n.Traits().Kind != op.Conv && n.Traits().Kind != op.Gemm {
		return false
	}
	return t.Stream && len(t.Layers) == 0 && len(v.Uses()) == 1 && !v.IsOutput()
}

// depths counts the nodes on the longest way from a graph input to every value.
func depths(g *onnx.Graph) map[*onnx.Value]int {
	depth := map[*onnx.Value]int{}
	for _, n := range g.Nodes() {
		d := 0
		for _, v := range n.Inputs() {
			if v != nil {
				d = max(d, depth[v])
			}
		}
		for _, v := range n.Outputs() {
			if v != nil {
				depth[v] = d + 1
			}
		}
	}
	return depth
}
