package pass_test

import (
	"math"
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
)

// TestExporters normalises what PyTorch's exporters write for many kinds of networks, and a converter from TensorFlow
// (the scripts in testdata/exporters), and a network whose operators stand in functions: the batch is open, no shape is
// computed any more, and every sample gives what the file as exported gives for it alone.
func TestExporters(t *testing.T) {
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	files, err := filepath.Glob("testdata/exporters/*.onnx")
	if err != nil || len(files) < 10 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	for _, file := range append(files, "testdata/functions/functions-18.onnx") {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".onnx"), func(t *testing.T) {
			before, after := load(t, file), load(t, file)
			if err := pass.Normalise(after); err != nil {
				t.Fatal(err)
			}
			in, _ := after.Graph.Inputs()[0].Shape()
			if in[0] != -1 {
				t.Fatalf("input %s: %v", in, pass.WhyFixedBatch(after))
			}
			for _, n := range after.Graph.Nodes() {
				switch n.Op() {
				case "Act", "Block", "Residual", "Shape", "Einsum", "Expand", "InstanceNormalization", "GroupNormalization", "Constant":
					t.Errorf("%s is left", n)
				}
				if s, known := n.Output(0).Shape(); !known || len(s) > 0 && s[0] != -1 {
					t.Errorf("%s has shape %s", n, s)
				}
			}
			const samples = 3
			x := make([]float32, samples*in[1:].Numel())
			for i := range x {
				x[i] = float32(math.Sin(float64(i)*0.37) + math.Cos(float64(i*i%101)))
			}
			got := outputs(t, after, x, samples)
			size := in[1:].Numel()
			var want []float32
			for i := range samples {
				want = append(want, outputs(t, before, x[i*size:(i+1)*size], 1)...)
			}
			if len(got) != len(want) {
				t.Fatalf("%d outputs, %d wanted", len(got), len(want))
			}
			for i := range got {
				if d := math.Abs(float64(got[i] - want[i])); !(d < 1e-4) {
					t.Fatalf("output %d is %g, the exported file gives %g", i, got[i], want[i])
				}
			}
		})
	}
}

func load(t *testing.T, file string) *onnx.Model {
	t.Helper()
	m, err := onnx.Load(file)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// outputs runs n samples in onnxruntime without its optimisations.
func outputs(t *testing.T, m *onnx.Model, x []float32, n int) []float32 {
	t.Helper()
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	s, err := ort.Open(data, ort.Options{Threads: 1})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	shape, _ := m.Graph.Inputs()[0].Shape()
	shape = shape.Clone()
	shape[0] = n
	y, _, err := s.RunFloat(t.Context(), x, shape)
	if err != nil {
		t.Fatal(err)
	}
	return y
}
