package quantize_test

import (
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

func TestIsPole(t *testing.T) {
	tests := []struct {
		name, op string
		exponent []float32 // or divisor; nil: computed
		want     bool
	}{
		{"square", "Pow", []float32{2}, false},
		{"inverse", "Pow", []float32{-1}, true},
		{"root", "Pow", []float32{0.5}, true},
		{"power by a vector", "Pow", []float32{2, 2}, true},
		{"power by a computed value", "Pow", nil, true},
		{"quotient", "Div", nil, true},
		{"share", "Div", []float32{3}, false},
		{"sum", "Add", nil, false},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			g := onnx.New(17).Graph
			x, err := g.AddInput("x", tensor.Float32, tensor.Shape{-1, 2})
			if err != nil {
				t.Fatal(err)
			}
			in := []*onnx.Value{x, x}
			if tt.exponent != nil {
				if in[1], err = g.AddInitializer("c", tensor.From(tensor.Shape{len(tt.exponent)}, tt.exponent)); err != nil {
					t.Fatal(err)
				}
			}
			n, err := g.AddNode(onnx.NodeSpec{Name: "n", Op: tt.op, Inputs: in, Outputs: []string{"y"}}, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got := quantize.IsPole(n); got != tt.want {
				t.Errorf("%v", got)
			}
		})
	}
}
