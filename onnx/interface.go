package onnx

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
)

// InterfaceKey is the metadata that names the element types of inputs and outputs as callers know them, where the graph
// computes with others: a JSON object of value name and type.
const InterfaceKey = "org.mpqc.interface"

// Interface is what InterfaceKey says: the element types of inputs and outputs by name. It is empty where there is
// none.
func (m *Model) Interface() (map[string]tensor.DType, error) {
	types := map[string]tensor.DType{}
	text, ok := m.Metadata(InterfaceKey)
	if !ok {
		return types, nil
	}
	var names map[string]string
	if err := json.Unmarshal([]byte(text), &names); err != nil {
		return nil, fmt.Errorf("read metadata %s: %w", InterfaceKey, err)
	}
	for name, t := range names {
		switch t {
		case tensor.Float16.String():
			types[name] = tensor.Float16
		case tensor.BFloat16.String():
			types[name] = tensor.BFloat16
		default:
			return nil, fmt.Errorf("read metadata %s: %q is %s, neither float16 nor bfloat16", InterfaceKey, name, t)
		}
	}
	return types, nil
}

// SetInterface writes InterfaceKey.
func (m *Model) SetInterface(types map[string]tensor.DType) error {
	names := map[string]string{}
	for name, t := range types {
		names[name] = t.String()
	}
	text, err := json.Marshal(names)
	if err != nil {
		return err
	}
	m.SetMetadata(InterfaceKey, string(text))
	return nil
}

// Outward is a model with the interface that its callers know: Casts stand between float32 inside and what Interface
// says. A model without such an entry is returned as it is.
func (m *Model) Outward() (*Model, error) { return m.withInterface(outwardInput, outwardOutput) }

// Inward undoes Outward: inputs and outputs are float32 as all that stands between them.
func (m *Model) Inward() (*Model, error) { return m.withInterface(inwardInput, inwardOutput) }

type castFunc func(g *Graph, v *Value, t tensor.DType) error

// withInterface returns a copy with input and output applied to the values that Interface names.
func (m *Model) withInterface(input, output castFunc) (*Model, error) {
	types, err := m.Interface()
	if err != nil || len(types) == 0 {
		return m, err
	}
	m = m.Clone()
	for _, name := range slices.Sorted(maps.Keys(types)) {
		v, change := m.Graph.Value(name), output
		switch {
		case v == nil || !v.IsInput() && !v.IsOutput():
			continue // of a part of the model
		case v.IsInput():
			change = input
		}
		if err := change(m.Graph, v, types[name]); err != nil {
			return nil, fmt.Errorf("%s of %q: %w", types[name], name, err)
		}
	}
	return m, nil
}

// outwardInput gives a float32 input x the type t, with a Cast back to float32 behind it.
func outwardInput(g *Graph, x *Value, t tensor.DType) error {
	if x.DType() != tensor.Float32 {
		return nil
	}
	s, _ := x.Shape()
	x.SetType(t, s)
	if len(x.Uses()) == 0 {
		return nil
	}
	cast, err := g.addCast(x, tensor.Float32, s, g.first)
	if err != nil {
		return err
	}
	if err := g.ReplaceUses(x, cast); err != nil {
		return err
	}
	cast.producer.SetInput(0, x)
	return nil
}

// outwardOutput is outwardInput for an output: the Cast to type t stands in front of it.
func outwardOutput(g *Graph, y *Value, t tensor.DType) error {
	if y.DType() != tensor.Float32 {
		return nil
	}
	s, _ := y.Shape()
	cast, err := g.addCast(y, t, s, nil)
	if err != nil {
		return err
	}
	if err := g.ReplaceOutput(y, cast); err != nil {
		return err
	}
	cast.SetType(t, s)
	y.SetType(tensor.Float32, s)
	return nil
}

// addCast adds a Cast of a value in front of a node.
func (g *Graph) addCast(v *Value, to tensor.DType, s tensor.Shape, before *Node) (*Value, error) {
	n, err := g.AddNode(NodeSpec{
		Name: g.FreshName(v.name + "/cast"), Op: "Cast", Inputs: []*Value{v}, Outputs: []string{g.FreshName(v.name + "/" + to.String())},
		Attrs: []Attr{IntAttr("to", int64(to))},
	}, before)
	if err != nil {
		return nil, err
	}
	n.outputs[0].SetType(to, s)
	return n.outputs[0], nil
}

// inwardInput undoes outwardInput.
func inwardInput(g *Graph, x *Value, t tensor.DType) error {
	if x.DType() != t {
		return nil
	}
	for _, u := range x.Uses() {
		if !isCast(u.Node, tensor.Float32) || u.Index != 0 || u.Node.outputs[0].isOutput {
			return fmt.Errorf("%s reads it, not a Cast to float32 alone", u.Node)
		}
	}
	s, _ := x.Shape()
	x.SetType(tensor.Float32, s)
	for _, u := range x.Uses() {
		if err := g.ReplaceUses(u.Node.outputs[0], x); err != nil {
			return err
		}
		if err := g.Remove(u.Node); err != nil {
			return err
		}
	}
	return nil
}

// inwardOutput undoes outwardOutput.
func inwardOutput(g *Graph, y *Value, t tensor.DType) error {
	if y.DType() != t {
		return nil
	}
	n := y.producer
	if !isCast(n, t) || len(y.Uses()) > 0 || n.inputs[0].isOutput || n.inputs[0].isInput {
		return fmt.Errorf("a Cast from float32 does not alone compute it")
	}
	v := n.inputs[0]
	s, _ := y.Shape()
	if err := g.ReplaceOutput(y, v); err != nil {
		return err
	}
	v.SetType(tensor.Float32, s)
	return g.Remove(n)
}

// isCast reports whether a node is a Cast to a type.
func isCast(n *Node, to tensor.DType) bool {
	return n != nil && n.Op() == "Cast" && n.Domain() == "" && n.Input(0) != nil && n.Output(0) != nil && n.Int("to", 0) == int64(to)
}
