package pass

import (
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// MeanToPool writes the mean over height and width as GlobalAveragePool, which runtimes have integer kernels for and
// ReduceMean has none. It is the same sum over the same elements; without keepdims a Flatten gives the shape N x C.
type MeanToPool struct{ always }

// Name names the pass.
func (MeanToPool) Name() string { return "means" }

// Apply rewrites every ReduceMean whose input is known to be an N x C x H x W tensor of float32.
func (MeanToPool) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		if n.Domain() != "" || n.Op() != "ReduceMean" || !overPlane(n) {
			continue
		}
		if err := toPool(m.Graph, n); err != nil {
			return modified, err
		}
		modified = true
	}
	return modified, nil
}

// overPlane reports whether a reduction is over dimensions 2 and 3 of four. Axes are an attribute before opset 18 and
// an input after; without them all dimensions are meant.
func overPlane(n *onnx.Node) bool {
	x := n.Input(0)
	if x == nil || n.Output(0) == nil || x.DType() != tensor.Float32 {
		return false
	}
	if s, known := x.Shape(); !known || len(s) != 4 {
		return false
	}
	axes := n.Ints("axes")
	if v := n.Input(1); v != nil {
		axes = constInts(v)
	}
	var plane []int64
	for _, a := range axes {
		if a < 0 {
			a += 4
		}
		plane = append(plane, a)
	}
	slices.Sort(plane)
	return slices.Equal(plane, []int64{2, 3})
}

func toPool(g *onnx.Graph, n *onnx.Node) error {
	x, out := n.Input(0), n.Output(0)
	s, _ := x.Shape()
	pooled := tensor.Shape{s[0], s[1], 1, 1}
	keep := n.Int("keepdims", 1) != 0
	pool, err := g.AddNode(onnx.NodeSpec{
		Name: g.FreshName(n.Name() + "/pool"), Op: "GlobalAveragePool", Inputs: []*onnx.Value{x},
		Outputs: []string{g.FreshName(out.Name() + "/pool")},
	}, n)
	if err != nil {
		return err
	}
	v := pool.Output(0)
	v.SetType(tensor.Float32, pooled)
	if !keep {
		flat, err := g.AddNode(onnx.NodeSpec{
			Name: g.FreshName(n.Name() + "/flatten"), Op: "Flatten", Inputs: []*onnx.Value{v},
			Outputs: []string{g.FreshName(out.Name() + "/flatten")}, Attrs: []onnx.Attr{onnx.IntAttr("axis", 1)},
		}, n)
		if err != nil {
			return err
		}
		v = flat.Output(0)
		v.SetType(tensor.Float32, pooled[:2])
	}
	return takeOver(g, n, v)
}

// takeOver removes a node and gives v its output's name, readers and place among the graph outputs.
func takeOver(g *onnx.Graph, n *onnx.Node, v *onnx.Value) error {
	out := n.Output(0)
	name, isOutput := out.Name(), out.IsOutput()
	if err := g.ReplaceUses(out, v); err != nil {
		return err
	}
	if isOutput {
		if err := g.ReplaceOutput(out, v); err != nil {
			return err
		}
	}
	if err := g.Remove(n); err != nil || isOutput {
		return err
	}
	return g.RenameValue(v, name)
}
