package onnx

import "github.com/mpqc/mpqc/onnx/internal/onnxpb"

// subgraphs lists the graphs among a node's attributes.
func subgraphs(n *onnxpb.NodeProto) []*onnxpb.GraphProto {
	var out []*onnxpb.GraphProto
	for _, a := range n.Attribute {
		if a.G != nil {
			out = append(out, a.G)
		}
		out = append(out, a.Graphs...)
	}
	return out
}

// Inner is a node of a body, as far as one can look at it from outside.
type Inner struct{ Domain, Op, Name string }

// Inner lists the nodes of the bodies of n (If, Loop, Scan), those of bodies within them included.
func (n *Node) Inner() []Inner {
	var list []Inner
	for _, sub := range subgraphs(n.pb) {
		walkGraphs(sub, func(g *onnxpb.GraphProto) {
			for _, m := range g.Node {
				domain := m.GetDomain()
				if defaultDomain(domain) {
					domain = ""
				}
				list = append(list, Inner{domain, m.GetOpType(), m.GetName()})
			}
		})
	}
	return list
}

// linkCaptures records the outer values that subgraphs of n read, and the names they define.
func (g *Graph) linkCaptures(n *Node) {
	seen := map[*Value]bool{}
	for _, sub := range subgraphs(n.pb) {
		walkFree(sub, nil, func(name *string) {
			v := g.resolve(*name)
			if seen[v] {
				return
			}
			seen[v] = true
			n.captures = append(n.captures, v)
			v.addUse(n, -1)
		})
		walkGraphs(sub, func(s *onnxpb.GraphProto) {
			for name := range defined(s) {
				g.inner[name] = true
			}
		})
	}
}

// renameFree renames an outer value where subgraphs of n read it.
func (n *Node) renameFree(from, to string) {
	for _, sub := range subgraphs(n.pb) {
		walkFree(sub, nil, func(name *string) {
			if *name == from {
				*name = to
			}
		})
	}
}

// scope is a chain of the names defined in nested subgraphs.
type scope struct {
	names map[string]bool
	outer *scope
}

func (s *scope) has(name string) bool {
	for ; s != nil; s = s.outer {
		if s.names[name] {
			return true
		}
	}
	return false
}

// walkFree visits every mention of a value that is defined outside of g: inputs of nodes and graph outputs.
func walkFree(g *onnxpb.GraphProto, outer *scope, visit func(name *string)) {
	s := &scope{defined(g), outer}
	for _, n := range g.Node {
		for i := range n.Input {
			if n.Input[i] != "" && !s.has(n.Input[i]) {
				visit(&n.Input[i])
			}
		}
		for _, sub := range subgraphs(n) {
			walkFree(sub, s, visit)
		}
	}
	for _, o := range g.Output {
		if o.Name != nil && *o.Name != "" && !s.has(*o.Name) {
			visit(o.Name)
		}
	}
}

// defined is the set of value names that a subgraph itself defines.
func defined(g *onnxpb.GraphProto) map[string]bool {
	names := map[string]bool{}
	for _, v := range g.Input {
		names[v.GetName()] = true
	}
	for _, t := range g.Initializer {
		names[t.GetName()] = true
	}
	for _, t := range g.SparseInitializer {
		names[t.GetValues().GetName()] = true
	}
	for _, n := range g.Node {
		for _, o := range n.Output {
			names[o] = true
		}
	}
	return names
}

// walkGraphs visits g and every graph nested in it.
func walkGraphs(g *onnxpb.GraphProto, visit func(*onnxpb.GraphProto)) {
	visit(g)
	for _, n := range g.Node {
		for _, sub := range subgraphs(n) {
			walkGraphs(sub, visit)
		}
	}
}
