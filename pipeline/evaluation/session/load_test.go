package session

import (
	"math/rand/v2"
	"runtime"
	"testing"

	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
)

// product is a model of one MatMul with n x n weights.
func product(t *testing.T, n int) []byte {
	t.Helper()
	m := onnx.New(17)
	x, err := m.Graph.AddInput("x", tensor.Float32, tensor.Shape{1, n})
	if err != nil {
		t.Fatal(err)
	}
	rng := rand.New(rand.NewPCG(1, 2))
	values := make([]float32, n*n)
	for i := range values {
		values[i] = rng.Float32()
	}
	w, err := m.Graph.AddInitializer("w", tensor.From(tensor.Shape{n, n}, values))
	if err != nil {
		t.Fatal(err)
	}
	node, err := m.Graph.AddNode(onnx.NodeSpec{Name: "y", Op: "MatMul", Inputs: []*onnx.Value{x, w}, Outputs: []string{"y"}}, nil)
	if err != nil {
		t.Fatal(err)
	}
	node.Output(0).SetType(tensor.Float32, tensor.Shape{1, n})
	if err := m.Graph.AddOutput(node.Output(0)); err != nil {
		t.Fatal(err)
	}
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestLoadPeak: memory that a process has used and freed before does not hide what loading takes.
func TestLoadPeak(t *testing.T) {
	if err := ort.Available(); err != nil {
		testkit.Missing(t, "%v", err)
	}
	if runtime.GOOS != "linux" || !ort.ReleaseMemory() {
		t.Skip("peaks are measured with glibc on Linux")
	}
	// A warm process: many blocks of many sizes were in use.
	for _, n := range []int{64, 200, 700, 1500} {
		for range 3 {
			s, err := ort.Open(product(t, n), ort.Options{Threads: 1, Optimize: true})
			if err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
		}
	}
	small, large := product(t, 120), product(t, 1000)
	c, err := LoadCosts(Document{data: small}, Document{data: large})
	if err != nil {
		t.Fatal(err)
	}
	for i, size := range []int{len(small), len(large)} {
		t.Logf("%d bytes: %+v", size, c[i])
		if p := c[i].PeakBytes; p < int64(size) || p > 8*int64(size)+(8<<20) || c[i].Seconds <= 0 {
			t.Errorf("a file of %d bytes: %+v", size, c[i])
		}
	}
}
