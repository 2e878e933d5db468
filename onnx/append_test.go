package onnx

import (
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// follower is a document with input "y" and output "z" that can follow what withCalls makes.
func follower(t *testing.T, functions []*onnxpb.FunctionProto, call string) *Model {
	t.Helper()
	m := withCalls(functions, "y="+call)
	for _, name := range [][2]string{{"y", "z"}, {"x", "y"}} {
		if err := m.Graph.RenameValue(m.Graph.Value(name[0]), name[1]); err != nil {
			t.Fatal(err)
		}
	}
	m.sync()
	return m
}

// TestAppendOperators: in the whole every operator means what it does in its part, or the parts are refused and the
// model stays as it was.
func TestAppendOperators(t *testing.T) {
	neg, abs := []*onnxpb.FunctionProto{fn("o=f(a)", "o=Neg(a)")}, []*onnxpb.FunctionProto{fn("o=f(a)", "o=Abs(a)")}
	overloaded := []*onnxpb.FunctionProto{proto.Clone(neg[0]).(*onnxpb.FunctionProto)}
	overloaded[0].Overload = proto.String("second")
	nested := []*onnxpb.FunctionProto{fn("o=g(a)", "o=f(a)")} // calls an operator
	opset := func(m *Model, domain string, version int64) *Model {
		m.SetOpset(domain, version)
		return m
	}
	for _, c := range []struct {
		name        string
		front, back *Model
		want        string // in the error
		functions   int    // of the whole
		ir          int64  // of the whole; 7 before
	}{
		{"one operator set", withCalls(nil, "y=Neg(x)"), follower(t, nil, "Abs(x)"), "", 0, 7},
		{"two versions", withCalls(nil, "y=Neg(x)"), opset(follower(t, nil, "Abs(x)"), "", 18), `version 17 of operator set "ai.onnx", what is to follow uses version 18`, 0, 0},
		{"two versions under two names", withCalls(nil, "y=Neg(x)"), opset(follower(t, nil, "Abs(x)"), "ai.onnx", 18), "uses version 18: bring both to one version", 0, 0},
		{"two versions of a domain", withCalls(nil, "y=f(x)"), opset(follower(t, nil, "f(x)"), "local", 2), `version 1 of operator set "local"`, 0, 0},
		{"a version that one part uses", withCalls(nil, "y=Neg(x)"), opset(follower(t, nil, "f(x)"), "local", 2), "", 0, 7},
		{"a version that no node uses", withCalls(nil, "y=f(x)"), opset(follower(t, nil, "Abs(x)"), "local", 2), "", 0, 7},
		{"one function in both", withCalls(neg, "y=f(x)"), follower(t, neg, "f(x)"), "", 1, 7},
		{"a function of the model", withCalls(neg, "y=f(x)"), follower(t, nil, "Abs(x)"), "", 1, 7},
		{"a function of what follows", withCalls(nil, "y=Neg(x)"), follower(t, abs, "f(x)"), "", 1, 8},
		{"two of a name", withCalls(neg, "y=f(x)"), follower(t, overloaded, "Abs(x)"), "", 2, 10},
		{"different functions", withCalls(neg, "y=f(x)"), follower(t, abs, "f(x)"), "both parts have a function local.f, and they differ: write the functions out", 0, 0},
		{"an operator and then a function", withCalls(nil, "y=f(x)"), follower(t, abs, "f(x)"), "local.f is an operator in the model", 0, 0},
		{"an operator in a function and then a function", withCalls(nested, "y=g(x)"), follower(t, abs, "f(x)"), "local.f is an operator in the model", 0, 0},
		{"a function and then an operator", withCalls(neg, "y=f(x)"), follower(t, nil, "f(x)"), "local.f is a function of the model", 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.front.IRVersion = 7
			before, local := listing(c.front.Graph), c.back.Opset("local")
			err := c.front.Append(c.back)
			if c.want != "" {
				if err == nil || !strings.Contains(err.Error(), c.want) || listing(c.front.Graph) != before {
					t.Errorf("error %v, want %q; %s", err, c.want, listing(c.front.Graph))
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if n := len(c.front.pb.Functions); n != c.functions || c.front.IRVersion != c.ir {
				t.Errorf("%d functions, IR version %d", n, c.front.IRVersion)
			}
			uses := func(m *Model) bool {
				return slices.ContainsFunc(m.Graph.Nodes(), func(n *Node) bool { return n.Domain() == "local" })
			}
			if uses(c.back) && c.front.Opset("local") != local {
				t.Errorf("version %d of local, want %d", c.front.Opset("local"), local)
			}
			text, err := c.front.Marshal()
			if err != nil {
				t.Fatal(err)
			}
			if _, err := Parse(text, ""); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestAppendConstantOutput: a constant that is an output keeps its name, what has it in the model gets another one.
func TestAppendConstantOutput(t *testing.T) {
	part := func(constant float32, output string, names ...string) *Model {
		m := New(17)
		var in []*Value
		for _, name := range names {
			v, err := m.Graph.AddInput(name, tensor.Float32, tensor.Shape{-1, 1})
			if err != nil {
				t.Fatal(err)
			}
			in = append(in, v)
		}
		k, err := m.Graph.AddInitializer("k", tensor.From(tensor.Shape{1}, []float32{constant}))
		if err != nil {
			t.Fatal(err)
		}
		n, err := m.Graph.AddNode(NodeSpec{Name: output, Op: "Add", Inputs: []*Value{in[0], k}, Outputs: []string{output}}, nil)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Graph.AddOutput(n.Output(0)); err != nil {
			t.Fatal(err)
		}
		return m
	}
	m, tail := part(1, "y", "x"), part(2, "z", "y")
	if err := tail.Graph.AddOutput(tail.Graph.Value("k")); err != nil {
		t.Fatal(err)
	}
	if err := m.Append(tail); err != nil {
		t.Fatal(err)
	}
	if got := Names(m.Graph.Outputs()); len(got) != 2 || got[0] != "z" || got[1] != "k" {
		t.Errorf("outputs %v", got)
	}
	for node, want := range map[string]float32{"y": 1, "z": 2} {
		if f, err := tensor.Floats(m.Graph.Node(node).Input(1).Const()); err != nil || f[0] != want {
			t.Errorf("%s adds %v, %v", node, f, err)
		}
	}
	if f, err := tensor.Floats(m.Graph.Value("k").Const()); err != nil || f[0] != 2 {
		t.Errorf("output %v, %v", f, err)
	}
}
