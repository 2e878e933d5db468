package onnx

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// sample is x -> Mul(w) -> a -> Relu -> b -> Add(a) -> y.
func sample(tb testing.TB) *Model {
	tb.Helper()
	m := New(17)
	g := m.Graph
	x := must(g.AddInput("x", tensor.Float32, tensor.Shape{-1, 3}))(tb)
	w := must(g.AddInitializer("w", tensor.From(tensor.Shape{3}, []float32{1, 2, 3})))(tb)
	mul := must(g.AddNode(NodeSpec{Name: "mul", Op: "Mul", Inputs: []*Value{x, w}, Outputs: []string{"a"}}, nil))(tb)
	relu := must(g.AddNode(NodeSpec{Name: "relu", Op: "Relu", Inputs: mul.Outputs(), Outputs: []string{"b"}}, nil))(tb)
	add := must(g.AddNode(NodeSpec{Name: "add", Op: "Add", Inputs: []*Value{relu.Output(0), mul.Output(0)}, Outputs: []string{"y"}}, nil))(tb)
	add.Output(0).SetType(tensor.Float32, tensor.Shape{-1, 3})
	if err := g.AddOutput(add.Output(0)); err != nil {
		tb.Fatal(err)
	}
	m.sync()
	if err := m.Validate(); err != nil {
		tb.Fatal(err)
	}
	return m
}

// loop has a node whose subgraph reads the outer values w and a, and shadows nothing; another subgraph lies within.
func loop() *Model {
	inner := &onnxpb.GraphProto{
		Node:   []*onnxpb.NodeProto{{OpType: proto.String("Add"), Input: []string{"a", "local"}, Output: []string{"deep"}}},
		Output: []*onnxpb.ValueInfoProto{{Name: proto.String("deep")}},
	}
	body := &onnxpb.GraphProto{
		Node: []*onnxpb.NodeProto{
			{OpType: proto.String("Relu"), Input: []string{"w"}, Output: []string{"local"}},
			{OpType: proto.String("If"), Input: []string{"c"}, Output: []string{"r"}, Attribute: []*onnxpb.AttributeProto{graphAttr(inner)}},
		},
		Output: []*onnxpb.ValueInfoProto{{Name: proto.String("r")}},
	}
	pb := &onnxpb.ModelProto{
		IrVersion:   proto.Int64(8),
		OpsetImport: []*onnxpb.OperatorSetIdProto{{Version: proto.Int64(17)}},
		Graph: &onnxpb.GraphProto{
			Input: []*onnxpb.ValueInfoProto{
				{Name: proto.String("x"), Type: tensorType(nil, tensor.Float32, nil)}, {Name: proto.String("c"), Type: tensorType(nil, tensor.Bool, nil)},
			},
			Initializer: []*onnxpb.TensorProto{
				{Name: proto.String("w"), Dims: []int64{1}, DataType: proto.Int32(1), FloatData: []float32{2}},
			},
			Node: []*onnxpb.NodeProto{
				{OpType: proto.String("Relu"), Input: []string{"x"}, Output: []string{"a"}},
				{OpType: proto.String("If"), Input: []string{"c"}, Output: []string{"y"}, Attribute: []*onnxpb.AttributeProto{graphAttr(body)}},
			},
			Output: []*onnxpb.ValueInfoProto{{Name: proto.String("y")}},
		},
	}
	return link(pb)
}

func graphAttr(g *onnxpb.GraphProto) *onnxpb.AttributeProto {
	return &onnxpb.AttributeProto{Name: proto.String("then_branch"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
}

func must[T any](v T, err error) func(testing.TB) T {
	return func(tb testing.TB) T {
		tb.Helper()
		if err != nil {
			tb.Fatal(err)
		}
		return v
	}
}

// listing is a graph as text: one line a node, then the interface.
func listing(g *Graph) string {
	names := func(vs []*Value) string {
		s := make([]string, len(vs))
		for i, v := range vs {
			s[i] = "-"
			if v != nil {
				s[i] = v.Name()
			}
		}
		return strings.Join(s, ",")
	}
	var b strings.Builder
	for _, n := range g.Nodes() {
		b.WriteString(names(n.Outputs()) + "=" + n.Op() + "(" + names(n.Inputs()) + ") ")
	}
	return b.String() + "in " + names(g.Inputs()) + " out " + names(g.Outputs()) + " const " + names(g.Initializers())
}

// assertLinked checks the links of a graph against those a fresh reading of its message gives.
func assertLinked(t *testing.T, m *Model) {
	t.Helper()
	fresh := m.Clone()
	if got, want := listing(m.Graph), listing(fresh.Graph); got != want {
		t.Errorf("links say   %s\nmessage says %s", got, want)
	}
	for name, v := range fresh.Graph.values {
		w := m.Graph.values[name]
		if w == nil {
			t.Errorf("value %q is not linked", name)
			continue
		}
		if len(v.Uses()) != len(w.Uses()) || v.IsOutput() != w.IsOutput() || v.IsInput() != w.IsInput() {
			t.Errorf("value %q: links have %v, message has %v", name, w.Uses(), v.Uses())
		}
	}
}
