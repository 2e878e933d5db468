package pipeline

import (
	"errors"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
)

// TestFloatOperators calibrates networks with operators that only the engine computes, runs the integer reference with
// the engine's help, and compares with the exported file in onnxruntime.
func TestFloatOperators(t *testing.T) {
	constant := func(g *onnx.Graph, name string, x *tensor.Tensor) *onnx.Value {
		v, err := g.AddInitializer(name, x)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	for name, edit := range map[string]func(g *onnx.Graph, v *onnx.Value) *onnx.Value{
		"softplus and elu": func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			return node(t, g, "e", "Elu", node(t, g, "s", "Softplus", v))
		},
		"resize": func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			return node(t, g, "r", "Resize", v, nil, constant(g, "scales", tensor.From(tensor.Shape{4}, []float32{1, 1, 2, 2})))
		},
		"split": func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			n, err := g.AddNode(onnx.NodeSpec{
				Name: "split", Op: "Split", Inputs: []*onnx.Value{v}, Outputs: []string{"a", "b"}, Attrs: []onnx.Attr{onnx.IntAttr("axis", 1)},
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			x, err := g.AddNode(onnx.NodeSpec{
				Name: "swap", Op: "Concat", Inputs: []*onnx.Value{n.Output(1), n.Output(0)}, Outputs: []string{"swapped"}, Attrs: []onnx.Attr{onnx.IntAttr("axis", 1)},
			}, nil)
			if err != nil {
				t.Fatal(err)
			}
			return node(t, g, "act", "Relu", x.Output(0))
		},
		"layer norm": func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			return node(t, g, "ln", "LayerNormalization", v, constant(g, "gamma", tensor.From(tensor.Shape{6}, []float32{1, 2, 1, 2, 1, 2})))
		},
		"prelu": func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			return node(t, g, "p", "PRelu", v, constant(g, "slopes", tensor.From(tensor.Shape{4, 1, 1}, []float32{.1, .2, .3, .4})))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := sick(t, tensor.Shape{-1, 3, 8, 8}, tensor.Float32, edit)
			if r := examined(t, m, export.ProfileORT); r.Stops() {
				t.Fatalf("problems %+v", r.Problems)
			}
			compareReference(t, m)
		})
	}
}

func compareReference(t *testing.T, m *onnx.Model) {
	t.Helper()
	ctx := t.Context()
	o := Options{}.resolve(Options{})
	pool := par.New(1)
	defer pool.Close()
	d := &doctor{o: o, pool: pool, result: &DoctorResult{Profile: export.ProfileORT}, model: m}
	if err := pass.Normalise(m); err != nil {
		t.Fatal(err)
	}
	d.layers()
	j := &job{o: o, pool: pool, float: m, floatPlan: d.plan}
	const n = 4
	x := gaussian(n * 3 * 8 * 8)
	if err := d.calibrate(ctx, j, x, n); err != nil {
		t.Fatal(err)
	}
	policy := j.plan.Max()
	net, err := j.network(j.supernet, policy, export.ProfileORT)
	if err != nil {
		t.Fatal(err)
	}
	want, err := net.Run(ctx, pool, x, n, false)
	if err != nil {
		t.Fatal(err)
	}
	file, err := export.Export(j.model, j.plan, j.supernet, policy, export.Options{Profile: export.ProfileORT})
	if err != nil {
		t.Fatal(err)
	}
	data, err := file.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.Open(data, ort.Options{Optimize: true})
	if errors.Is(err, ort.ErrNoRuntime) {
		testkit.Missing(t, "%v", err)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	got, _, err := s.RunFloat(ctx, x, tensor.Shape{n, 3, 8, 8})
	if err != nil {
		t.Fatal(err)
	}
	testkit.Close(t, "scores", got, want.Logits, 2e-2) // operators in float may round a code the other way
}
