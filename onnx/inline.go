package onnx

import (
	"fmt"
	"slices"
	"strings"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// Bounds of what InlineFunctions makes: functions that call functions multiply, and a small file must not fill the
// memory.
const (
	maxInlinedNodes = 1 << 18
	maxInlinedBytes = 1 << 28 // of nodes with their attributes and names
	maxCallDepth    = 64
)

// InlineFunctions writes the nodes of the functions that the model brings in place of their calls, in functions and
// subgraphs, too, and reports how many calls that were. A function that needs another version of an operator set than
// the model stays, and so do its calls, as the inliner of the ONNX project does it; that one (1.23) forgets defaults of
// attributes, which hold here as in the standard and in onnxruntime. After an error the model is as it was; after a
// change the nodes and values of the graph are other objects than before.
func (m *Model) InlineFunctions() (int, error) {
	if len(m.pb.Functions) == 0 {
		return 0, nil
	}
	m.sync()
	in := &inliner{graph: m.Graph, functions: map[functionKey]*onnxpb.FunctionProto{}}
	imports := in.collect(m.pb)
	nodes, err := in.expand(m.pb.Graph.GetNode(), nil)
	if err != nil {
		return 0, fmt.Errorf("inline functions: %w", err)
	}
	if in.calls == 0 {
		return 0, nil
	}
	m.pb.Graph.Node = nodes
	if len(in.functions) == len(m.pb.Functions) { // else some of them may be called by those that stay
		imports = needed(imports, m.pb)
		m.pb.Functions = nil
	}
	m.pb.OpsetImport = imports
	m.Graph = linkGraph(m.pb.Graph)
	return in.calls, nil
}

type functionKey struct{ domain, name, overload string }

// String is the function as messages name it.
func (k functionKey) String() string {
	return strings.Trim(k.domain+"."+k.name+":"+k.overload, ".:")
}

func keyOf(domain, name, overload string) functionKey {
	if defaultDomain(domain) {
		domain = ""
	}
	return functionKey{domain, name, overload}
}

// inliner is the state of one InlineFunctions.
type inliner struct {
	graph        *Graph // for names
	functions    map[functionKey]*onnxpb.FunctionProto
	calls, nodes int
	bytes        int64
}

// charge counts what is about to be made.
func (in *inliner) charge(nodes, bytes int) error {
	in.nodes, in.bytes = in.nodes+nodes, in.bytes+int64(bytes)
	if in.nodes > maxInlinedNodes || in.bytes > maxInlinedBytes {
		return fmt.Errorf("written out, the functions of the model have more than %d nodes or %d bytes", maxInlinedNodes, maxInlinedBytes)
	}
	return nil
}

// collect finds the functions whose operator sets the model has, or may have since it has no other version. It returns
// what the model then imports.
func (in *inliner) collect(m *onnxpb.ModelProto) []*onnxpb.OperatorSetIdProto {
	imports := slices.Clone(m.OpsetImport)
	for _, f := range m.Functions {
		fits, more := true, []*onnxpb.OperatorSetIdProto(nil)
		for _, o := range f.OpsetImport {
			same := func(p *onnxpb.OperatorSetIdProto) bool { return sameDomain(p.GetDomain(), o.GetDomain()) }
			if i := slices.IndexFunc(imports, same); i < 0 {
				more = append(more, o)
			} else if imports[i].GetVersion() != o.GetVersion() {
				fits = false
			}
		}
		if fits {
			imports = append(imports, more...)
			in.functions[keyOf(f.GetDomain(), f.GetName(), f.GetOverload())] = f
		}
	}
	return imports
}

// needed leaves out the domains of functions that no node is of any more.
func needed(imports []*onnxpb.OperatorSetIdProto, m *onnxpb.ModelProto) []*onnxpb.OperatorSetIdProto {
	used, functions := map[string]bool{}, map[string]bool{}
	walkGraphs(m.Graph, func(g *onnxpb.GraphProto) {
		for _, n := range g.Node {
			used[n.GetDomain()] = true
		}
	})
	for _, f := range m.Functions {
		functions[f.GetDomain()] = true
	}
	return slices.DeleteFunc(slices.Clone(imports), func(o *onnxpb.OperatorSetIdProto) bool {
		d := o.GetDomain()
		return functions[d] && !used[d] && !defaultDomain(d)
	})
}

// expand is a list of nodes with the calls among them written out. The nodes given are not changed. stack is the
// functions that are being written out.
func (in *inliner) expand(nodes []*onnxpb.NodeProto, stack []functionKey) ([]*onnxpb.NodeProto, error) {
	var out []*onnxpb.NodeProto
	for _, n := range nodes {
		key := keyOf(n.GetDomain(), n.GetOpType(), n.GetOverload())
		f := in.functions[key]
		if f == nil {
			n, err := in.inside(n, stack)
			if err != nil {
				return nil, err
			}
			out = append(out, n)
			continue
		}
		if slices.Contains(stack, key) {
			return nil, fmt.Errorf("function %q of domain %q calls itself", key.name, key.domain)
		}
		if len(stack) == maxCallDepth {
			return nil, fmt.Errorf("function %q of domain %q: calls are nested deeper than %d", key.name, key.domain, maxCallDepth)
		}
		body, err := in.body(f, n)
		if err == nil {
			body, err = in.expand(body, append(stack, key))
		}
		if err != nil {
			return nil, err
		}
		in.calls++
		out = append(out, body...)
	}
	return out, nil
}

// inside writes out the calls in subgraphs of a node.
func (in *inliner) inside(n *onnxpb.NodeProto, stack []functionKey) (*onnxpb.NodeProto, error) {
	if len(subgraphs(n)) == 0 {
		return n, nil
	}
	n = proto.Clone(n).(*onnxpb.NodeProto)
	for _, sub := range subgraphs(n) {
		nodes, err := in.expand(sub.Node, stack)
		if err != nil {
			return nil, err
		}
		sub.Node = nodes
	}
	return n, nil
}
