package onnx

import (
	"fmt"
	"slices"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// Extract copies the part of a model that computes the outputs from the inputs, all named: a document of its own with
// these as its interface and the metadata of the whole. A name may stand on both sides: such a value passes through. It
// is an error if an output depends on a graph input that is not among the inputs.
func (m *Model) Extract(inputs, outputs []string) (*Model, error) {
	c := m.Clone()
	g := c.Graph
	needed, err := g.needed(inputs, outputs)
	if err != nil {
		return nil, fmt.Errorf("extract part of the model: %w", err)
	}
	pb := g.pb
	in, err := g.describe(inputs)
	if err != nil {
		return nil, fmt.Errorf("extract part of the model: %w", err)
	}
	out, err := g.describe(outputs)
	if err != nil {
		return nil, fmt.Errorf("extract part of the model: %w", err)
	}
	pb.Input, pb.Output = in, out
	pb.Node = nil
	for n := g.first; n != nil; n = n.next {
		if needed.nodes[n] {
			pb.Node = append(pb.Node, n.pb)
		}
	}
	pb.Initializer = slices.DeleteFunc(pb.Initializer, func(t *onnxpb.TensorProto) bool { return !needed.values[t.GetName()] })
	pb.SparseInitializer = slices.DeleteFunc(pb.SparseInitializer, func(t *onnxpb.SparseTensorProto) bool {
		return !needed.values[t.GetValues().GetName()]
	})
	interfaced := map[string]bool{}
	for _, name := range slices.Concat(inputs, outputs) {
		interfaced[name] = true
	}
	pb.ValueInfo = slices.DeleteFunc(pb.ValueInfo, func(i *valueInfo) bool {
		return !needed.values[i.GetName()] || interfaced[i.GetName()]
	})
	c.pb.Graph = pb
	part := link(c.pb)
	part.dropImports()
	return part, part.Validate()
}

// describe makes entries of an interface of values.
func (g *Graph) describe(names []string) ([]*valueInfo, error) {
	var list []*valueInfo
	for _, name := range names {
		v := g.values[name]
		if v == nil {
			return nil, fmt.Errorf("it has no value %q", name)
		}
		info := &valueInfo{Name: proto.String(name)}
		if v.info != nil {
			info = proto.Clone(v.info).(*valueInfo)
		} else if s, known := v.Shape(); known {
			info.Type = tensorType(nil, v.DType(), s)
		}
		list = append(list, info)
	}
	return list, nil
}

// need is what a part of a graph consists of.
type need struct {
	nodes  map[*Node]bool
	values map[string]bool
}

// needed follows outputs back to inputs.
func (g *Graph) needed(inputs, outputs []string) (need, error) {
	r := need{map[*Node]bool{}, map[string]bool{}}
	for _, name := range inputs {
		r.values[name] = true
	}
	work := slices.Clone(outputs)
	for len(work) > 0 {
		name := work[len(work)-1]
		work = work[:len(work)-1]
		if r.values[name] {
			continue
		}
		r.values[name] = true
		v := g.values[name]
		switch {
		case v == nil || v.undefined():
			return r, fmt.Errorf("it has no value %q", name)
		case v.isInput:
			return r, fmt.Errorf("its input %q is needed, too", name)
		case v.producer == nil || r.nodes[v.producer]:
			continue
		}
		r.nodes[v.producer] = true
		for _, x := range slices.Concat(v.producer.inputs, v.producer.captures) {
			if x != nil {
				work = append(work, x.name)
			}
		}
		for _, y := range v.producer.outputs {
			if y != nil {
				r.values[y.name] = true
			}
		}
	}
	return r, nil
}

// dropImports removes imports of operator domains that no node of the main graph, of a subgraph or of a function uses:
// a runtime without them refuses the file.
func (m *Model) dropImports() {
	if len(m.pb.Functions) > 0 {
		return
	}
	used := m.operators()
	m.pb.OpsetImport = slices.DeleteFunc(m.pb.OpsetImport, func(o *onnxpb.OperatorSetIdProto) bool {
		return !used.uses(o.GetDomain()) && !defaultDomain(o.GetDomain())
	})
}

// SameOperation reports whether two nodes, of different documents perhaps, have one operator with equal attributes, and
// read equal constants in the same places. Names of values and nodes do not count, but those in subgraphs.
func SameOperation(a, b *Node) bool {
	if a.Op() != b.Op() || a.Domain() != b.Domain() || len(a.inputs) != len(b.inputs) || len(a.pb.Attribute) != len(b.pb.Attribute) {
		return false
	}
	for i, x := range a.pb.Attribute {
		if !proto.Equal(x, b.pb.Attribute[i]) {
			return false
		}
	}
	for i, x := range a.inputs {
		y := b.inputs[i]
		if (x == nil) != (y == nil) || x != nil && (x.init == nil) != (y.init == nil) {
			return false
		}
		if x != nil && x.init != nil {
			s, t := proto.Clone(x.init).(*onnxpb.TensorProto), proto.Clone(y.init).(*onnxpb.TensorProto)
			s.Name, t.Name = nil, nil
			if !proto.Equal(s, t) {
				return false
			}
		}
	}
	return true
}
