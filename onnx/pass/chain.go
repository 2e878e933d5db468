package pass

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// step is an operator of a chain: what it reads behind the result of the step before, and the shape of its result.
type step struct {
	op    string
	in    []*onnx.Value
	shape tensor.Shape
	attrs []onnx.Attr
}

// chain adds operators one behind the other, of which the first reads x, in front of a node. They keep x's type. Nodes
// are called node/OP, their results value/OP.
func chain(g *onnx.Graph, before *onnx.Node, x *onnx.Value, node, value string, steps []step) (*onnx.Value, error) {
	for _, s := range steps {
		n, err := g.AddNode(onnx.NodeSpec{
			Name: g.FreshName(node + "/" + s.op), Op: s.op, Inputs: append([]*onnx.Value{x}, s.in...),
			Outputs: []string{g.FreshName(value + "/" + s.op)}, Attrs: s.attrs,
		}, before)
		if err != nil {
			return nil, err
		}
		n.Output(0).SetType(x.DType(), s.shape)
		x = n.Output(0)
	}
	return x, nil
}

// addInts adds a constant vector.
func addInts(g *onnx.Graph, name string, v ...int64) (*onnx.Value, error) {
	return g.AddInitializer(g.FreshName(name), tensor.From(tensor.Shape{len(v)}, v))
}
