package calibrate

import (
	"math"
	"testing"

	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
	"github.com/mpqc/mpqc/quantize"
)

// link is a node of a chain: an operator, and the shape of its weights, if any.
type link struct {
	op     string
	weight tensor.Shape
}

// chained is a model of operators one after the other on an input without its batch, with weights at random.
func chained(t *testing.T, input tensor.Shape, steps []link) (*onnx.Model, *quantize.Plan) {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	m := onnx.New(17)
	v, err := m.Graph.AddInput("x", tensor.Float32, append(tensor.Shape{-1}, input...))
	must(err)
	for i, s := range steps {
		name := string(rune('a' + i))
		in := []*onnx.Value{v}
		if s.weight != nil {
			w, err := m.Graph.AddInitializer(name+".w", tensor.From(s.weight, normal(s.weight.Numel(), uint64(i+1))))
			must(err)
			in = append(in, w)
		}
		n, err := m.Graph.AddNode(onnx.NodeSpec{Op: s.op, Name: name, Inputs: in, Outputs: []string{name + ".y"}}, nil)
		must(err)
		if s.op == "MaxPool" {
			n.SetAttr(onnx.IntsAttr("kernel_shape", []int64{3, 3}))
			n.SetAttr(onnx.IntsAttr("pads", []int64{1, 1, 1, 1}))
		}
		v = n.Output(0)
	}
	must(m.Graph.AddOutput(v))
	must(shape.Infer(m.Graph))
	plan, err := quantize.NewPlan(m, quantize.PlanOptions{Streams: true})
	must(err)
	return m, plan
}

// TestOrderAxes: Convs count channels on the second axis, products on the last. Sizes that happen to agree are no
// channels of one another, and a pool of a product mixes them; what computes something else afterwards would pass for
// the model everywhere else.
func TestOrderAxes(t *testing.T) {
	conv, product, relu, pool := link{"Conv", tensor.Shape{8, 8, 1, 1}}, link{"MatMul", tensor.Shape{8, 8}}, link{"Relu", nil}, link{"MaxPool", nil}
	for name, tc := range map[string]struct {
		steps   []link
		changes bool
	}{
		"Conv and Conv":                 {[]link{conv, relu, conv, relu, conv}, true},
		"Conv, pool and Conv":           {[]link{conv, relu, pool, conv, relu, conv}, true},
		"product and product":           {[]link{product, relu, product, relu, product}, true},
		"Conv and product":              {[]link{conv, relu, product}, false},
		"product and Conv":              {[]link{product, relu, conv}, false},
		"product, pool and a product":   {[]link{product, pool, product}, false},
		"Conv, product, Conv, in turns": {[]link{conv, relu, product, relu, conv, relu, product}, false},
	} {
		input := tensor.Shape{8, 8, 8}
		m, plan := chained(t, input, tc.steps)
		x := normal(2*input.Numel(), 9)
		before := forward(t, m, x, 2)
		if changed, err := Order(t.Context(), m, plan, par.New(1)); err != nil || changed != tc.changes {
			t.Errorf("%s: changed %v, %v", name, changed, err)
		}
		for i, v := range forward(t, m, x, 2) {
			if math.Abs(float64(v-before[i])) > 1e-3*(1+math.Abs(float64(before[i]))) {
				t.Fatalf("%s: output %d is %g, was %g", name, i, v, before[i])
			}
		}
	}
}
