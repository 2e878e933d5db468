package onnx

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

type valueInfo = onnxpb.ValueInfoProto

// NodeSpec describes a node to add.
type NodeSpec struct {
	Name    string // "" makes one from operator and first output
	Op      string
	Domain  string   // "" is ONNX's own
	Inputs  []*Value // nil omits an optional input
	Outputs []string // names of the new values; "" omits an optional output
	Attrs   []Attr
}

// AddNode adds a node before another one, or at the end if before is nil. Its position is not checked against the
// producers of its inputs: Sort orders the nodes once several edits are done.
func (g *Graph) AddNode(spec NodeSpec, before *Node) (*Node, error) {
	if err := g.checkSpec(spec, before); err != nil {
		return nil, fmt.Errorf("add %s node %q: %w", spec.Op, spec.Name, err)
	}
	n := &Node{graph: g, pb: &onnxpb.NodeProto{OpType: proto.String(spec.Op)}}
	if spec.Domain != "" {
		n.pb.Domain = proto.String(spec.Domain)
	}
	for _, a := range spec.Attrs {
		n.pb.Attribute = append(n.pb.Attribute, proto.Clone(a.pb).(*onnxpb.AttributeProto))
	}
	g.place(n, before)
	n.pb.Output = slices.Clone(spec.Outputs)
	g.linkOutputs(n)
	for _, v := range spec.Inputs {
		n.pb.Input = append(n.pb.Input, "")
		if v != nil {
			n.pb.Input[len(n.pb.Input)-1] = v.name
		}
	}
	g.linkInputs(n)
	name := spec.Name
	if name == "" {
		name = g.FreshName(n.defaultName())
	}
	g.setNodeName(n, name)
	return n, nil
}

// checkSpec is an error if a node cannot be added as stated.
func (g *Graph) checkSpec(spec NodeSpec, before *Node) error {
	if spec.Op == "" {
		return fmt.Errorf("a node needs an operator")
	}
	if spec.Name != "" && g.byName[spec.Name] != nil {
		return fmt.Errorf("the name is taken by %s", g.byName[spec.Name])
	}
	if before != nil && before.graph != g {
		return fmt.Errorf("position: %s is not in the graph", before)
	}
	for i, v := range spec.Inputs {
		if v == nil {
			continue
		}
		if err := g.checkOwn(v); err != nil {
			return fmt.Errorf("input %d: %w", i, err)
		}
	}
	named := 0
	for i, name := range spec.Outputs {
		if name == "" {
			continue
		}
		named++
		if err := g.checkNewValue(name); err != nil {
			return fmt.Errorf("output %d: %w", i, err)
		}
		if slices.Contains(spec.Outputs[:i], name) {
			return fmt.Errorf("output %d: %q stands twice", i, name)
		}
	}
	if named == 0 {
		return fmt.Errorf("a node needs an output")
	}
	return nil
}

// checkOwn refuses nil, removed values and those of other graphs.
func (g *Graph) checkOwn(v *Value) error {
	if v == nil {
		return fmt.Errorf("no value given")
	}
	if v.graph != g || g.values[v.name] != v {
		return fmt.Errorf("value %q is not in the graph", v.name)
	}
	return nil
}

// Remove removes a node and the values it produces. It refuses if one of them is read or is a graph output.
func (g *Graph) Remove(n *Node) error {
	if n == nil || n.graph != g {
		return fmt.Errorf("remove node: it is not in the graph")
	}
	for _, v := range n.outputs {
		switch {
		case v == nil:
		case v.isOutput:
			return fmt.Errorf("remove %s: its output %q is a graph output", n, v.name)
		case len(v.uses) > 0:
			return fmt.Errorf("remove %s: its output %q is read by %s", n, v.name, v.Uses()[0].Node)
		}
	}
	for i, v := range n.inputs {
		if v != nil {
			v.dropUse(n, i)
		}
	}
	for _, v := range n.captures {
		v.dropUse(n, -1)
	}
	for _, v := range n.outputs {
		if v != nil {
			g.forget(v)
		}
	}
	delete(g.byName, n.Name())
	g.takeOut(n)
	n.graph = nil
	return nil
}

// needed reports whether an output of the node is read or is a graph output.
func (n *Node) needed() bool {
	return slices.ContainsFunc(n.outputs, func(v *Value) bool { return v != nil && (v.isOutput || len(v.uses) > 0) })
}

// forget removes a value nobody reads.
func (g *Graph) forget(v *Value) {
	if g.values[v.name] == v {
		delete(g.values, v.name)
		g.dropValueInfo(v.name)
	}
	v.graph = nil
}

// AddInitializer adds a constant. The tensor's bytes are not copied.
func (g *Graph) AddInitializer(name string, t *tensor.Tensor) (*Value, error) {
	if err := g.checkNewValue(name); err != nil {
		return nil, fmt.Errorf("add initializer: %w", err)
	}
	pb, err := encodeTensor(name, t)
	if err != nil {
		return nil, fmt.Errorf("add initializer %q: %w", name, err)
	}
	v := &Value{graph: g, name: name, init: pb}
	g.values[name] = v
	g.inits = append(g.inits, v)
	g.pb.Initializer = append(g.pb.Initializer, pb)
	g.dirty = true
	return v, nil
}

// RemoveInitializer removes a constant. It refuses if a node reads it or it is a graph output.
func (g *Graph) RemoveInitializer(v *Value) error {
	if err := g.checkOwn(v); err != nil {
		return fmt.Errorf("remove initializer: %w", err)
	}
	switch {
	case v.init == nil:
		return fmt.Errorf("remove initializer: %q comes from %s", v.name, v.origin())
	case v.isOutput:
		return fmt.Errorf("remove initializer: %q is a graph output", v.name)
	case len(v.uses) > 0:
		return fmt.Errorf("remove initializer: %q is read by %s", v.name, v.Uses()[0].Node)
	}
	g.dropInitializer(v)
	return nil
}

func (g *Graph) dropInitializer(v *Value) {
	g.gone.add(v.init)
	// Without its constant, an entry among the inputs would turn into an input that callers must feed.
	for _, info := range g.mentioned().inputs[v.name] {
		g.gone.add(info)
	}
	g.dirty = true
	g.forget(v)
}

// Prune removes nodes none of whose outputs is needed and constants that nobody reads. It returns how many of both.
func (g *Graph) Prune() int {
	removed := 0
	for work := g.Nodes(); len(work) > 0; {
		n := work[len(work)-1]
		work = work[:len(work)-1]
		if n.graph != g || n.needed() {
			continue
		}
		read := slices.Concat(n.inputs, n.captures)
		if g.Remove(n) != nil {
			continue
		}
		removed++
		for _, v := range read { // perhaps nobody else did
			if v != nil && v.producer != nil {
				work = append(work, v.producer)
			}
		}
	}
	for _, v := range g.Initializers() {
		if len(v.uses) == 0 && !v.isOutput {
			g.dropInitializer(v)
			removed++
		}
	}
	return removed
}

// ReplaceUses makes every node that reads old read replacement, subgraphs included. Graph outputs stay as they are:
// see ReplaceOutput.
func (g *Graph) ReplaceUses(old, replacement *Value) error {
	for _, v := range []*Value{old, replacement} {
		if err := g.checkOwn(v); err != nil {
			return fmt.Errorf("replace uses: %w", err)
		}
	}
	if old == replacement {
		return nil
	}
	for _, u := range old.Uses() {
		if u.Index >= 0 {
			u.Node.SetInput(u.Index, replacement)
			continue
		}
		u.Node.renameFree(old.name, replacement.name)
		u.Node.relinkCaptures()
	}
	return nil
}

// ReplaceOutput makes replacement the graph output in place of old. The interface of the model does not change: the
// replacement takes over the name of old, which gets a fresh one and is no longer an output.
func (g *Graph) ReplaceOutput(old, replacement *Value) error {
	for _, v := range []*Value{old, replacement} {
		if err := g.checkOwn(v); err != nil {
			return fmt.Errorf("replace graph output: %w", err)
		}
	}
	switch {
	case !old.isOutput:
		return fmt.Errorf("replace graph output: %q is not one", old.name)
	case old.isInput:
		return fmt.Errorf("replace graph output: %q is a graph input, too", old.name)
	case replacement.isOutput:
		return fmt.Errorf("replace graph output %q: %q is an output already", old.name, replacement.name)
	case replacement.isInput:
		return fmt.Errorf("replace graph output %q: %q is a graph input and keeps its name", old.name, replacement.name)
	}
	name, slot := old.name, slices.Index(g.outputs, old)
	shape, known := old.Shape()
	dtype := old.DType()
	g.dropValueInfo(replacement.name)
	old.isOutput, replacement.isOutput = false, true
	replacement.info, old.info = old.info, nil
	g.outputs[slot] = replacement
	// The entry of the interface keeps its name: it belongs to the replacement now.
	entry := &g.pb.Output[slot].Name
	g.unmention(name, entry)
	g.rename(old, g.FreshName(name+"/replaced"))
	g.rename(replacement, name)
	g.mention(entry)
	if known {
		old.SetType(dtype, shape)
	}
	return nil
}
