package onnx

import (
	"fmt"
	"maps"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// body makes the nodes of a function for one call: its inputs and outputs have the names that the call gives them, all
// other values fresh ones, and attributes that refer to those of the function have the call's values.
func (in *inliner) body(f *onnxpb.FunctionProto, call *onnxpb.NodeProto) ([]*onnxpb.NodeProto, error) {
	b := &functionBody{in: in, function: f, call: call}
	names, copies, err := b.interfaceNames()
	if err != nil {
		return nil, err
	}
	var out []*onnxpb.NodeProto
	for _, n := range f.Node {
		c, err := b.node(n, names)
		if err != nil {
			return nil, err
		}
		out = append(out, c)
	}
	return append(out, copies...), nil
}

// functionBody is the state of one body.
type functionBody struct {
	in       *inliner
	function *onnxpb.FunctionProto
	call     *onnxpb.NodeProto
}

func (b *functionBody) fail(format string, args ...any) error {
	return fmt.Errorf("function %q, called by node %q: %w", b.function.GetName(), b.call.GetName(), fmt.Errorf(format, args...))
}

// fresh is a free name for something inside the function.
func (b *functionBody) fresh(name string) string {
	name = b.in.graph.FreshName(b.call.GetName() + "/" + name)
	b.in.bytes += int64(len(name)) // the next charge looks at it
	return name
}

// interfaceNames maps inputs and outputs of the function to the names in the call, "" for omitted inputs. An output
// that is an input, or listed twice, takes a node that copies it.
func (b *functionBody) interfaceNames() (names map[string]string, copies []*onnxpb.NodeProto, err error) {
	f, call := b.function, b.call
	if len(call.Input) > len(f.Input) || len(call.Output) > len(f.Output) {
		return nil, nil, b.fail("%d inputs and %d outputs, it has %d and %d", len(call.Input), len(call.Output), len(f.Input), len(f.Output))
	}
	names = map[string]string{}
	if slices.Contains(f.Input, "") || slices.Contains(f.Output, "") {
		return nil, nil, b.fail("an input or output of it has no name")
	}
	for i, name := range f.Input {
		if names[name] = ""; i < len(call.Input) {
			names[name] = call.Input[i]
		}
	}
	for i, name := range f.Output {
		actual := ""
		if i < len(call.Output) {
			actual = call.Output[i]
		}
		from, known := names[name]
		switch {
		case known && actual == "":
		case known && from == "":
			return nil, nil, b.fail("output %q is an input that is left out", name)
		case known:
			copies = append(copies, &onnxpb.NodeProto{
				OpType: proto.String("Identity"), Name: proto.String(b.fresh(name + "/copy")), Input: []string{from}, Output: []string{actual},
			})
		case actual == "":
			names[name] = b.fresh(name)
		default:
			names[name] = actual
		}
	}
	return names, copies, nil
}

// node copies a node of the function. Names that it defines are added.
func (b *functionBody) node(n *onnxpb.NodeProto, names map[string]string) (*onnxpb.NodeProto, error) {
	if err := b.in.charge(1, proto.Size(n)); err != nil {
		return nil, err
	}
	c := proto.Clone(n).(*onnxpb.NodeProto)
	name := n.GetName()
	if name == "" {
		name = n.GetOpType()
	}
	c.Name = proto.String(b.fresh(name))
	for i, v := range c.Input {
		actual, known := names[v]
		if !known && v != "" {
			return nil, b.fail("%s node %q reads %q, which nothing before it defines", n.GetOpType(), n.GetName(), v)
		}
		c.Input[i] = actual
	}
	if err := b.attributes(c, names); err != nil {
		return nil, err
	}
	for i, v := range c.Output {
		if v == "" {
			continue
		}
		if _, known := names[v]; !known {
			names[v] = b.fresh(v)
		}
		c.Output[i] = names[v]
	}
	return c, nil
}

// attributes puts in what the call, or else the function's default, says for attributes that refer to the function's.
// One that neither says is left out.
func (b *functionBody) attributes(c *onnxpb.NodeProto, names map[string]string) error {
	var out []*onnxpb.AttributeProto
	for _, a := range c.Attribute {
		if ref := a.GetRefAttrName(); ref != "" {
			named := func(x *onnxpb.AttributeProto) bool { return x.GetName() == ref }
			given := b.call.Attribute
			i := slices.IndexFunc(given, named)
			if i < 0 {
				given = b.function.AttributeProto
				if i = slices.IndexFunc(given, named); i < 0 {
					continue
				}
			}
			if a.Type != nil && given[i].GetType() != a.GetType() {
				return b.fail("attribute %q is of type %s, not %s", ref, given[i].GetType(), a.GetType())
			}
			if err := b.in.charge(0, proto.Size(given[i])); err != nil {
				return err
			}
			v := proto.Clone(given[i]).(*onnxpb.AttributeProto)
			v.Name = a.Name
			out = append(out, v) // its subgraphs are the caller's, whose names they read
			continue
		}
		for _, sub := range append(slices.Clone(a.Graphs), a.G) {
			if sub == nil {
				continue
			}
			if err := b.subgraph(sub, names); err != nil {
				return err
			}
		}
		out = append(out, a)
	}
	c.Attribute = out
	return nil
}

// subgraph gives everything that a subgraph defines a name that is unique in the model, too.
func (b *functionBody) subgraph(g *onnxpb.GraphProto, outer map[string]string) error {
	names := maps.Clone(outer)
	inner := defined(g)
	for _, name := range slices.Sorted(maps.Keys(inner)) {
		if name != "" {
			names[name] = b.fresh(name)
		}
	}
	for _, v := range g.Input {
		v.Name = proto.String(names[v.GetName()])
	}
	for _, t := range g.Initializer {
		t.Name = proto.String(names[t.GetName()])
	}
	for _, t := range g.SparseInitializer {
		t.GetValues().Name = proto.String(names[t.GetValues().GetName()])
	}
	for i, n := range g.Node {
		c, err := b.node(n, names)
		if err != nil {
			return err
		}
		g.Node[i] = c
	}
	for _, v := range g.Output {
		actual, known := names[v.GetName()]
		if !known {
			return b.fail("a subgraph gives out %q, which nothing defines", v.GetName())
		}
		v.Name = proto.String(actual)
	}
	g.ValueInfo, g.QuantizationAnnotation = nil, nil
	return nil
}
