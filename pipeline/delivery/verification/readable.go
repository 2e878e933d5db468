package verification

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// readable changes the outputs of m such that the binding to onnxruntime can read them, and returns their names. Half
// precision floats and booleans are cast to wider types, scalars become arrays of one element. Strings are left out.
func readable(m *onnx.Model) (names []string, err error) {
	for _, v := range m.Graph.Outputs() {
		if v.DType() == tensor.String {
			continue
		}
		names = append(names, v.Name())
		shape, known := v.Shape()
		dtype, x := widened(v.DType()), v
		if v.IsInput() {
			continue
		}
		if dtype != v.DType() {
			to := []onnx.Attr{onnx.IntAttr("to", int64(dtype))}
			if x, err = follow(m.Graph, onnx.NodeSpec{Name: v.Name() + "/wide", Op: "Cast", Inputs: []*onnx.Value{x}, Attrs: to}); err != nil {
				return nil, err
			}
		}
		if known && len(shape) == 0 {
			shape = tensor.Shape{1}
			one, err := m.Graph.AddInitializer(m.Graph.FreshName(v.Name()+"/one"), tensor.From(shape, []int64{1}))
			if err != nil {
				return nil, err
			}
			if x, err = follow(m.Graph, onnx.NodeSpec{Name: v.Name() + "/array", Op: "Reshape", Inputs: []*onnx.Value{x, one}}); err != nil {
				return nil, err
			}
		}
		if x == v {
			continue
		}
		if err := m.Graph.ReplaceOutput(v, x); err != nil {
			return nil, err
		}
		x.SetType(dtype, shape)
	}
	return names, nil
}

// widened returns the type that values of type t are read as.
func widened(t tensor.DType) tensor.DType {
	switch t { //nolint:exhaustive // all others are read as they are, or not at all
	case tensor.Float16, tensor.BFloat16:
		return tensor.Float32
	case tensor.Bool:
		return tensor.Uint8
	default:
		return t
	}
}

// follow adds a node and returns its output.
func follow(g *onnx.Graph, spec onnx.NodeSpec) (*onnx.Value, error) {
	spec.Name = g.FreshName(spec.Name)
	spec.Outputs = []string{g.FreshName(spec.Name)}
	n, err := g.AddNode(spec, nil)
	if err != nil {
		return nil, err
	}
	return n.Output(0), nil
}
