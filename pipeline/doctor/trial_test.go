package doctor

import (
	"errors"
	"math/rand/v2"
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/par"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
	"github.com/mpqc/mpqc/pipeline"
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
			return sample.Node(t, g, "e", "Elu", sample.Node(t, g, "s", "Softplus", v))
		},
		"resize": func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			return sample.Node(t, g, "r", "Resize", v, nil, constant(g, "scales", tensor.From(tensor.Shape{4}, []float32{1, 1, 2, 2})))
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
			return sample.Node(t, g, "act", "Relu", x.Output(0))
		},
		"layer norm": func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			return sample.Node(t, g, "ln", "LayerNormalization", v, constant(g, "gamma", tensor.From(tensor.Shape{6}, []float32{1, 2, 1, 2, 1, 2})))
		},
		"prelu": func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			return sample.Node(t, g, "p", "PRelu", v, constant(g, "slopes", tensor.From(tensor.Shape{4, 1, 1}, []float32{.1, .2, .3, .4})))
		},
	} {
		t.Run(name, func(t *testing.T) {
			m := sample.Network(t, tensor.Shape{-1, 3, 8, 8}, tensor.Float32, edit)
			compareReference(t, m)
		})
	}
}

func compareReference(t *testing.T, m *onnx.Model) {
	t.Helper()
	ctx := t.Context()
	pool := par.New(1)
	defer pool.Close()
	if err := pass.Normalise(m); err != nil {
		t.Fatal(err)
	}
	try := newTrial(pipeline.Options{}.WithDefaults(), m, nil, pool)
	if _, _, err := try.plan(); err != nil {
		t.Fatal(err)
	}
	const n = 4
	rng := rand.New(rand.NewPCG(1, 2))
	x := make([]float32, n*3*8*8)
	for i := range x {
		x[i] = float32(rng.NormFloat64())
	}
	if err := try.calibrate(ctx, x, n); err != nil {
		t.Fatal(err)
	}
	net, err := try.simulation()
	if err != nil {
		t.Fatal(err)
	}
	want, err := net.Run(ctx, pool, x, n, false)
	if err != nil {
		t.Fatal(err)
	}
	file, err := try.export()
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
