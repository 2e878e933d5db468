package pass

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// flattens reports whether a node up to opset 12 takes all dimensions from its axis on for one.
func flattens(n *onnx.Node) bool {
	return n.Traits().Legacy == op.Flattened && n.Input(0) != nil
}

// unflatten gives nodes of the meaning up to opset 12 that of opset 13, which works along one axis. Shapes that
// exporters compute are folded first: most files of that age say no shape but those of inputs and outputs.
func (p UpgradeOpset) unflatten(m *onnx.Model, nodes []*onnx.Node) error {
	unknown := func(n *onnx.Node) bool {
		_, known := n.Input(0).Shape()
		return !known
	}
	if slices.ContainsFunc(nodes, unknown) {
		if _, err := (Sequence{InferShapes{}, FoldConstants{work: p.work}, FoldBatch{work: p.work}}).Fixpoint(m); err != nil {
			return err
		}
	}
	for _, n := range nodes {
		if err := unflattenNode(m.Graph, n); err != nil {
			return fmt.Errorf("upgrade %s: %w", n, err)
		}
	}
	return nil
}

// unflattenNode changes the axis of a node where one of its dimensions holds all elements, else puts it between
// Reshapes.
func unflattenNode(g *onnx.Graph, n *onnx.Node) error {
	axis := int(n.Int("axis", 1))
	s, known := n.Input(0).Shape()
	if !known {
		if axis < -1 {
			return fmt.Errorf("its axis %d counts from the end of a value whose dimensions nobody knows: export the model with opset %d or later",
				axis, MinOpset)
		}
		if axis >= 0 {
			return betweenReshapes(g, n, axis, nil)
		}
		n.SetAttr(onnx.IntAttr("axis", -1))
		return nil
	}
	if axis < 0 {
		axis += len(s)
	}
	if axis < 0 || axis > max(len(s)-1, 0) {
		return fmt.Errorf("axis %d lies outside of shape %s", n.Int("axis", 1), s)
	}
	if axis == 0 && len(s) > 1 && s[0] == 1 {
		axis = 1 // the same, and still so once the batch is open
	}
	if axis == 0 && len(s) > 0 && s[0] < 0 {
		return fmt.Errorf("its axis 0 makes one of all samples of a batch, which have to stay apart: export the model with another axis")
	}
	alone, ok := onlyDimension(s, axis)
	if !ok {
		return betweenReshapes(g, n, axis, s)
	}
	n.SetAttr(onnx.IntAttr("axis", int64(alone)))
	return nil
}

// onlyDimension is the axis that holds all elements from an axis on, -1 for the last one.
func onlyDimension(s tensor.Shape, axis int) (int, bool) {
	last := len(s) - 1
	alone := last
	for i := axis; i < last; i++ {
		switch {
		case s[i] == 1:
		case alone == last && s[last] == 1:
			alone = i
		default:
			return 0, slices.Contains(s, 0) // of nothing, any axis will do
		}
	}
	if alone == last {
		alone = -1
	}
	return alone, true
}

// betweenReshapes lets a node work along the last axis of a value whose dimensions from an axis on are one. A nil shape
// is unknown.
func betweenReshapes(g *onnx.Graph, n *onnx.Node, axis int, s tensor.Shape) error {
	x, y := n.Input(0), n.Output(0)
	if y == nil {
		return nil
	}
	name := n.Name()
	to, err := addInts(g, name+"/flat", append(make([]int64, axis), -1)...)
	if err != nil {
		return err
	}
	flat := tensor.Shape(nil)
	if s != nil {
		flat = append(s[:axis:axis], max(s[axis:].Numel(), -1))
	}
	in, err := chain(g, n, x, name, y.Name(), []step{{"Reshape", []*onnx.Value{to}, flat, nil}})
	if err != nil {
		return err
	}
	back, err := shapeOfValue(g, n, axis, s)
	if err != nil {
		return err
	}
	work, err := g.AddNode(onnx.NodeSpec{
		Name: g.FreshName(name + "/" + n.Op()), Op: n.Op(), Inputs: []*onnx.Value{in}, Outputs: []string{g.FreshName(y.Name() + "/flat")},
		Attrs: []onnx.Attr{onnx.IntAttr("axis", -1)},
	}, n)
	if err != nil {
		return err
	}
	work.Output(0).SetType(x.DType(), flat)
	out, err := chain(g, n, work.Output(0), name, y.Name(), []step{{"Reshape", []*onnx.Value{back}, s, nil}})
	if err != nil {
		return err
	}
	return takeOver(g, n, out)
}

// shapeOfValue is what a Reshape takes to undo that of betweenReshapes: constant where one dimension at most is open.
func shapeOfValue(g *onnx.Graph, n *onnx.Node, axis int, s tensor.Shape) (*onnx.Value, error) {
	target := make([]int64, len(s))
	open := 0
	for i := axis; i < len(s); i++ {
		if target[i] = int64(s[i]); s[i] < 0 {
			open++
		}
	}
	if s != nil && open < 2 {
		return addInts(g, n.Name()+"/shape", target...)
	}
	shape, err := g.AddNode(onnx.NodeSpec{
		Name: g.FreshName(n.Name() + "/Shape"), Op: "Shape", Inputs: []*onnx.Value{n.Input(0)}, Outputs: []string{g.FreshName(n.Output(0).Name() + "/Shape")},
	}, n)
	if err != nil {
		return nil, err
	}
	shape.Output(0).SetType(tensor.Int64, nil)
	return shape.Output(0), nil
}
