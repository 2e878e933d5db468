package onnx

import (
	"fmt"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// Graph is the main graph of a model: nodes in order, and the values between them. Subgraphs (bodies of If, Loop,
// Scan) stay attributes of their node; the outer values they read count as uses of that node.
type Graph struct {
	pb       *onnxpb.GraphProto
	first    *Node // of a list: see place
	last     *Node
	count    int // of nodes
	sorted   int // how often the order of nodes changed otherwise than by adding and removing
	byName   map[string]*Node
	values   map[string]*Value
	inputs   []*Value // graph inputs that are not initializers
	outputs  []*Value
	inits    []*Value
	issued   map[string]bool // names FreshName gave away
	tried    map[string]int  // numbers FreshName tried, by base
	inner    map[string]bool // names defined inside subgraphs
	problems []error         // found while linking; Validate reports them
	dirty    bool            // what is kept here differs from pb
	gone     graves          // what is still in the lists of pb and in inits
	index    *mentions       // nil until it is needed
}

// linkGraph builds use-def links over pb. It accepts any graph; what is wrong with it is left to Validate.
func linkGraph(pb *onnxpb.GraphProto) *Graph {
	if pb == nil {
		pb = &onnxpb.GraphProto{}
	}
	g := &Graph{
		pb: pb, byName: map[string]*Node{}, values: map[string]*Value{},
		issued: map[string]bool{}, tried: map[string]int{}, inner: map[string]bool{},
	}
	g.linkConstants()
	g.linkInterface()
	for _, n := range pb.Node {
		g.place(&Node{graph: g, pb: n}, nil)
	}
	g.dirty = false
	for n := g.first; n != nil; n = n.next {
		g.linkOutputs(n)
	}
	for _, o := range pb.Output {
		v := g.resolve(o.GetName())
		if v.isOutput {
			g.problem("graph output %q is listed twice", v.name)
		}
		v.isOutput = true
		g.outputs = append(g.outputs, v)
		if v.info == nil {
			v.info = o
		}
	}
	for _, info := range pb.ValueInfo {
		if v := g.values[info.GetName()]; v != nil && v.info == nil {
			v.info = info
		}
	}
	for n := g.first; n != nil; n = n.next {
		g.linkInputs(n)
	}
	g.nameNodes()
	return g
}

// linkConstants makes the values of initializers.
func (g *Graph) linkConstants() {
	for _, t := range g.pb.Initializer {
		if g.values[t.GetName()] != nil {
			g.problem("initializer %q is defined twice", t.GetName())
			continue
		}
		v := &Value{graph: g, name: t.GetName(), init: t}
		g.values[v.name] = v
		g.inits = append(g.inits, v)
	}
	for _, s := range g.pb.SparseInitializer {
		name := s.GetValues().GetName()
		if g.values[name] != nil {
			g.problem("initializer %q is defined twice", name)
			continue
		}
		g.values[name] = &Value{graph: g, name: name, sparse: s}
	}
}

// linkInterface makes the values of inputs.
func (g *Graph) linkInterface() {
	for _, in := range g.pb.Input {
		v := g.values[in.GetName()]
		switch {
		case v == nil:
			v = &Value{graph: g, name: in.GetName(), info: in, isInput: true}
			g.values[v.name] = v
			g.inputs = append(g.inputs, v)
		case v.isInput:
			g.problem("graph input %q is defined twice", v.name)
		case v.info == nil: // before IR version 4 every initializer is listed as an input, too
			v.info = in
		}
	}
}

// linkOutputs makes the values that n computes.
func (g *Graph) linkOutputs(n *Node) {
	for i, name := range n.pb.Output {
		if name == "" {
			n.outputs = append(n.outputs, nil)
			continue
		}
		v := &Value{graph: g, name: name, producer: n, index: i}
		if old := g.values[name]; old != nil {
			g.problem("value %q is produced by %s and again by %s", name, old.origin(), n)
		} else {
			g.values[name] = v
		}
		n.outputs = append(n.outputs, v)
	}
}

// linkInputs connects n with the values that it reads.
func (g *Graph) linkInputs(n *Node) {
	for i, name := range n.pb.Input {
		if name == "" {
			n.inputs = append(n.inputs, nil)
			continue
		}
		v := g.resolve(name)
		v.addUse(n, i)
		n.inputs = append(n.inputs, v)
	}
	g.linkCaptures(n)
}

// resolve finds a value by name; an undefined one gets a value without origin, which Validate reports.
func (g *Graph) resolve(name string) *Value {
	v := g.values[name]
	if v == nil {
		v = &Value{graph: g, name: name}
		g.values[name] = v
	}
	return v
}

func (g *Graph) problem(format string, args ...any) {
	g.problems = append(g.problems, fmt.Errorf(format, args...))
}

// Name is the name of the graph.
func (g *Graph) Name() string { return g.pb.GetName() }

// Nodes lists the nodes in order. The slice is the caller's: editing the graph while ranging over it is fine.
func (g *Graph) Nodes() []*Node {
	list := make([]*Node, 0, g.count)
	for n := g.first; n != nil; n = n.next {
		list = append(list, n)
	}
	return list
}

// Inputs lists the graph inputs in order, without those that are initializers.
func (g *Graph) Inputs() []*Value { return append([]*Value(nil), g.inputs...) }

// Outputs lists the graph outputs in order.
func (g *Graph) Outputs() []*Value { return append([]*Value(nil), g.outputs...) }

// Initializers lists the dense constants in document order.
func (g *Graph) Initializers() []*Value {
	list := make([]*Value, 0, len(g.inits))
	for _, v := range g.inits {
		if v.graph == g {
			list = append(list, v)
		}
	}
	return list
}

// Value finds a value by name, nil if there is none.
func (g *Graph) Value(name string) *Value { return g.values[name] }

// Node finds a node by name, nil if there is none.
func (g *Graph) Node(name string) *Node { return g.byName[name] }

// AddInput appends a graph input. A leading dimension of -1 is named "batch" in the file.
func (g *Graph) AddInput(name string, dtype tensor.DType, shape tensor.Shape) (*Value, error) {
	if err := g.checkNewValue(name); err != nil {
		return nil, fmt.Errorf("add graph input: %w", err)
	}
	info := &onnxpb.ValueInfoProto{Name: proto.String(name), Type: tensorType(nil, dtype, shape)}
	if dims := info.Type.GetTensorType().GetShape().GetDim(); len(dims) > 0 && shape[0] < 0 {
		dims[0].Value = &onnxpb.TensorShapeProto_Dimension_DimParam{DimParam: "batch"}
	}
	v := &Value{graph: g, name: name, info: info, isInput: true}
	g.values[name] = v
	g.inputs = append(g.inputs, v)
	g.pb.Input = append(g.pb.Input, info)
	if g.mention(&info.Name); g.index != nil {
		g.index.inputs[name] = append(g.index.inputs[name], info)
	}
	return v, nil
}

// AddOutput makes v a graph output, after those there are.
func (g *Graph) AddOutput(v *Value) error {
	if err := g.checkOwn(v); err != nil {
		return fmt.Errorf("add graph output: %w", err)
	}
	if v.isOutput {
		return fmt.Errorf("add graph output: %q is one already", v.name)
	}
	info := &onnxpb.ValueInfoProto{Name: proto.String(v.name)}
	if v.info != nil {
		info = proto.Clone(v.info).(*onnxpb.ValueInfoProto)
	} else if shape, ok := v.Shape(); ok {
		info.Type = tensorType(nil, v.DType(), shape)
	}
	v.isOutput = true
	if !v.isInput {
		g.dropValueInfo(v.name)
		v.info = info
	}
	g.outputs = append(g.outputs, v)
	g.pb.Output = append(g.pb.Output, info)
	g.mention(&info.Name)
	return nil
}
