package onnx

import (
	"slices"
	"strings"
	"sync"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/internal/tensor"
)

const sampleListing = "a=Mul(x,w) b=Relu(a) y=Add(b,a) in x out y const w"

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		name string
		edit func(g *Graph) error
		want string
	}{
		{"insert before", func(g *Graph) error {
			_, err := g.AddNode(NodeSpec{Op: "Neg", Inputs: []*Value{g.Value("a")}, Outputs: []string{"n"}}, g.Node("relu"))
			return err
		}, "a=Mul(x,w) n=Neg(a) b=Relu(a) y=Add(b,a) in x out y const w"},
		{"omitted input and output", func(g *Graph) error {
			_, err := g.AddNode(NodeSpec{Op: "Odd", Inputs: []*Value{nil, g.Value("x")}, Outputs: []string{"", "o"}}, nil)
			return err
		}, "a=Mul(x,w) b=Relu(a) y=Add(b,a) -,o=Odd(-,x) in x out y const w"},
		{"bypass and remove", func(g *Graph) error {
			if err := g.ReplaceUses(g.Value("b"), g.Value("a")); err != nil {
				return err
			}
			return g.Remove(g.Node("relu"))
		}, "a=Mul(x,w) y=Add(a,a) in x out y const w"},
		{"prune", func(g *Graph) error {
			g.Node("add").SetInput(0, g.Value("x"))
			g.Node("add").SetInput(1, nil)
			if n := g.Prune(); n != 3 {
				t.Errorf("pruned %d", n)
			}
			return nil
		}, "y=Add(x) in x out y const "},
		{"replace output", func(g *Graph) error {
			if err := g.ReplaceOutput(g.Value("y"), g.Value("b")); err != nil {
				return err
			}
			g.Prune()
			return nil
		}, "a=Mul(x,w) y=Relu(a) in x out y const w"},
		{"replace output keeps the old value", func(g *Graph) error {
			return g.ReplaceOutput(g.Value("y"), g.Value("b"))
		}, "a=Mul(x,w) y=Relu(a) y/replaced=Add(y,a) in x out y const w"},
		{"rename", func(g *Graph) error {
			for _, r := range [][2]string{{"x", "input"}, {"w", "weight"}, {"a", "A"}, {"y", "logits"}} {
				if err := g.RenameValue(g.Value(r[0]), r[1]); err != nil {
					return err
				}
			}
			return nil
		}, "A=Mul(input,weight) b=Relu(A) logits=Add(b,A) in input out logits const weight"},
		{"insert behind an output", func(g *Graph) error {
			y := g.Value("y")
			n, err := g.AddNode(NodeSpec{Op: "Neg", Inputs: []*Value{y}, Outputs: []string{g.FreshName("y")}}, nil)
			if err != nil {
				return err
			}
			return g.ReplaceOutput(y, n.Output(0))
		}, "a=Mul(x,w) b=Relu(a) y/replaced=Add(b,a) y=Neg(y/replaced) in x out y const w"},
		{"sort", func(g *Graph) error {
			n, err := g.AddNode(NodeSpec{Op: "Neg", Inputs: []*Value{g.Value("x")}, Outputs: []string{"n"}}, nil)
			if err != nil {
				return err
			}
			g.Node("mul").SetInput(0, n.Output(0))
			return g.Sort()
		}, "n=Neg(x) a=Mul(n,w) b=Relu(a) y=Add(b,a) in x out y const w"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := sample(t)
			if err := c.edit(m.Graph); err != nil {
				t.Fatal(err)
			}
			if got := listing(m.Graph); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
			assertLinked(t, m)
			if err := m.Validate(); err != nil {
				t.Error(err)
			}
		})
	}
}

// A refused edit leaves links and message as they were.
func TestRefusedEdits(t *testing.T) {
	other := sample(t).Graph
	add := func(g *Graph, s NodeSpec, before *Node) error { _, err := g.AddNode(s, before); return err }
	for _, c := range []struct {
		name string
		edit func(g *Graph) error
		want string
	}{
		{"remove a node that is read", func(g *Graph) error { return g.Remove(g.Node("mul")) }, `"a" is read by Relu node "relu"`},
		{"remove the output's producer", func(g *Graph) error { return g.Remove(g.Node("add")) }, `"y" is a graph output`},
		{"remove a foreign node", func(g *Graph) error { return g.Remove(other.Node("add")) }, "not in the graph"},
		{"add without operator", func(g *Graph) error { return add(g, NodeSpec{Outputs: []string{"o"}}, nil) }, "needs an operator"},
		{"add without output", func(g *Graph) error { return add(g, NodeSpec{Op: "Relu"}, nil) }, "needs an output"},
		{"add a taken output", func(g *Graph) error { return add(g, NodeSpec{Op: "Relu", Outputs: []string{"o", "a"}}, nil) }, `"a" exists already`},
		{"add an output twice", func(g *Graph) error { return add(g, NodeSpec{Op: "Relu", Outputs: []string{"o", "o"}}, nil) }, "stands twice"},
		{"add a taken name", func(g *Graph) error {
			return add(g, NodeSpec{Name: "mul", Op: "Relu", Outputs: []string{"o"}}, nil)
		}, "name is taken"},
		{"add with a foreign input", func(g *Graph) error {
			return add(g, NodeSpec{Op: "Relu", Inputs: []*Value{other.Value("a")}, Outputs: []string{"o"}}, nil)
		}, "input 0"},
		{"add before a foreign node", func(g *Graph) error {
			return add(g, NodeSpec{Op: "Relu", Outputs: []string{"o"}}, other.Node("mul"))
		}, "position"},
		{"rename to a taken name", func(g *Graph) error { return g.RenameValue(g.Value("a"), "w") }, `"w" exists already`},
		{"rename to nothing", func(g *Graph) error { return g.RenameValue(g.Value("a"), "") }, "needs a name"},
		{"remove a used initializer", func(g *Graph) error { return g.RemoveInitializer(g.Value("w")) }, "read by Mul"},
		{"remove what is no initializer", func(g *Graph) error { return g.RemoveInitializer(g.Value("x")) }, "comes from"},
		{"add a taken initializer", func(g *Graph) error {
			_, err := g.AddInitializer("a", tensor.Scalar[float32](1))
			return err
		}, "exists already"},
		{"add an initializer that does not fit", func(g *Graph) error {
			_, err := g.AddInitializer("new", &tensor.Tensor{DType: tensor.Float32, Shape: tensor.Shape{2}, Raw: []byte{1}})
			return err
		}, "needs 8 bytes"},
		{"add an output twice to the interface", func(g *Graph) error { return g.AddOutput(g.Value("y")) }, "one already"},
		{"add a taken input", func(g *Graph) error { _, err := g.AddInput("w", tensor.Float32, nil); return err }, "exists already"},
		{"replace uses with a foreign value", func(g *Graph) error { return g.ReplaceUses(g.Value("a"), other.Value("b")) }, "not in the graph"},
		{"replace what is no output", func(g *Graph) error { return g.ReplaceOutput(g.Value("a"), g.Value("b")) }, "not one"},
		{"make an input the output", func(g *Graph) error { return g.ReplaceOutput(g.Value("y"), g.Value("x")) }, "keeps its name"},
		{"sort a cycle", func(g *Graph) error {
			g.Node("mul").SetInput(0, g.Value("b"))
			defer g.Node("mul").SetInput(0, g.Value("x"))
			return g.Sort()
		}, "cycle"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := sample(t)
			before := proto.Clone(m.pb)
			err := c.edit(m.Graph)
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("error %v, want one with %q", err, c.want)
			}
			m.sync()
			if !proto.Equal(before, m.pb) {
				t.Error("the message changed")
			}
			if got := listing(m.Graph); got != sampleListing {
				t.Errorf("links changed: %s", got)
			}
			assertLinked(t, m)
		})
	}
}

func TestSubgraphs(t *testing.T) {
	m := loop()
	g := m.Graph
	if err := m.Validate(); err != nil {
		t.Fatal(err)
	}
	branch := g.Nodes()[1]
	if got := branch.Inner(); !slices.Equal(got, []Inner{{Op: "Relu"}, {Op: "If"}, {Op: "Add"}}) {
		t.Errorf("nodes of bodies: %+v", got)
	}
	if u := g.Value("a").Uses(); len(u) != 1 || u[0] != (Use{branch, -1}) {
		t.Errorf("uses of a: %v", u)
	}
	if n := g.Prune(); n != 0 {
		t.Errorf("pruned %d nodes that a subgraph needs", n)
	}
	if err := g.RenameValue(g.Value("w"), "deep"); err == nil {
		t.Error("a name of a subgraph was given to an outer value")
	}
	if name := g.FreshName("local"); name == "local" {
		t.Error("a name of a subgraph was given away")
	}
	if err := g.RenameValue(g.Value("a"), "A"); err != nil {
		t.Fatal(err)
	}
	if err := g.ReplaceUses(g.Value("w"), g.Value("x")); err != nil {
		t.Fatal(err)
	}
	assertLinked(t, m)
	body := branch.pb.Attribute[0].G
	if got := body.Node[0].Input[0] + " " + body.Node[1].Attribute[0].G.Node[0].Input[0]; got != "x A" {
		t.Errorf("subgraphs read %s", got)
	}
	if n := g.Prune(); n != 1 || g.Value("w") != nil {
		t.Errorf("pruned %d, the initializer is there: %v", n, g.Value("w") != nil)
	}
}

func TestNames(t *testing.T) {
	m := sample(t)
	for _, n := range m.pb.Graph.Node {
		n.Name = proto.String("same")
	}
	m.pb.Graph.Node[1].Name = nil
	m = link(m.pb)
	if m.Graph.Node("same") == nil || m.Graph.Node("Relu_b") == nil || m.Graph.Node("Add_y") == nil {
		t.Errorf("nodes are called %v", m.Graph.Nodes())
	}
	if a, b := m.Graph.FreshName("w"), m.Graph.FreshName("w"); a != "w_1" || b != "w_2" {
		t.Errorf("fresh names %q %q", a, b)
	}
	if a := m.Graph.FreshName(""); a == "" {
		t.Error("an empty fresh name")
	}
}

func TestAttributes(t *testing.T) {
	m := sample(t)
	n := m.Graph.Node("mul")
	for _, a := range []Attr{
		IntAttr("i", 4), IntsAttr("is", []int64{1, 2}), FloatAttr("f", 0.5), FloatsAttr("fs", []float32{1, 2}), StringAttr("s", "text"),
		TensorAttr("t", tensor.Scalar[int8](-3)), IntAttr("i", 5),
	} {
		n.SetAttr(a)
	}
	twin := must(m.Graph.AddNode(NodeSpec{Op: "Mul", Outputs: []string{"o"}, Attrs: n.Attrs()}, nil))(t)
	n.SetAttr(IntAttr("i", 6))
	n.RemoveAttr("f")
	if twin.Int("i", 0) != 5 || twin.Ints("is")[1] != 2 || twin.Float("f", 0) != 0.5 || twin.Floats("fs")[1] != 2 ||
		twin.Str("s", "") != "text" || twin.Tensor("t").Raw[0] != 0xfd {
		t.Errorf("copied attributes: %v", twin.pb)
	}
	if n.Has("f") || n.Float("f", 7) != 7 || n.Int("none", 8) != 8 || n.Str("none", "d") != "d" || n.Tensor("none") != nil || len(n.Attrs()) != 5 {
		t.Errorf("defaults: %v", n.pb)
	}
}

// A leading symbol survives, and a scalar is not the same as an unknown shape.
func TestSetType(t *testing.T) {
	g := sample(t).Graph
	x, a := g.Value("x"), g.Value("a")
	x.SetType(tensor.Undefined, tensor.Shape{-1, 4})
	if p := x.info.GetType().GetTensorType().GetShape().GetDim()[0].GetDimParam(); p != "batch" || x.DType() != tensor.Float32 {
		t.Errorf("symbol %q, type %s", p, x.DType())
	}
	if _, ok := a.Shape(); ok {
		t.Error("the shape of a is known from nowhere")
	}
	a.SetType(tensor.Float32, tensor.Shape{})
	if s, ok := a.Shape(); !ok || len(s) != 0 {
		t.Errorf("scalar: %v %v", s, ok)
	}
	a.SetType(tensor.Float32, nil)
	if _, ok := a.Shape(); ok {
		t.Error("the rank is still known")
	}
}

func TestCloneIsIndependent(t *testing.T) {
	m := sample(t)
	c := m.Clone()
	if err := c.Graph.RenameValue(c.Graph.Value("a"), "other"); err != nil {
		t.Fatal(err)
	}
	if err := c.Graph.Value("w").SetConst(tensor.Scalar[float32](1)); err != nil {
		t.Fatal(err)
	}
	if got := listing(m.Graph); got != sampleListing || len(m.Graph.Value("w").Const().Shape) != 1 {
		t.Errorf("the original changed: %s", got)
	}
}

// Searching exports many candidates of one model at a time; run with -race.
func TestConcurrentReading(t *testing.T) {
	m := sample(t)
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			if m.Clone().Graph.Value("w").Const() == nil || m.Graph.Value("w").Const() == nil {
				t.Error("the constant is gone")
			}
			if _, err := m.Marshal(); err != nil {
				t.Error(err)
			}
		})
	}
	wg.Wait()
}

// TestTwoNodesOfOneName: no edit makes them, and a document that has them all the same is not sound.
func TestTwoNodesOfOneName(t *testing.T) {
	m := sample(t)
	nodes := m.Graph.Nodes()
	nodes[1].pb.Name = proto.String(nodes[0].Name())
	if err := m.Validate(); err == nil || !strings.Contains(err.Error(), "two nodes have the name") {
		t.Errorf("error %v", err)
	}
}
