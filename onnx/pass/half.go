package pass

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// WidenHalf makes float32 of everything in a model that is float16 or bfloat16, inputs and outputs included, whose
// types the model remembers (see onnx.Model.Interface). A model with control flow stays, for bodies hold values of
// their own.
type WidenHalf struct{ always }

// Name names the pass.
func (WidenHalf) Name() string { return "half precision" }

// Apply widens all of it.
func (WidenHalf) Apply(m *onnx.Model) (bool, error) {
	for _, n := range m.Graph.Nodes() {
		if n.HasSubgraph() {
			return false, nil
		}
	}
	modified := false
	for _, widen := range []func(*onnx.Model) (bool, error){widenInterface, widenConstants, widenNodes} {
		done, err := widen(m)
		if err != nil {
			return modified, err
		}
		modified = modified || done
	}
	return modified, nil
}

func isHalf(t tensor.DType) bool { return t == tensor.Float16 || t == tensor.BFloat16 }

// widenInterface notes the types of inputs and outputs, whose values change theirs.
func widenInterface(m *onnx.Model) (bool, error) {
	types, err := m.Interface()
	if err != nil {
		return false, err
	}
	modified := false
	for _, v := range append(m.Graph.Inputs(), m.Graph.Outputs()...) {
		if !isHalf(v.DType()) || v.Const() != nil {
			continue
		}
		types[v.Name()], modified = v.DType(), true
		s, _ := v.Shape()
		v.SetType(tensor.Float32, s)
	}
	if !modified {
		return false, nil
	}
	return true, m.SetInterface(types)
}

// widenConstants converts initializers. What is an output of the graph, too, stays as it is, and nodes read a copy.
func widenConstants(m *onnx.Model) (bool, error) {
	modified := false
	for _, v := range m.Graph.Initializers() {
		if !isHalf(v.DType()) || v.Const() == nil || v.IsOutput() && len(v.Uses()) == 0 {
			continue
		}
		t, err := widened(v.Const())
		if err != nil {
			return modified, fmt.Errorf("constant %q: %w", v.Name(), err)
		}
		modified = true
		if !v.IsOutput() {
			if err := v.SetConst(t); err != nil {
				return modified, err
			}
			continue
		}
		c, err := m.Graph.AddInitializer(m.Graph.FreshName(v.Name()), t)
		if err != nil {
			return modified, err
		}
		if err := m.Graph.ReplaceUses(v, c); err != nil {
			return modified, err
		}
	}
	return modified, nil
}

func widened(t *tensor.Tensor) (*tensor.Tensor, error) {
	f, err := tensor.Floats(t)
	if err != nil {
		return nil, err
	}
	return tensor.From(t.Shape, f), nil
}

// widenNodes converts what nodes name by attributes, and the recorded types of what they compute.
func widenNodes(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		for _, name := range []string{"to", "dtype", "output_dtype", "output_datatype"} {
			if isHalf(tensor.DType(n.Int(name, 0))) {
				n.SetAttr(onnx.IntAttr(name, int64(tensor.Float32)))
				modified = true
			}
		}
		if t := n.Tensor("value"); t != nil && isHalf(t.DType) {
			wide, err := widened(t)
			if err != nil {
				return modified, fmt.Errorf("%s: %w", n, err)
			}
			n.SetAttr(onnx.TensorAttr("value", wide))
			modified = true
		}
		for _, v := range n.Outputs() {
			if v == nil || !isHalf(v.DType()) {
				continue
			}
			s, known := v.Shape()
			if !known {
				s = nil
			}
			v.SetType(tensor.Float32, s)
			modified = true
		}
	}
	return modified, nil
}
