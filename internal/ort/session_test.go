//go:build cgo

package ort

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
)

func model(t *testing.T, name string) []byte {
	t.Helper()
	b, err := os.ReadFile(testkit.Shared(t, "models/"+name))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func session(t *testing.T, m []byte, o Options) *Session {
	t.Helper()
	s, err := Open(m, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}

func ramp(n int) []float32 {
	x := make([]float32, n)
	for i := range x {
		x[i] = float32(i*37%201-100) / 50
	}
	return x
}

// Logits of the ramp, batch 2, by onnxruntime 1.32 through its Python package.
var golden = []float32{
	-2.5420508, 10.101396, 1.4071637, 1.1013193, -5.8114448, -3.0837557, 12.100475, -12.279406, -8.844035, 7.9038234,
	-2.4240546, 9.354795, 1.2578032, 1.4383056, -5.83225, -2.954551, 12.956271, -11.925189, -8.468392, 6.644371,
}

func TestRunMatchesPython(t *testing.T) {
	m, shape := model(t, "resnet20-cifar10.onnx"), tensor.Shape{2, 3, 32, 32}
	for _, optimize := range []bool{false, true} {
		s := session(t, m, Options{Optimize: optimize})
		y, ys, err := s.RunFloat(t.Context(), ramp(shape.Numel()), shape)
		if err != nil {
			t.Fatal(err)
		}
		if !ys.Equal(tensor.Shape{2, 10}) {
			t.Errorf("output has shape %s", ys)
		}
		testkit.Close(t, "RunFloat", y, golden, 1e-5)
		out, err := s.Run(t.Context(), map[string]*tensor.Tensor{"input": tensor.From(shape, ramp(shape.Numel()))})
		if err != nil {
			t.Fatal(err)
		}
		z, err := tensor.Floats(out["logits"])
		if err != nil {
			t.Fatal(err)
		}
		testkit.Close(t, "Run", z, y, 0)
	}
}

func TestInterface(t *testing.T) {
	s := session(t, model(t, "resnet20-cifar10.onnx"), Options{Outputs: []string{"logits"}})
	in, out := s.Inputs()[0], s.Outputs()[0]
	if in.Name != "input" || in.DType != tensor.Float32 || !in.Shape.Equal(tensor.Shape{-1, 3, 32, 32}) {
		t.Errorf("input is %+v", in)
	}
	if out.Name != "logits" || !out.Shape.Equal(tensor.Shape{-1, 10}) {
		t.Errorf("output is %+v", out)
	}
}

func TestVersion(t *testing.T) {
	if err := Available(); err != nil {
		t.Fatal(err)
	}
	if !strings.HasPrefix(Version(), "1.") || !strings.Contains(Library(), "onnxruntime") {
		t.Errorf("version %q of library %q", Version(), Library())
	}
}

func TestErrors(t *testing.T) {
	m := model(t, "resnet20-cifar10.onnx")
	good := map[string]*tensor.Tensor{"input": tensor.From(tensor.Shape{1, 3, 32, 32}, ramp(3072))}
	for _, c := range []struct {
		name  string
		model []byte
		o     Options
		in    map[string]*tensor.Tensor
		want  string
	}{
		{"no protobuf", []byte("\x07oops"), Options{}, nil, "not a protobuf message"},
		{"cut off", m[:len(m)/2], Options{}, nil, "not a protobuf message"},
		{"empty", nil, Options{}, nil, "0 inputs"},
		{"threads", m, Options{Threads: -1}, nil, "threads must not be negative"},
		{"provider", m, Options{Provider: "tpu"}, nil, `unknown provider "tpu" (cpu, cuda, tensorrt)`},
		{"output", m, Options{Outputs: []string{"x"}}, nil, `no output "x"`},
		{"missing input", m, Options{}, nil, `input "input" is missing`},
		{"input type", m, Options{}, map[string]*tensor.Tensor{"input": tensor.Scalar(int8(1))}, "the model reads float32"},
		{"input shape", m, Options{}, map[string]*tensor.Tensor{"input": tensor.From(tensor.Shape{1, 2}, ramp(2))}, "run session"},
		{"good", m, Options{}, good, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Open(c.model, c.o)
			if err == nil {
				defer s.Close()
				_, err = s.Run(t.Context(), c.in)
			}
			if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
}

func TestMissingProviderListsThoseThere(t *testing.T) {
	have, err := Providers()
	if err != nil {
		t.Fatal(err)
	}
	if len(have) > 1 {
		t.Skipf("this library offers %v", have)
	}
	for _, p := range []string{ProviderCUDA, ProviderTensorRT} {
		if _, err := Open(model(t, "resnet20-cifar10.onnx"), Options{Provider: p}); err == nil || !strings.Contains(err.Error(), "offers cpu") {
			t.Errorf("provider %s: %v", p, err)
		}
	}
}

func TestCancel(t *testing.T) {
	s := session(t, model(t, "resnet20-cifar10.onnx"), Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, _, err := s.RunFloat(ctx, ramp(3072), tensor.Shape{1, 3, 32, 32}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

func TestConcurrentRunsAgree(t *testing.T) {
	s := session(t, model(t, "resnet20-cifar10.onnx"), Options{Optimize: true})
	shape := tensor.Shape{2, 3, 32, 32}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for range 5 {
				y, _, err := s.RunFloat(t.Context(), ramp(shape.Numel()), shape)
				if err != nil {
					t.Error(err)
					return
				}
				testkit.Close(t, "logits", y, golden, 1e-5)
			}
		})
	}
	wg.Wait()
}

func TestSaveOptimized(t *testing.T) {
	path := filepath.Join(t.TempDir(), "o.onnx")
	if err := SaveOptimized(model(t, "resnet20-cifar10.onnx"), path, ""); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(b), "FusedConv") && !strings.Contains(string(b), "nchwc") {
		t.Error("the optimised model has no fused convolution")
	}
}

func TestSetLibraryAfterStart(t *testing.T) {
	if err := Available(); err != nil {
		t.Fatal(err)
	}
	if err := SetLibrary("/no/such/lib.so"); err == nil {
		t.Error("another library was accepted while one runs")
	}
}
