package job

import (
	"math"
	"testing"

	"github.com/mpqc/mpqc/internal/engine"
	"github.com/mpqc/mpqc/internal/engine/decode"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/drawn"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
)

// computesFloat holds what the engine computes of a network, brought into normal form, against the network as it is in
// onnxruntime with its optimizations off. Networks that the engine refuses are not compared.
func computesFloat(t *testing.T, n *drawn.Network, x []float32) {
	t.Helper()
	data, err := n.Model.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	session, err := ort.Open(data, ort.Options{})
	if err != nil {
		t.Fatalf("the network is no model: %v\n%s", err, drawn.Listing(n.Model))
	}
	defer func() { _ = session.Close() }()
	batch := len(x) / n.Input.Numel()
	in := tensor.From(append(tensor.Shape{batch}, n.Input...), x)
	out, err := session.Run(t.Context(), map[string]*tensor.Tensor{drawn.InputName: in})
	if err != nil && n.Crosses {
		return
	}
	if err != nil {
		t.Fatalf("onnxruntime: %v\n%s", err, drawn.Listing(n.Model))
	}
	normal := n.Model.Clone()
	if pass.Normalise(normal) != nil {
		return
	}
	same(t, n, in, normal, out)
	g, err := decode.Decode(normal)
	if err != nil {
		return
	}
	e, err := engine.Compile(g, engine.Options{Batch: batch})
	if err != nil {
		return
	}
	copy(e.Input(0).Data, x)
	if err := e.Forward(t.Context()); err != nil {
		t.Fatal(err)
	}
	for i, v := range n.Model.Graph.Outputs() {
		want, err := tensor.Floats(out[v.Name()])
		if err != nil {
			t.Fatal(err)
		}
		got := e.Output(i)
		if !got.Shape.Equal(out[v.Name()].Shape) {
			t.Errorf("%s is %s, in onnxruntime %s\n%s", v.Name(), got.Shape, out[v.Name()].Shape, drawn.Listing(n.Model))
			continue
		}
		if share := apart(got.Data, want); share > 0.02 {
			t.Errorf("%.0f %% of %s differ, first elements %v, in onnxruntime %v\n%s", 100*share, v.Name(), got.Data[:min(8, len(want))], want[:min(8, len(want))], drawn.Listing(n.Model))
		}
	}
}

// same holds the normal form in onnxruntime, optimized as users run it, against what the network itself gave.
func same(t *testing.T, n *drawn.Network, in *tensor.Tensor, normal *onnx.Model, want map[string]*tensor.Tensor) {
	t.Helper()
	data, err := normal.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	session, err := ort.Open(data, ort.Options{Optimize: true})
	if err != nil {
		t.Errorf("normal form: %v\n%s\n%s", err, drawn.Listing(n.Model), drawn.Listing(normal))
		return
	}
	defer func() { _ = session.Close() }()
	out, err := session.Run(t.Context(), map[string]*tensor.Tensor{drawn.InputName: in})
	if err != nil {
		t.Errorf("normal form: %v\n%s\n%s", err, drawn.Listing(n.Model), drawn.Listing(normal))
		return
	}
	for name, w := range want {
		a, _ := tensor.Floats(out[name])
		b, _ := tensor.Floats(w)
		if len(a) != len(b) {
			t.Errorf("normal form: %d elements, %d wanted\n%s", len(a), len(b), drawn.Listing(normal))
		} else if share := apart(a, b); share > 0.02 {
			t.Errorf("normal form: %.0f %% of %s differ: %v, want %v\n%s\n%s", 100*share, name, a[:min(8, len(a))], b[:min(8, len(b))], drawn.Listing(n.Model), drawn.Listing(normal))
		}
	}
}

// apart is the share of elements that rounding does not explain. A few it may: beside a pole everything is far apart.
func apart(got, want []float32) float64 {
	var sum float64
	for _, w := range want {
		if v := float64(w); math.Abs(v) < 1e6 {
			sum += v * v
		}
	}
	rms, odd := math.Sqrt(sum/float64(len(want))), 0
	for i, w := range want {
		g := got[i]
		if w == g || w != w || g != g || math.Abs(float64(w)-float64(g)) <= 1e-3*(math.Abs(float64(w))+rms) {
			continue
		}
		odd++
	}
	return float64(odd) / float64(len(want))
}
