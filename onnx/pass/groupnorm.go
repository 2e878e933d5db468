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

// maxNormed bounds the elements of a picture whose norm is rewritten: as many ones become a constant.
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
	v := x
	for _, step := range []struct {
		op       string
		constant *tensor.Tensor
		shape    tensor.Shape
		attrs    []onnx.Attr
	}{
		{"Reshape", tensor.From(tensor.Shape{3}, []int64{-1, int64(groups), int64(length)}), flat, nil},
		{"LayerNormalization", tensor.From(tensor.Shape{length}, ones), flat, []onnx.Attr{onnx.IntAttr("axis", -1), onnx.FloatAttr("epsilon", n.Float("epsilon", 1e-5))}},
		{"Reshape", tensor.From(tensor.Shape{len(whole)}, whole), s, nil},
		{"Mul", factor, s, nil},
		{"Add", addend, s, nil},
	} {
		c, err := m.Graph.AddInitializer(m.Graph.FreshName(n.Name()+"/constant"), step.constant)
		if err != nil {
			return false, err
		}
		node, err := m.Graph.AddNode(onnx.NodeSpec{
			Name: m.Graph.FreshName(n.Name() + "/" + step.op), Op: step.op, Inputs: []*onnx.Value{v, c},
			Outputs: []string{m.Graph.FreshName(n.Output(0).Name() + "/" + step.op)}, Attrs: step.attrs,
		}, n)
		if err != nil {
			return false, err
		}
		v = node.Output(0)
		v.SetType(tensor.Float32, step.shape)
	}
	return true, takeOver(m.Graph, n, v)
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
