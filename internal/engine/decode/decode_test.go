package decode_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
)

// pattern is the input of testdata/make_logits.py.
func pattern(x []float32) {
	for i := range x {
		x[i] = float32(i*7919%1009)/504 - 1
	}
}

// decoded is a file, normalised, and its engine graph.
func decoded(tb testing.TB, path string) (*onnx.Model, *engine.Graph) {
	tb.Helper()
	m, err := onnx.Load(path)
	if err != nil {
		tb.Fatal(err)
	}
	if err := pass.Normalise(m); err != nil {
		tb.Fatal(err)
	}
	g, err := decode.Decode(m)
	if err != nil {
		tb.Fatal(err)
	}
	return m, g
}

func TestLogitsAgreeWithOnnxruntime(t *testing.T) {
	raw, err := os.ReadFile("testdata/logits.json")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string][][]float64
	if err := json.Unmarshal(raw, &want); err != nil {
		t.Fatal(err)
	}
	for name, rows := range want {
		t.Run(name, func(t *testing.T) {
			m, g := decoded(t, testkit.Shared(t, "models/"+name))
			checkNames(t, m, g)
			pool := par.New(2)
			defer pool.Close()
			e, err := engine.Compile(g, engine.Options{Batch: 2, Pool: pool})
			if err != nil {
				t.Fatal(err)
			}
			pattern(e.Input(0).Data)
			if err := e.Forward(context.Background()); err != nil {
				t.Fatal(err)
			}
			y := e.Output(0)
			n := y.Shape[1]
			for i, row := range rows {
				testkit.Close(t, "logits", y.Data[i*n:i*n+len(row)], row, 1e-4)
			}
		})
	}
}

// checkNames proves that engine and document can be matched by name.
func checkNames(t *testing.T, m *onnx.Model, g *engine.Graph) {
	t.Helper()
	if len(g.Nodes) != len(m.Graph.Nodes()) {
		t.Errorf("%d nodes, the document has %d", len(g.Nodes), len(m.Graph.Nodes()))
	}
	for _, n := range g.Nodes {
		d := m.Graph.Node(n.Name)
		if d == nil || d.Output(0).Name() != n.Outputs[0].Name {
			t.Errorf("node %q does not stand in the document", n.Name)
			continue
		}
		if d.Op() == "Conv" {
			w := n.Inputs[1]
			if w.Param == nil || w.Name != d.Input(1).Name() || w.Param.Kind != engine.Weight {
				t.Errorf("weights of node %q are no parameter", n.Name)
			}
		}
	}
}

// model makes a document with one node on input x [?, 2, 4, 4].
func model(t *testing.T, op, domain string, inits map[string]*tensor.Tensor, inputs []string, attrs ...onnx.Attr) *onnx.Model {
	t.Helper()
	m := onnx.New(17)
	if domain != "" {
		m.SetOpset(domain, 1)
	}
	x, err := m.Graph.AddInput("x", tensor.Float32, tensor.Shape{-1, 2, 4, 4})
	if err != nil {
		t.Fatal(err)
	}
	for name, v := range inits {
		if _, err := m.Graph.AddInitializer(name, v); err != nil {
			t.Fatal(err)
		}
	}
	spec := onnx.NodeSpec{Name: "the node", Op: op, Domain: domain, Inputs: []*onnx.Value{x}, Outputs: []string{"y"}, Attrs: attrs}
	for _, name := range inputs {
		spec.Inputs = append(spec.Inputs, m.Graph.Value(name)) // nil where there is none: an omitted input
	}
	n, err := m.Graph.AddNode(spec, nil)
	if err != nil {
		t.Fatal(err)
	}
	n.Output(0).SetType(tensor.Float32, tensor.Shape{-1, 2, 4, 4})
	if err := m.Graph.AddOutput(n.Output(0)); err != nil {
		t.Fatal(err)
	}
	return m
}

func TestUnsupported(t *testing.T) {
	for _, c := range []struct{ name, op, domain string }{{"operator", "Det", ""}, {"domain", "Relu", "com.example"}} {
		t.Run(c.name, func(t *testing.T) {
			_, err := decode.Decode(model(t, c.op, c.domain, nil, nil))
			if !errors.Is(err, decode.ErrUnsupported) || !strings.Contains(err.Error(), `"the node"`) || !strings.Contains(err.Error(), c.op) {
				t.Errorf("error %v does not name node and operator", err)
			}
		})
	}
	_, err := decode.Decode(model(t, "Pad", "", nil, nil, onnx.StringAttr("mode", "reflect")))
	if err == nil || !strings.Contains(err.Error(), `"the node"`) {
		t.Errorf("error %v does not name the node", err)
	}
}

func TestSettings(t *testing.T) {
	six := tensor.Scalar(float32(6))
	g, err := decode.Decode(model(t, "Clip", "", map[string]*tensor.Tensor{"hi": six}, []string{"", "hi"}))
	if err != nil {
		t.Fatal(err)
	}
	n := g.Nodes[0]
	if c := n.Op.(*ops.Clip); c.Max != 6 || c.Min > -1e30 || len(n.Inputs) != 1 {
		t.Errorf("Clip became %+v with %d inputs", c, len(n.Inputs))
	}
	// An integer operand; the same value twice, an empty initializer and half precision: what onnx-go alone cannot
	// take.
	if _, err := decode.Decode(model(t, "Add", "", map[string]*tensor.Tensor{"i": tensor.Scalar(int64(1))}, []string{"i"})); err == nil {
		t.Error("an integer operand was accepted")
	}
	empty := tensor.From(tensor.Shape{0}, []float32{})
	m := model(t, "Add", "", map[string]*tensor.Tensor{"empty": empty, "half": {DType: tensor.Float16, Shape: tensor.Shape{}, Raw: []byte{0, 0x3c}}}, []string{"x"})
	if g, err = decode.Decode(m); err != nil {
		t.Fatal(err)
	}
	if n := g.Nodes[0]; len(n.Inputs) != 2 || n.Inputs[0] != n.Inputs[1] {
		t.Errorf("x + x has inputs %v", n.Inputs)
	}
	g, err = decode.Decode(model(t, "Mul", "", map[string]*tensor.Tensor{"half": {DType: tensor.Float16, Shape: tensor.Shape{}, Raw: []byte{0, 0x3c}}}, []string{"half"}))
	if err != nil || len(g.Nodes[0].Inputs[1].Const) != 1 || g.Nodes[0].Inputs[1].Const[0] != 1 {
		t.Errorf("half precision constant: %v, %v", g, err)
	}
}

func TestBatchNormalization(t *testing.T) {
	two := func(a, b float32) *tensor.Tensor { return tensor.From(tensor.Shape{2}, []float32{a, b}) }
	inits := map[string]*tensor.Tensor{"g": two(1, 2), "b": two(3, 4), "m": two(5, 6), "v": two(7, 8)}
	g, err := decode.Decode(model(t, "BatchNormalization", "", inits, []string{"g", "b", "m", "v"}, onnx.FloatAttr("epsilon", 1e-3)))
	if err != nil {
		t.Fatal(err)
	}
	o := g.Nodes[0].Op.(*ops.Norm)
	if len(g.Nodes[0].Inputs) != 1 || o.Gamma.Data[1] != 2 || o.Beta.Data[0] != 3 || o.Mean[0] != 5 || o.Var[1] != 8 || o.EPS != 1e-3 || o.Gamma.Name != "g" {
		t.Errorf("BatchNormalization became %+v", o)
	}
	if _, err := decode.Decode(model(t, "BatchNormalization", "", inits, []string{"g", "b", "m"})); err == nil {
		t.Error("a missing variance was accepted")
	}
}
