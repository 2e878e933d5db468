package onnx

import (
	"fmt"

	"google.golang.org/protobuf/proto"
)

// FreshName returns base, or base with the lowest number that was never taken, and reserves it: no other call returns
// it. Free means that no node or value has the name, in subgraphs neither.
func (g *Graph) FreshName(base string) string {
	name := base
	for name == "" || g.taken(name) {
		g.tried[base]++ // numbers below are taken for good, but for names that edits gave up
		name = fmt.Sprintf("%s_%d", base, g.tried[base])
	}
	g.issued[name] = true
	return name
}

func (g *Graph) taken(name string) bool {
	return g.values[name] != nil || g.byName[name] != nil || g.issued[name] || g.inner[name]
}

// nameNodes gives every node a name of its own: nodes without one, and all but the first of several that share one,
// are named after their operator and output.
func (g *Graph) nameNodes() {
	var unnamed []*Node
	for n := g.first; n != nil; n = n.next {
		if n.Name() == "" || g.byName[n.Name()] != nil {
			unnamed = append(unnamed, n)
			continue
		}
		g.byName[n.Name()] = n
	}
	for _, n := range unnamed {
		g.setNodeName(n, g.FreshName(n.defaultName()))
	}
}

func (n *Node) defaultName() string {
	for _, o := range n.outputs {
		if o != nil {
			return n.Op() + "_" + o.name
		}
	}
	return n.Op()
}

func (g *Graph) setNodeName(n *Node, name string) {
	n.pb.Name = proto.String(name)
	g.byName[name] = n
}

// checkNewValue refuses names that a value of the graph or of a subgraph has.
func (g *Graph) checkNewValue(name string) error {
	switch {
	case name == "":
		return fmt.Errorf("a value needs a name")
	case g.values[name] != nil:
		return fmt.Errorf("value %q exists already, from %s", name, g.values[name].origin())
	case g.inner[name]:
		return fmt.Errorf("value %q exists already in a subgraph", name)
	}
	return nil
}

// RenameValue renames a value wherever the document mentions it. Graph inputs and outputs keep their place.
func (g *Graph) RenameValue(v *Value, name string) error {
	if err := g.checkOwn(v); err != nil {
		return fmt.Errorf("rename value: %w", err)
	}
	if name == v.name {
		return nil
	}
	if err := g.checkNewValue(name); err != nil {
		return fmt.Errorf("rename value %q: %w", v.name, err)
	}
	g.rename(v, name)
	return nil
}

// rename renames a value in the graph and in its lists.
func (g *Graph) rename(v *Value, name string) {
	old := v.name
	delete(g.values, old)
	g.values[name] = v
	v.name = name
	if v.producer != nil {
		v.producer.pb.Output[v.index] = name
	}
	if v.init != nil {
		v.init.Name = proto.String(name)
	}
	if v.sparse != nil {
		v.sparse.Values.Name = proto.String(name)
	}
	for _, u := range v.uses {
		if u.Index < 0 {
			u.Node.renameFree(old, name)
		} else {
			u.Node.pb.Input[u.Index] = name
		}
	}
	g.renameMentions(old, name)
}
