package onnx

import (
	"fmt"

	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
	"github.com/mpqc/mpqc/onnx/op"
)

// Node is one operation of a graph.
type Node struct {
	graph    *Graph // nil once removed
	pb       *onnxpb.NodeProto
	prev     *Node
	next     *Node
	pos      int64 // larger than that of the nodes before, with gaps between
	inputs   []*Value
	outputs  []*Value
	captures []*Value // outer values that subgraphs of this node read, in order of first mention
}

// Name is the node's name, unique in the graph.
func (n *Node) Name() string { return n.pb.GetName() }

// Op is the operator, such as "Conv".
func (n *Node) Op() string { return n.pb.GetOpType() }

// Domain is the operator's domain, "" for ONNX's own.
func (n *Node) Domain() string {
	if defaultDomain(n.pb.GetDomain()) {
		return ""
	}
	return n.pb.GetDomain()
}

// Traits is what the table of operators promises of the node's operator.
func (n *Node) Traits() op.Row { return op.Of(n.Domain(), n.Op()) }

// Inputs lists what the node reads; an omitted optional input is nil.
func (n *Node) Inputs() []*Value { return append([]*Value(nil), n.inputs...) }

// Input is input i, nil if it is omitted or not there.
func (n *Node) Input(i int) *Value {
	if i < 0 || i >= len(n.inputs) {
		return nil
	}
	return n.inputs[i]
}

// Outputs lists what the node produces; an omitted optional output is nil.
func (n *Node) Outputs() []*Value { return append([]*Value(nil), n.outputs...) }

// Output is output i, nil if it is omitted or not there.
func (n *Node) Output(i int) *Value {
	if i < 0 || i >= len(n.outputs) {
		return nil
	}
	return n.outputs[i]
}

// Captures lists the outer values that subgraphs of the node read besides its inputs.
func (n *Node) Captures() []*Value { return append([]*Value(nil), n.captures...) }

// HasSubgraph reports whether an attribute of the node is a graph (If, Loop, Scan).
func (n *Node) HasSubgraph() bool { return len(subgraphs(n.pb)) > 0 }

// String describes the node for messages: its operator and name.
func (n *Node) String() string { return fmt.Sprintf("%s node %q", n.Op(), n.Name()) }

// SetInput makes input i read v; nil omits it. i may be the number of inputs or beyond: those between are omitted,
// and omitted inputs at the end are dropped. It panics if i is negative or v is not of the node's graph.
func (n *Node) SetInput(i int, v *Value) {
	if i < 0 {
		panic("onnx: negative input index")
	}
	if n.graph == nil || v != nil && v.graph != n.graph {
		panic("onnx: input of another graph")
	}
	for len(n.inputs) <= i {
		n.inputs = append(n.inputs, nil)
		n.pb.Input = append(n.pb.Input, "")
	}
	if old := n.inputs[i]; old != nil {
		old.dropUse(n, i)
	}
	n.inputs[i], n.pb.Input[i] = v, ""
	if v != nil {
		n.pb.Input[i] = v.name
		v.addUse(n, i)
	}
	for last := len(n.inputs) - 1; last >= 0 && n.inputs[last] == nil; last-- {
		n.inputs, n.pb.Input = n.inputs[:last], n.pb.Input[:last]
	}
}
