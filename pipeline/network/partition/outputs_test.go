package partition

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// withOutputs is a network of a Conv and a Relu with outputs that no layer reaches around its own: constants, the
// input, and what is made of it alone.
func withOutputs(t *testing.T) *onnx.Model {
	t.Helper()
	m := network(t, "a = Conv x", "b = Relu a")
	g := m.Graph
	check := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	k, err := g.AddInitializer("k", tensor.From(tensor.Shape{3}, []int64{1, 2, 3}))
	check(err)
	c, err := g.AddNode(onnx.NodeSpec{Name: "c", Op: "Constant", Outputs: []string{"c:0"}, Attrs: []onnx.Attr{onnx.TensorAttr("value", tensor.Scalar(float32(7)))}}, nil)
	check(err)
	z, err := g.AddNode(onnx.NodeSpec{Name: "z", Op: "Abs", Inputs: []*onnx.Value{g.Value("x")}, Outputs: []string{"z:0"}}, nil)
	check(err)
	c.Output(0).SetType(tensor.Float32, tensor.Shape{})
	z.Output(0).SetType(tensor.Float32, tensor.Shape{-1, 4, 8, 8})
	for _, v := range []*onnx.Value{k, c.Output(0), z.Output(0), g.Value("x")} {
		check(g.AddOutput(v))
	}
	whole, err := m.Extract([]string{"x"}, []string{"k", "c:0", "b:0", "z:0", "x"})
	check(err)
	return whole
}

// TestOutputsWithoutLayers: there is nothing to train toward in them, and nothing to measure; files have them as the
// model does.
func TestOutputsWithoutLayers(t *testing.T) {
	m := withOutputs(t)
	d, err := Of(m, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(onnx.Names(d.Core.Graph.Outputs()), " "); got != "b:0" || nodeNames(d.Core) != "a b" || nodeNames(d.tail) != "c z" || d.HoldsLayers() {
		t.Errorf("the core %q gives %q, the tail is %q", nodeNames(d.Core), got, nodeNames(d.tail))
	}
	whole, err := d.Append(d.Core)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(onnx.Names(whole.Graph.Outputs()), " "); got != "k c:0 b:0 z:0 x" {
		t.Errorf("outputs %q", got)
	}
	if odd := d.Differs(whole); odd != "" {
		t.Error(odd)
	}
	if cut, err := Scores(m); err != nil || strings.Join(cut, " ") != "b:0 z:0 x" {
		t.Errorf("predictions are read from %v, %v", cut, err)
	}
}

// TestOutputsOfExcluded: an output behind a layer that stays float is compared like any other.
func TestOutputsOfExcluded(t *testing.T) {
	m := network(t, "e = Conv x", "f = Relu e", "a = Conv x", "b = Add a f")
	if err := m.Graph.AddOutput(m.Graph.Value("f:0")); err != nil {
		t.Fatal(err)
	}
	d, err := Of(m, []string{"e"})
	if err != nil || d.Tail() != nil || len(d.Core.Graph.Outputs()) != 2 {
		t.Errorf("%v, tail %q", err, nodeNames(d.Tail()))
	}
}
