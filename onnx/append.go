package onnx

import (
	"cmp"
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// Append goes on with another document where this one ends: inputs of the other are values of this one of the same
// name, and its outputs become the outputs of the whole. Other names that both have are made different. The other
// document is not changed. It is an error if operators would mean something else in the whole than in their part: where
// both use different versions of an operator set, or different functions of one name.
func (m *Model) Append(tail *Model) error {
	t := tail.Clone()
	m.sync()
	t.sync()
	if err := m.agree(t); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	for _, v := range t.Graph.inputs {
		if own := m.Graph.values[v.name]; own == nil || own.undefined() {
			return fmt.Errorf("append: the model has no value %q", v.name)
		}
	}
	if err := m.separate(t.Graph); err != nil {
		return fmt.Errorf("append: %w", err)
	}
	t.sync()
	m.takeImports(t)
	pb, more := m.Graph.pb, t.Graph.pb
	pb.ValueInfo = append(pb.ValueInfo, m.Graph.lostOutputs(t.Graph)...)
	pb.Node = append(pb.Node, more.Node...)
	pb.Initializer = append(pb.Initializer, more.Initializer...)
	pb.SparseInitializer = append(pb.SparseInitializer, more.SparseInitializer...)
	pb.ValueInfo = append(pb.ValueInfo, more.ValueInfo...)
	pb.Output = more.Output
	m.Graph = linkGraph(pb)
	return m.Validate()
}

// agree reports where operators of two documents that are to be one contradict each other.
func (m *Model) agree(t *Model) error {
	here, there := m.operators(), t.operators()
	for _, o := range t.pb.OpsetImport {
		d := o.GetDomain()
		if own := m.Opset(d); own != 0 && own != o.GetVersion() && here.uses(d) && there.uses(d) {
			return fmt.Errorf("the model uses version %d of operator set %q, what is to follow uses version %d: bring both to one version, "+
				"or export the model anew as one file", own, cmp.Or(d, "ai.onnx"), o.GetVersion())
		}
	}
	const fix = "write the functions out in both first (InlineFunctions)"
	for _, f := range t.pb.Functions {
		key := functionOf(f)
		switch own := here.functions[key]; {
		case own != nil && !proto.Equal(own, f):
			return fmt.Errorf("both parts have a function %s, and they differ: %s", key, fix)
		case own == nil && here.calls[key]:
			return fmt.Errorf("%s is an operator in the model and a function of what is to follow: %s", key, fix)
		}
	}
	for _, f := range m.pb.Functions {
		if key := functionOf(f); there.functions[key] == nil && there.calls[key] {
			return fmt.Errorf("%s is a function of the model and an operator in what is to follow: %s", key, fix)
		}
	}
	return nil
}

// takeImports takes over the operator sets and functions that the document lacks, or does not use.
func (m *Model) takeImports(t *Model) {
	here, there := m.operators(), t.operators()
	for _, o := range t.pb.OpsetImport {
		if d := o.GetDomain(); !here.uses(d) && (m.Opset(d) == 0 || there.uses(d)) {
			m.SetOpset(o.GetDomain(), o.GetVersion())
		}
	}
	for _, f := range t.pb.Functions {
		if here.functions[functionOf(f)] != nil {
			continue
		}
		m.pb.Functions = append(m.pb.Functions, f)
		m.IRVersion = max(m.IRVersion, functionsIR)
		if f.GetOverload() != "" {
			m.IRVersion = max(m.IRVersion, overloadsIR)
		}
	}
}

// The versions of the file format that brought functions, and several functions of one name.
const (
	functionsIR = 8
	overloadsIR = 10
)

// operators are what a document's nodes are of.
type operators struct {
	functions map[functionKey]*onnxpb.FunctionProto
	calls     map[functionKey]bool // by nodes of graphs, subgraphs and functions
	domains   map[string]bool      // of nodes of graphs and subgraphs
}

// uses reports whether an import of the domain means anything: functions have imports of their own.
func (o operators) uses(domain string) bool { return o.domains[keyOf(domain, "", "").domain] }

func functionOf(f *onnxpb.FunctionProto) functionKey {
	return keyOf(f.GetDomain(), f.GetName(), f.GetOverload())
}

// operators collects what the nodes of the document are of.
func (m *Model) operators() operators {
	o := operators{map[functionKey]*onnxpb.FunctionProto{}, map[functionKey]bool{}, map[string]bool{}}
	walkGraphs(m.pb.Graph, func(g *onnxpb.GraphProto) { o.add(g.Node, true) })
	for _, f := range m.pb.Functions {
		o.functions[functionOf(f)] = f
		walkGraphs(&onnxpb.GraphProto{Node: f.Node}, func(g *onnxpb.GraphProto) { o.add(g.Node, false) })
	}
	return o
}

// add adds the operators of nodes. imported says that the imports of the model hold for them.
func (o operators) add(nodes []*onnxpb.NodeProto, imported bool) {
	for _, n := range nodes {
		key := keyOf(n.GetDomain(), n.GetOpType(), n.GetOverload())
		o.calls[key] = true
		if imported {
			o.domains[key.domain] = true
		}
	}
}

// separate renames what of another graph has the name of something else here. Its outputs keep theirs.
func (m *Model) separate(t *Graph) error {
	g := m.Graph
	fresh := func(name string) string {
		to := g.FreshName(name)
		for t.taken(to) {
			to = g.FreshName(name)
		}
		return to
	}
	for n := t.first; n != nil; n = n.next {
		if g.byName[n.Name()] != nil {
			delete(t.byName, n.Name())
			t.setNodeName(n, fresh(n.Name()))
		}
		for _, v := range n.outputs {
			if v == nil || !g.taken(v.name) {
				continue
			}
			if v.isOutput {
				return fmt.Errorf("both parts have a value %q", v.name)
			}
			t.rename(v, fresh(v.name))
		}
	}
	for _, v := range t.Initializers() {
		own := g.values[v.name]
		switch {
		case !g.taken(v.name):
		case !v.isOutput:
			t.rename(v, fresh(v.name))
		case own == nil || own.isInput || own.isOutput:
			return fmt.Errorf("both parts have a value %q", v.name)
		default:
			g.rename(own, fresh(v.name))
		}
	}
	return nil
}

// lostOutputs describes the outputs that are none any more.
func (g *Graph) lostOutputs(t *Graph) []*valueInfo {
	var list []*valueInfo
	for i, v := range g.outputs {
		stays := slices.ContainsFunc(t.outputs, func(o *Value) bool { return o.name == v.name })
		if !stays && !v.isInput && v.init == nil {
			list = append(list, g.pb.Output[i])
		}
	}
	return list
}
