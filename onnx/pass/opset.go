package pass

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// MinOpset is the opset a normalised model has at least: the first with per-channel QuantizeLinear.
const MinOpset = 13

// oldestOpset is the first whose models can be brought forward: before it Add and others had other broadcasting rules.
const oldestOpset = 7

// UpgradeOpset brings models of opset 7 to 12 to opset 13 where every operator of the model keeps its meaning, changed
// its attributes into inputs only, or can be written by others.
type UpgradeOpset struct {
	work *budget // see FoldConstants
}

// Name names the pass.
func (UpgradeOpset) Name() string { return "opset" }

// Requires is an error that names the first node that cannot be brought forward.
func (UpgradeOpset) Requires(m *onnx.Model) error {
	v := m.Opset("")
	switch {
	case v >= MinOpset:
		return nil
	case v < oldestOpset:
		return fmt.Errorf("opset %d is older than %d: export the model again", v, oldestOpset)
	}
	if list := Outdated(m); len(list) > 0 {
		return fmt.Errorf("%s has another meaning in opset %d than in %d: export the model again", list[0], MinOpset, v)
	}
	return nil
}

// Outdated lists the nodes of a model older than MinOpset whose meaning has changed since, so that UpgradeOpset cannot
// bring it forward: all nodes where the opset is too old altogether.
func Outdated(m *onnx.Model) []*onnx.Node {
	v := m.Opset("")
	if v >= MinOpset {
		return nil
	}
	var list []*onnx.Node
	for _, n := range m.Graph.Nodes() {
		if n.Domain() == "" && (v < oldestOpset || !upgradable(n)) {
			list = append(list, n)
		}
	}
	return list
}

// Ensures checks the opset.
func (UpgradeOpset) Ensures(m *onnx.Model) error {
	if v := m.Opset(""); v < MinOpset {
		return fmt.Errorf("opset is %d", v)
	}
	return nil
}

// Apply rewrites nodes and sets the opset.
func (p UpgradeOpset) Apply(m *onnx.Model) (bool, error) {
	if m.Opset("") >= MinOpset {
		return false, nil
	}
	var flattening []*onnx.Node
	for _, n := range m.Graph.Nodes() {
		if n.Domain() != "" {
			continue
		}
		if flattens(n) {
			flattening = append(flattening, n)
			continue
		}
		if err := upgrade(m.Graph, n); err != nil {
			return true, fmt.Errorf("upgrade %s: %w", n, err)
		}
	}
	m.SetOpset("", MinOpset)
	m.IRVersion = max(m.IRVersion, 7) // IR 7 came with opset 13
	return true, p.unflatten(m, flattening)
}

// upgradable reports whether upgrade brings a node of opset 7 to 12 to 13.
func upgradable(n *onnx.Node) bool {
	row := n.Traits()
	switch {
	case n.Op() == "BatchNormalization":
		return n.Int("spatial", 1) == 1 && len(n.Outputs()) == 1
	case n.Op() == "Dropout":
		return true // removed: outside training it does nothing
	case row.Legacy == op.Rewritten:
		return !n.HasSubgraph()
	default:
		return row.Legacy != op.Unread
	}
}

func upgrade(g *onnx.Graph, n *onnx.Node) error {
	switch n.Op() {
	case "BatchNormalization":
		n.RemoveAttr("spatial")
	case "Dropout":
		if n.Output(1) == nil || len(n.Output(1).Uses()) == 0 {
			_, err := bypass(g, n)
			return err
		}
		n.RemoveAttr("ratio")
	case "Clip":
		return upgradeClip(g, n)
	case "Pad":
		return upgradePad(g, n)
	}
	for i, name := range n.Traits().Moved {
		if err := intsInput(g, n, name, i+1); err != nil {
			return err
		}
	}
	return nil
}

// intsInput moves a list attribute to input i; a node without the attribute stays.
func intsInput(g *onnx.Graph, n *onnx.Node, attr string, i int) error {
	if !n.Has(attr) {
		return nil
	}
	v := n.Ints(attr)
	return constantInput(g, n, attr, i, tensor.From(tensor.Shape{len(v)}, v))
}

func floatInput(g *onnx.Graph, n *onnx.Node, attr string, i int, def float32) error {
	v := n.Float(attr, def)
	return constantInput(g, n, attr, i, tensor.Scalar(v))
}

func constantInput(g *onnx.Graph, n *onnx.Node, attr string, i int, t *tensor.Tensor) error {
	v, err := g.AddInitializer(g.FreshName(n.Name()+"/"+attr), t)
	if err != nil {
		return err
	}
	n.RemoveAttr(attr)
	n.SetInput(i, v)
	return nil
}

// upgradeClip moves min and max to inputs (opset 11); the largest floats were the defaults and mean no bound.
func upgradeClip(g *onnx.Graph, n *onnx.Node) error {
	for i, name := range []string{"min", "max"} {
		v := n.Float(name, math.MaxFloat32)
		if math.Abs(float64(v)) >= math.MaxFloat32 {
			n.RemoveAttr(name)
			continue
		}
		if err := floatInput(g, n, name, i+1, 0); err != nil {
			return err
		}
	}
	return nil
}

// upgradePad moves pads and value to inputs (opset 11).
func upgradePad(g *onnx.Graph, n *onnx.Node) error {
	if err := intsInput(g, n, "pads", 1); err != nil {
		return err
	}
	if !n.Has("value") {
		return nil
	}
	return floatInput(g, n, "value", 2, 0)
}
