package ops_test

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/ops"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
)

// testCase is a row of testdata/cases.json: an operator, its inputs, and the output that onnxruntime gives.
type testCase struct {
	Name   string
	Op     string
	Attrs  attributes
	Inputs []*struct {
		Shape tensor.Shape
		Data  []float32
		Ints  []int64
		Fixed bool
	}
	Shape tensor.Shape
	Want  []float32
}

// attributes stand in for a node of a document.
type attributes map[string]any

func (a attributes) Has(name string) bool { _, ok := a[name]; return ok }

func (a attributes) Int(name string, def int64) int64 {
	if v, ok := a[name].(float64); ok {
		return int64(v)
	}
	return def
}

func (a attributes) Float(name string, def float32) float32 {
	if v, ok := a[name].(float64); ok {
		return float32(v)
	}
	return def
}

func (a attributes) Str(name, def string) string {
	if v, ok := a[name].(string); ok {
		return v
	}
	return def
}

func (a attributes) Ints(name string) []int64 {
	list, _ := a[name].([]any)
	var out []int64
	for _, v := range list {
		out = append(out, int64(v.(float64)))
	}
	return out
}

func (a attributes) Floats(string) []float32 { return nil }

func loadCases(t *testing.T) []testCase {
	t.Helper()
	raw, err := os.ReadFile("testdata/cases.json")
	if err != nil {
		t.Fatal(err)
	}
	var cases []testCase
	if err := json.Unmarshal(raw, &cases); err != nil {
		t.Fatal(err)
	}
	return cases
}

// graph makes a graph of the one operator, its float inputs parameters unless they are fixed.
func (c *testCase) graph(t *testing.T) *engine.Graph {
	t.Helper()
	op, err := ops.Registry()[c.Op](c.Attrs)
	if err != nil {
		t.Fatal(err)
	}
	var in []*engine.Value
	for i, x := range c.Inputs {
		if x == nil {
			in = append(in, nil)
			continue
		}
		v := &engine.Value{Name: fmt.Sprint("i", i), Shape: x.Shape, Ints: x.Ints}
		switch {
		case x.Fixed:
			v.Const = x.Data
		case x.Ints == nil:
			v.Param = engine.NewParam(v.Name, engine.Weight, x.Shape, append([]float32(nil), x.Data...))
		}
		in = append(in, v)
	}
	if a, ok := op.(ops.Absorber); ok {
		if in, err = a.Absorb(in); err != nil {
			t.Fatal(err)
		}
	}
	return single(op, in)
}

// single makes a graph of one node.
func single(op engine.Op, in []*engine.Value) *engine.Graph {
	y := &engine.Value{Name: "y"}
	n := &engine.Node{Name: "node", Op: op, Inputs: in, Outputs: []*engine.Value{y}}
	y.Producer = n
	return &engine.Graph{Nodes: []*engine.Node{n}, Values: append([]*engine.Value{y}, in...), Outputs: []*engine.Value{y}}
}

func TestForward(t *testing.T) {
	for _, c := range loadCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			e, err := engine.Compile(c.graph(t), engine.Options{Batch: 1})
			if err != nil {
				t.Fatal(err)
			}
			if err := e.Forward(context.Background()); err != nil {
				t.Fatal(err)
			}
			y := e.Output(0)
			if !y.Shape.Equal(c.Shape) {
				t.Fatalf("shape is %s, %s wanted", y.Shape, c.Shape)
			}
			testkit.Close(t, "output", y.Data, c.Want, 2e-6)
		})
	}
}

func TestBackward(t *testing.T) {
	for _, c := range loadCases(t) {
		t.Run(c.Name, func(t *testing.T) {
			checkGradients(t, c.graph(t), false)
		})
	}
}

// checkGradients compares every parameter's gradient of sum(r*y), r random, with central differences.
func checkGradients(t *testing.T, g *engine.Graph, training bool) {
	t.Helper()
	pool := par.New(2)
	defer pool.Close()
	e, err := engine.Compile(g, engine.Options{Batch: 1, Training: true, Pool: pool})
	if err != nil {
		t.Fatal(err)
	}
	e.SetTraining(training)
	ctx, r := context.Background(), rand.New(rand.NewPCG(3, 4))
	weights := make([]float32, len(e.Output(0).Data))
	for i := range weights {
		weights[i] = float32(r.NormFloat64())
	}
	loss := func() float64 {
		if err := e.Forward(ctx); err != nil {
			t.Fatal(err)
		}
		sum := 0.0
		for i, v := range e.Output(0).Data {
			sum += float64(v) * float64(weights[i])
		}
		return sum
	}
	loss()
	copy(e.OutputGrad(0).Data, weights)
	e.ZeroGrad()
	if err := e.Backward(ctx); err != nil {
		t.Fatal(err)
	}
	for _, p := range e.Params() {
		if !p.Used {
			t.Errorf("parameter %s was not used", p.Name)
		}
		testkit.Close(t, "gradient of "+p.Name, p.Grad, testkit.CentralDifferences(loss, p.Data, 0.02), 1e-3)
	}
}
