package decode

import (
	"cmp"
	"fmt"
	"slices"

	onnxgo "github.com/owulveryck/onnx-go"
	"gonum.org/v1/gonum/graph"
	"gonum.org/v1/gonum/graph/simple"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// backend is what onnx-go builds. In its view a node is a tensor, and edges lead from a tensor to those that it is
// computed from, weighted by their position. ApplyOperation is called once per operator, in order, with its output
// tensors.
type backend struct {
	*simple.WeightedDirectedGraph // answers the queries of the interface

	doc      *onnx.Graph
	registry map[string]ops.Builder
	producer map[string]*onnx.Node // by first output: onnx-go drops node names
	roles    map[*onnx.Value]engine.ParamKind
	reads    map[int64][]reading // by id of the computed tensor
	values   map[string]*engine.Value
	out      *engine.Graph

	tolerant bool // record refused nodes in problems and go on
	problems []Problem
}

var _ onnxgo.Backend = (*backend)(nil)

// tensorNode is a node in onnx-go's sense. It carries no data, so onnx-go does not decode any.
type tensorNode struct {
	id   int64
	name string
}

// reading is one input of an operator.
type reading struct {
	from     *tensorNode
	position float64
}

// ID identifies the node.
func (n *tensorNode) ID() int64 { return n.id }

// SetName is called by onnx-go.
func (n *tensorNode) SetName(name string) { n.name = name }

// GetName is called by onnx-go.
func (n *tensorNode) GetName() string { return n.name }

// newBackend returns a backend for a document.
func newBackend(doc *onnx.Graph, registry map[string]ops.Builder) *backend {
	b := &backend{
		WeightedDirectedGraph: simple.NewWeightedDirectedGraph(0, 0),
		doc:                   doc, registry: registry,
		producer: map[string]*onnx.Node{}, roles: map[*onnx.Value]engine.ParamKind{}, reads: map[int64][]reading{},
		values: map[string]*engine.Value{}, out: &engine.Graph{},
	}
	for _, n := range doc.Nodes() {
		if o := n.Output(0); o != nil {
			b.producer[o.Name()] = n
		}
		b.markParams(n)
	}
	return b
}

// markParams notes which initializers of a node are trainable.
func (b *backend) markParams(n *onnx.Node) {
	for i, v := range n.Inputs() {
		if v == nil || !v.IsInitializer() {
			continue
		}
		switch kind := n.Traits().Kind; {
		case kind == op.MatMul, kind != op.NoLayer && i == 1:
			b.roles[v] = engine.Weight
		case kind.Biased() && i == 2:
			b.roles[v] = engine.Bias
		}
	}
}

// NewNode makes a tensor.
func (b *backend) NewNode() graph.Node {
	return &tensorNode{id: b.WeightedDirectedGraph.NewNode().ID()}
}

// SetWeightedEdge notes an input. The weights of onnx-go are positions. A tensor that an operator reads twice has two
// edges, which a simple graph cannot hold, so they are kept in reads.
func (b *backend) SetWeightedEdge(e graph.WeightedEdge) {
	from := e.To().(*tensorNode) // NewNode makes no other kind
	b.reads[e.From().ID()] = append(b.reads[e.From().ID()], reading{from, e.Weight()})
}

// ApplyOperation makes the engine node whose outputs are outs.
func (b *backend) ApplyOperation(o onnxgo.Operation, outs ...graph.Node) error {
	if len(outs) == 0 {
		return fmt.Errorf("%s node without outputs", o.Name)
	}
	first := outs[0].(*tensorNode) // NewNode makes no other kind
	n := b.producer[first.name]
	if n == nil || n.Op() != o.Name {
		return fmt.Errorf("%s node with output %q is not in the document", o.Name, first.name)
	}
	err := b.buildKnown(n, outs)
	switch {
	case err != nil && b.tolerant:
		b.tolerate(n, outs, err)
		return nil
	case err != nil:
		return fmt.Errorf("node %q (%s): %w", n.Name(), operator(n), err)
	}
	return nil
}

// build makes the engine node of n and its output values.
func (b *backend) build(n *onnx.Node, outs []graph.Node) error {
	op, err := b.registry[n.Op()](n)
	if err != nil {
		return err
	}
	node := &engine.Node{Name: n.Name(), Op: op}
	reads := b.reads[outs[0].ID()]
	slices.SortStableFunc(reads, func(x, y reading) int { return cmp.Compare(x.position, y.position) })
	for _, r := range reads {
		v, err := b.value(r.from.name)
		if err != nil {
			return err
		}
		node.Inputs = append(node.Inputs, v)
	}
	for len(node.Inputs) > 0 && node.Inputs[len(node.Inputs)-1] == nil {
		node.Inputs = node.Inputs[:len(node.Inputs)-1]
	}
	if a, ok := op.(ops.Absorber); ok {
		if node.Inputs, err = a.Absorb(node.Inputs); err != nil {
			return err
		}
	}
	for i, v := range node.Inputs {
		if v != nil && v.Ints != nil {
			return fmt.Errorf("input %d, %q, is an integer constant; the engine computes on floats", i, v.Name)
		}
	}
	_, multi := op.(ops.MultiOutput)
	for i := range outs {
		v := n.Output(i)
		switch used := v != nil && (len(v.Uses()) > 0 || v.IsOutput()); {
		case i > 0 && used && !multi:
			return fmt.Errorf("output %d, %q, is used; only the first is supported", i, v.Name())
		case v == nil && multi:
			return fmt.Errorf("output %d is left out", i)
		case i > 0 && !multi:
			continue
		}
		shape, _ := v.Shape()
		node.Outputs = append(node.Outputs, &engine.Value{Name: v.Name(), Shape: shape, Producer: node})
	}
	for _, y := range node.Outputs {
		b.values[y.Name] = y
	}
	b.out.Nodes = append(b.out.Nodes, node)
	b.out.Values = append(b.out.Values, node.Outputs...)
	return nil
}

// inputs makes the graph inputs, in the document's order.
func (b *backend) inputs() error {
	for _, v := range b.doc.Inputs() {
		shape, known := v.Shape()
		if !known || v.DType() != tensor.Float32 {
			return fmt.Errorf("graph input %q is %s of unknown rank or no float32", v.Name(), v.DType())
		}
		if len(shape) > 1 && shape[1:].Numel() < 0 {
			return fmt.Errorf("graph input %q has shape %s: only the leading dimension may be open", v.Name(), shape)
		}
		in := &engine.Value{Name: v.Name(), Shape: shape}
		b.values[in.Name] = in
		b.out.Values = append(b.out.Values, in)
		b.out.Inputs = append(b.out.Inputs, in)
	}
	return nil
}

// outputs lists the graph outputs in the document's order. A check leaves out constants, which nobody computes.
func (b *backend) outputs() error {
	for _, v := range b.doc.Outputs() {
		if b.tolerant && v.IsInitializer() {
			continue
		}
		out, err := b.value(v.Name())
		if err != nil {
			return fmt.Errorf("graph output: %w", err)
		}
		b.out.Outputs = append(b.out.Outputs, out)
	}
	return nil
}

// value finds a tensor by name and makes it if it is an initializer. The empty name is an omitted input, nil.
func (b *backend) value(name string) (*engine.Value, error) {
	if name == "" {
		return nil, nil // an omitted input is a nil value throughout the engine
	}
	if v := b.values[name]; v != nil {
		return v, nil
	}
	d := b.doc.Value(name)
	if d == nil || !d.IsInitializer() {
		return nil, fmt.Errorf("nothing produces value %q", name)
	}
	v, err := b.constant(d)
	if err != nil {
		return nil, fmt.Errorf("read initializer %q: %w", name, err)
	}
	b.values[name] = v
	b.out.Values = append(b.out.Values, v)
	return v, nil
}

// leastWeights is the number of elements from which a check does not read weights. Smaller constants may also be read
// as scales, bounds or statistics.
const leastWeights = 1 << 12

// constant makes the value of an initializer: a parameter, float elements or integers.
func (b *backend) constant(d *onnx.Value) (*engine.Value, error) {
	t := d.Const()
	if t == nil {
		return nil, fmt.Errorf("its data cannot be read")
	}
	v := &engine.Value{Name: d.Name(), Shape: t.Shape.Clone()}
	switch t.DType {
	case tensor.Float32, tensor.Float64, tensor.Float16, tensor.BFloat16:
		if kind, ok := b.roles[d]; ok && b.tolerant && kind == engine.Weight && t.Shape.Numel() > leastWeights {
			v.Param = &engine.Param{Name: v.Name, Kind: kind, Shape: v.Shape}
			return v, nil
		}
		data, err := tensor.Floats(t)
		if err != nil {
			return nil, err
		}
		if kind, ok := b.roles[d]; ok {
			v.Param = engine.NewParam(v.Name, kind, v.Shape, data)
		} else {
			v.Const = data
		}
	default:
		data, err := tensor.Ints(t)
		if err != nil {
			return nil, err
		}
		v.Ints = data
	}
	return v, nil
}
