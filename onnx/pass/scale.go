package pass

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// ScaleToNorm writes a Mul by one constant per channel behind a Conv, and the Add of another that may follow, as
// BatchNormalization: that is what they were before an exporter took it apart, and what training and export know to
// fold.
type ScaleToNorm struct{ always }

// Name names the pass.
func (ScaleToNorm) Name() string { return "scales" }

// Apply rewrites every match.
func (ScaleToNorm) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		conv, gamma := channelConstant(n, "Mul")
		if conv == nil || conv.Op() != "Conv" {
			continue
		}
		nodes, beta := []*onnx.Node{n}, tensor.From(tensor.Shape{gamma.Shape.Numel()}, make([]float32, gamma.Shape.Numel()))
		if uses := n.Output(0).Uses(); len(uses) == 1 && uses[0].Index >= 0 && !n.Output(0).IsOutput() {
			if before, c := channelConstant(uses[0].Node, "Add"); before == n && c.Shape.Equal(beta.Shape) {
				nodes, beta = append(nodes, uses[0].Node), c
			}
		}
		if err := scaleToNorm(m.Graph, conv.Output(0), nodes, gamma, beta); err != nil {
			return modified, fmt.Errorf("scale %q: %w", n.Name(), err)
		}
		modified = true
	}
	return modified, nil
}

// channelConstant matches a node of an operator with what it alone reads besides a constant per channel of four
// dimensions.
func channelConstant(n *onnx.Node, op string) (*onnx.Node, *tensor.Tensor) {
	if n.Op() != op || n.Domain() != "" || len(n.Inputs()) != 2 || n.Input(0) == nil || n.Input(1) == nil || n.Output(0) == nil {
		return nil, nil
	}
	x, c := n.Input(0), n.Input(1)
	if x.Const() != nil {
		x, c = c, x
	}
	s, known := x.Shape()
	if c.Const() == nil || c.Const().DType != tensor.Float32 || x.Producer() == nil || len(x.Uses()) != 1 || x.IsOutput() || !known || len(s) != 4 || s[1] < 2 {
		return nil, nil
	}
	return perChannel(x.Producer(), c.Const(), 4, s[1])
}

// scaleToNorm puts a norm of mean 0 and variance 1 in the place of the nodes behind x.
func scaleToNorm(g *onnx.Graph, x *onnx.Value, nodes []*onnx.Node, gamma, beta *tensor.Tensor) error {
	first, last := nodes[0], nodes[len(nodes)-1]
	channels := gamma.Shape.Numel()
	ones := make([]float32, channels)
	for i := range ones {
		ones[i] = 1
	}
	in := []*onnx.Value{x}
	for _, p := range []struct {
		name string
		t    *tensor.Tensor
	}{{"gamma", gamma}, {"beta", beta}, {"mean", tensor.From(gamma.Shape, make([]float32, channels))}, {"var", tensor.From(gamma.Shape, ones)}} {
		v, err := g.AddInitializer(g.FreshName(first.Name()+"/"+p.name), p.t)
		if err != nil {
			return err
		}
		in = append(in, v)
	}
	norm, err := g.AddNode(onnx.NodeSpec{
		Name: g.FreshName(first.Name() + "/norm"), Op: "BatchNormalization", Inputs: in, Outputs: []string{g.FreshName(last.Output(0).Name() + "/norm")},
		Attrs: []onnx.Attr{onnx.FloatAttr("epsilon", 0)},
	}, first)
	if err != nil {
		return err
	}
	y := norm.Output(0)
	s, _ := last.Output(0).Shape()
	y.SetType(tensor.Float32, s)
	return replaceChain(g, nodes, y)
}
