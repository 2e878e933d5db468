package pass

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// GroupNorms writes InstanceNormalization and GroupNormalization by LayerNormalization over the elements of a group,
// and a factor and an addend per channel, which the engine and the reference compute.
type GroupNorms struct{ always }

// Name names the pass.
func (GroupNorms) Name() string { return "group norms" }

// layerNormOpset is the first operator set with LayerNormalization; perChannelOpset the first in which
// GroupNormalization has a scale per channel, not per group.
const (
	layerNormOpset  = 17
	perChannelOpset = 21
)

// maxNormed bounds the elements of a sample whose norm is rewritten: as many ones become a constant.
const maxNormed = 1 << 22

// Apply rewrites every norm of constant scale and bias whose shape is known.
func (GroupNorms) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		if n.Domain() != "" || m.Opset("") < layerNormOpset || n.Op() != "InstanceNormalization" && n.Op() != "GroupNormalization" {
			continue
		}
		done, err := groupNorm(m, n)
		if err != nil {
			return modified, fmt.Errorf("norm %q: %w", n.Name(), err)
		}
		modified = modified || done
	}
	return modified, nil
}

// groupNorm rewrites one norm, false if it is not of that kind.
func groupNorm(m *onnx.Model, n *onnx.Node) (bool, error) {
	x, scale, bias := n.Input(0), n.Input(1), n.Input(2)
	if x == nil || scale == nil || bias == nil || scale.Const() == nil || bias.Const() == nil || n.Output(0) == nil {
		return false, nil
	}
	s, known := x.Shape()
	if !known || len(s) < 3 || s[1:].Numel() < 1 || s[1:].Numel() > maxNormed {
		return false, nil
	}
	groups := s[1]
	if n.Op() == "GroupNormalization" {
		groups = int(n.Int("num_groups", 0))
	}
	if groups < 1 || s[1]%groups != 0 {
		return false, nil
	}
	factor, okF := spread(scale.Const(), s[1], len(s)-2)
	addend, okB := spread(bias.Const(), s[1], len(s)-2)
	if !okF || !okB || n.Op() == "GroupNormalization" && m.Opset("") < perChannelOpset && scale.Const().Shape.Numel() != groups {
		return false, nil
	}
	return true, writeNorm(m, n, groups, factor, addend)
}

// writeNorm puts operators in the place of a norm: over groups of a sample, and the factor and addend of a channel.
func writeNorm(m *onnx.Model, n *onnx.Node, groups int, factor, addend *tensor.Tensor) error {
	x := n.Input(0)
	s, _ := x.Shape()
	length := s[1:].Numel() / groups
	ones := make([]float32, length)
	whole := make([]int64, len(s))
	for i := range ones {
		ones[i] = 1
	}
	for i, d := range s {
		whole[i] = int64(d)
	}
	whole[0] = -1
	flat := tensor.Shape{s[0], groups, length}
	steps := []step{
		{op: "Reshape", shape: flat},
		{op: "LayerNormalization", shape: flat, attrs: []onnx.Attr{onnx.IntAttr("axis", -1), onnx.FloatAttr("epsilon", n.Float("epsilon", 1e-5))}},
		{op: "Reshape", shape: s},
		{op: "Mul", shape: s},
		{op: "Add", shape: s},
	}
	for i, t := range []*tensor.Tensor{
		tensor.From(tensor.Shape{3}, []int64{-1, int64(groups), int64(length)}), tensor.From(tensor.Shape{length}, ones),
		tensor.From(tensor.Shape{len(whole)}, whole), factor, addend,
	} {
		c, err := m.Graph.AddInitializer(m.Graph.FreshName(n.Name()+"/constant"), t)
		if err != nil {
			return err
		}
		steps[i].in = []*onnx.Value{c}
	}
	v, err := chain(m.Graph, n, x, n.Name(), n.Output(0).Name(), steps)
	if err != nil {
		return err
	}
	return takeOver(m.Graph, n, v)
}

// spread gives every channel of a group the group's constant, or its own; spatial dimensions of 1 follow.
func spread(t *tensor.Tensor, channels, spatial int) (*tensor.Tensor, bool) {
	f, err := tensor.Floats(t)
	if err != nil || len(f) == 0 || channels%len(f) != 0 {
		return nil, false
	}
	out := make([]float32, channels)
	for c := range out {
		out[c] = f[c/(channels/len(f))]
	}
	shape := tensor.Shape{channels}
	for range spatial {
		shape = append(shape, 1)
	}
	return tensor.From(shape, out), true
}
