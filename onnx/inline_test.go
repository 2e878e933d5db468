package onnx

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

// fn makes a function of domain "local" for operator set 17 from nodes as text: "y=Op(a,b)", with "name:ref" behind the
// inputs for attributes that refer to the function's. An operator with a small letter is a function, too.
func fn(head string, nodes ...string) *onnxpb.FunctionProto {
	outputs, op, inputs := nodeText(head)
	f := &onnxpb.FunctionProto{Name: proto.String(op), Domain: proto.String("local"), Input: inputs, Output: outputs}
	f.OpsetImport = []*onnxpb.OperatorSetIdProto{{Domain: proto.String(""), Version: proto.Int64(17)}, {Domain: proto.String("local"), Version: proto.Int64(1)}}
	for _, text := range nodes {
		f.Node = append(f.Node, callText(text))
	}
	return f
}

func callText(text string) *onnxpb.NodeProto {
	outputs, op, words := nodeText(text)
	n := &onnxpb.NodeProto{OpType: proto.String(op), Output: outputs}
	if strings.ToLower(op) == op {
		n.Domain = proto.String("local")
	}
	for _, w := range words {
		name, ref, isAttribute := strings.Cut(w, ":")
		switch {
		case !isAttribute:
			n.Input = append(n.Input, w)
		case ref[0] >= '0' && ref[0] <= '9':
			n.Attribute = append(n.Attribute, IntAttr(name, int64(ref[0]-'0')).pb)
		default:
			n.Attribute = append(n.Attribute, &onnxpb.AttributeProto{Name: proto.String(name), RefAttrName: proto.String(ref), Type: onnxpb.AttributeProto_INT.Enum()})
		}
	}
	return n
}

// nodeText reads "y=Op(a,b)"; "-" is a name that is left out.
func nodeText(text string) (outputs []string, op string, inputs []string) {
	left, right, _ := strings.Cut(text, "=")
	op, right, _ = strings.Cut(right, "(")
	split := func(s string) []string {
		var out []string
		for _, w := range strings.FieldsFunc(s, func(r rune) bool { return r == ',' }) {
			out = append(out, strings.TrimPrefix(w, "-"))
		}
		return out
	}
	return split(left), op, split(strings.TrimSuffix(right, ")"))
}

// withCalls is a model of input x that calls functions.
func withCalls(functions []*onnxpb.FunctionProto, calls ...string) *Model {
	pb := &onnxpb.ModelProto{IrVersion: proto.Int64(8), Functions: functions, OpsetImport: []*onnxpb.OperatorSetIdProto{
		{Domain: proto.String(""), Version: proto.Int64(17)}, {Domain: proto.String("local"), Version: proto.Int64(1)},
	}}
	float := &onnxpb.TypeProto{Value: &onnxpb.TypeProto_TensorType{TensorType: &onnxpb.TypeProto_Tensor{ElemType: proto.Int32(1)}}}
	pb.Graph = &onnxpb.GraphProto{
		Name: proto.String("g"), Input: []*onnxpb.ValueInfoProto{{Name: proto.String("x"), Type: float}}, Output: []*onnxpb.ValueInfoProto{{Name: proto.String("y"), Type: float}},
	}
	for i, c := range calls {
		n := callText(c)
		n.Name = proto.String(fmt.Sprintf("n%d", i))
		pb.Graph.Node = append(pb.Graph.Node, n)
	}
	return link(pb)
}

func TestInlineFunctions(t *testing.T) {
	for _, c := range []struct {
		name      string
		functions []*onnxpb.FunctionProto
		calls     []string
		want      string
	}{
		{
			"two calls",
			[]*onnxpb.FunctionProto{fn("o=f(a)", "t=Neg(a)", "o=Relu(t)")},
			[]string{"m=f(x)", "y=f(m)"},
			"n0/t=Neg(x) m=Relu(n0/t) n1/t=Neg(m) y=Relu(n1/t)",
		},
		{
			"nested",
			[]*onnxpb.FunctionProto{fn("o=f(a)", "o=g(a,a)"), fn("o=g(a,b)", "o=Add(b,a)")},
			[]string{"m=Neg(x)", "y=f(m)"},
			"m=Neg(x) y=Add(m,m)",
		},
		{
			"an input and an output left out",
			[]*onnxpb.FunctionProto{fn("o,p=f(a,b)", "p=Neg(a)", "o=Clip(p,b,a)")},
			[]string{"y,-=f(x)"},
			"n0/p=Neg(x) y=Clip(n0/p,-,x)",
		},
		{
			"an input is an output",
			[]*onnxpb.FunctionProto{fn("o,a=f(a)", "o=Neg(a)")},
			[]string{"m,s=f(x)", "y=Add(m,s)"},
			"m=Neg(x) s=Identity(x) y=Add(m,s)",
		},
		{
			"taken names",
			[]*onnxpb.FunctionProto{fn("o=f(a)", "t=Neg(a)", "o=Relu(t)")},
			[]string{"n1/t=Neg(x)", "y=f(n1/t)"},
			"n1/t=Neg(x) n1/t_1=Neg(n1/t) y=Relu(n1/t_1)",
		},
		{
			"a name of the function and of the graph",
			[]*onnxpb.FunctionProto{fn("x=f(y)", "m=Neg(y)", "x=Relu(m)")},
			[]string{"m=Abs(x)", "y=f(m)"},
			"m=Abs(x) n1/m=Neg(m) y=Relu(n1/m)",
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := withCalls(c.functions, c.calls...)
			if n, err := m.InlineFunctions(); err != nil || n == 0 {
				t.Fatalf("%d calls, %v", n, err)
			}
			if got := listing(m.Graph); got != c.want+" in x out y const " {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			assertLinked(t, m)
			if err := m.Validate(); err != nil || len(m.pb.Functions) != 0 || m.Opset("local") != 0 {
				t.Errorf("%d functions, domain %d, %v", len(m.pb.Functions), m.Opset("local"), err)
			}
			if n, err := m.InlineFunctions(); n != 0 || err != nil {
				t.Errorf("again: %d, %v", n, err)
			}
		})
	}
}

func TestInlineAttributes(t *testing.T) {
	f := fn("o=f(a)", "o=Softmax(a,axis:p,other:q,third:r)")
	f.Attribute, f.AttributeProto = []string{"p", "r"}, []*onnxpb.AttributeProto{IntAttr("q", 7).pb}
	m := withCalls([]*onnxpb.FunctionProto{fn("o=g(a)", "o=f(a,p:s)"), f}, "m=f(x,p:3)", "k=f(m,p:4,q:5)", "y=g(k,s:6)")
	if _, err := m.InlineFunctions(); err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, n := range m.Graph.Nodes() {
		got = append(got, fmt.Sprint(n.Int("axis", 0), n.Int("other", 0), n.Has("third")))
	}
	if want := []string{"3 7 false", "4 5 false", "6 7 false"}; !slices.Equal(got, want) {
		t.Errorf("attributes %q, want %q", got, want)
	}
}

// TestInlineSubgraphs: calls in branches are written out, and what branches of a function define and read is renamed.
func TestInlineSubgraphs(t *testing.T) {
	branch := func(nodes ...string) *onnxpb.AttributeProto {
		g := &onnxpb.GraphProto{Name: proto.String("b"), Output: []*onnxpb.ValueInfoProto{{Name: proto.String("t")}}}
		for _, text := range nodes {
			g.Node = append(g.Node, callText(text))
		}
		return &onnxpb.AttributeProto{Name: proto.String("then_branch"), Type: onnxpb.AttributeProto_GRAPH.Enum(), G: g}
	}
	f := fn("o=f(a)", "c=Neg(a)", "o=If(c)")
	f.Node[1].Attribute = []*onnxpb.AttributeProto{branch("t=Add(a,c)")}
	m := withCalls([]*onnxpb.FunctionProto{f, fn("o=g(a)", "s=Neg(a)", "o=Abs(s)")}, "m=f(x)", "y=If(m)")
	m.pb.Graph.Node[1].Attribute = []*onnxpb.AttributeProto{branch("u=g(m)", "t=f(u)")}
	m = link(m.pb)
	if n, err := m.InlineFunctions(); n != 3 || err != nil {
		t.Fatalf("%d calls, %v", n, err)
	}
	if err := m.Validate(); err != nil {
		t.Error(err)
	}
	assertLinked(t, m)
	var got []string
	for _, n := range m.pb.Graph.Node {
		walkGraphs(&onnxpb.GraphProto{Node: []*onnxpb.NodeProto{n}}, func(g *onnxpb.GraphProto) {
			for _, n := range g.Node {
				got = append(got, strings.Join(n.Output, ",")+"="+n.GetOpType()+"("+strings.Join(n.Input, ",")+")")
			}
		})
	}
	want := "n0/c=Neg(x) m=If(n0/c) n0/t=Add(x,n0/c) y=If(m) /s=Neg(m) u=Abs(/s) /c=Neg(u) t=If(/c) /t=Add(u,/c)"
	if s := strings.Join(got, " "); s != want {
		t.Errorf("got  %s\nwant %s", s, want)
	}
}

// TestInlineKeeps: functions of another operator set stay as they are, with all that they may call.
func TestInlineKeeps(t *testing.T) {
	old := fn("o=old(a)", "o=f(a)")
	old.OpsetImport[0].Version = proto.Int64(11)
	m := withCalls([]*onnxpb.FunctionProto{old, fn("o=f(a)", "o=Neg(a)")}, "m=f(x)", "y=old(m)")
	if n, err := m.InlineFunctions(); n != 1 || err != nil {
		t.Fatalf("%d calls, %v", n, err)
	}
	if got := listing(m.Graph); got != "m=Neg(x) y=old(m) in x out y const " || len(m.pb.Functions) != 2 || m.Opset("local") != 1 {
		t.Errorf("%s, %d functions", got, len(m.pb.Functions))
	}
}

func TestInlineErrors(t *testing.T) {
	wrong := fn("o=f(a)", "o=Softmax(a,axis:p)")
	wrong.AttributeProto = []*onnxpb.AttributeProto{FloatAttr("p", 1).pb}
	var many []*onnxpb.FunctionProto
	for i := range 5 {
		calls := []string{"t=f" + strings.Repeat("f", i+1) + "(a)", "o=Neg(t)"}
		many = append(many, fn("o=f"+strings.Repeat("f", i)+"(a)", slices.Repeat(calls, 20)...))
	}
	for _, c := range []struct {
		name      string
		functions []*onnxpb.FunctionProto
		call      string
		want      string
	}{
		{"calls itself", []*onnxpb.FunctionProto{fn("o=f(a)", "o=g(a)"), fn("o=g(a)", "o=f(a)")}, "y=f(x)", `function "f" of domain "local" calls itself`},
		{"too many inputs", []*onnxpb.FunctionProto{fn("o=f(a)", "o=Neg(a)")}, "y=f(x,x)", `called by node "n0": 2 inputs and 1 outputs, it has 1 and 1`},
		{"undefined", []*onnxpb.FunctionProto{fn("o=f(a)", "o=Neg(b)")}, "y=f(x)", `reads "b", which nothing before it defines`},
		{"type of an attribute", []*onnxpb.FunctionProto{wrong}, "y=f(x)", `attribute "p" is of type FLOAT, not INT`},
		{"output that is an input left out", []*onnxpb.FunctionProto{fn("a=f(b,a)", "c=Neg(b)")}, "y=f(x)", `output "a" is an input that is left out`},
		{"explosion", many, "y=f(x)", "more than 262144 nodes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := withCalls(c.functions, c.call)
			before := proto.Clone(m.pb)
			if _, err := m.InlineFunctions(); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("error %v, want %q", err, c.want)
			}
			if m.sync(); !proto.Equal(before, m.pb) {
				t.Error("the model changed")
			}
		})
	}
}
