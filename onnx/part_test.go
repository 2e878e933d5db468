package onnx

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
)

// TestParts cuts the sample in two and joins the parts again, one of them changed so that names clash.
func TestParts(t *testing.T) {
	m := sample(t)
	m.Graph.Value("a").SetType(tensor.Float32, tensor.Shape{-1, 3})
	m.SetOpset("com.acme", 1)
	front, err := m.Extract([]string{"x"}, []string{"a"})
	if err != nil {
		t.Fatal(err)
	}
	back, err := m.Extract([]string{"a"}, []string{"y", "a"})
	if err != nil {
		t.Fatal(err)
	}
	if got := listing(front.Graph); got != "a=Mul(x,w) in x out a const w" {
		t.Errorf("front: %s", got)
	}
	if got := listing(back.Graph); got != "b=Relu(a) y=Add(b,a) in a out y,a const " {
		t.Errorf("back: %s", got)
	}
	if front.Opset("com.acme") != 0 || front.Opset("") != 17 {
		t.Error("imports of the front")
	}
	if got := listing(m.Graph); got != sampleListing {
		t.Errorf("the whole was changed: %s", got)
	}
	// A second reader of a, whose output and name are those of the tail's node.
	if _, err := front.Graph.AddNode(NodeSpec{Name: "relu", Op: "Neg", Inputs: []*Value{front.Graph.Value("a")}, Outputs: []string{"b"}}, nil); err != nil {
		t.Fatal(err)
	}
	back.SetOpset("com.acme", 2)
	if err := front.Append(back); err != nil {
		t.Fatal(err)
	}
	if got := listing(front.Graph); got != "a=Mul(x,w) b=Neg(a) b_1=Relu(a) y=Add(b_1,a) in x out y,a const w" {
		t.Errorf("joined: %s", got)
	}
	if front.Opset("com.acme") != 2 || front.Graph.Node("relu").Op() != "Neg" {
		t.Error("joined: imports or node names")
	}
	again, err := front.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := Parse(again, ""); err != nil {
		t.Error(err)
	}
}

func TestPartErrors(t *testing.T) {
	m := sample(t)
	m.Graph.Value("a").SetType(tensor.Float32, tensor.Shape{-1, 3})
	for _, c := range []struct{ in, out, want string }{
		{"b", "y", `input "x" is needed`}, {"x", "nothing", `no value "nothing"`}, {"nothing", "y", `input "x" is needed`},
	} {
		if _, err := m.Extract([]string{c.in}, []string{c.out}); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("from %s to %s: %v", c.in, c.out, err)
		}
	}
	back, err := m.Extract([]string{"a"}, []string{"y"})
	if err != nil {
		t.Fatal(err)
	}
	other := New(17)
	if _, err := other.Graph.AddInput("x", tensor.Float32, tensor.Shape{-1}); err != nil {
		t.Fatal(err)
	}
	if err := other.Append(back); err == nil || !strings.Contains(err.Error(), `no value "a"`) {
		t.Errorf("append to a model without the cut: %v", err)
	}
	if err := m.Append(back); err == nil || !strings.Contains(err.Error(), `both parts have a value "y"`) {
		t.Errorf("append twice: %v", err)
	}
}

// TestPartCaptures keeps what subgraphs of a part read.
func TestPartCaptures(t *testing.T) {
	m := loop()
	m.Graph.Value("a").SetType(tensor.Float32, nil)
	back, err := m.Extract([]string{"c", "a"}, []string{"y"})
	if err != nil {
		t.Fatal(err)
	}
	if got := listing(back.Graph); got != "y=If(c) in c,a out y const w" {
		t.Errorf("back: %s", got)
	}
}
