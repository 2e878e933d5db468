package partition

import (
	"errors"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
)

// TestCheckFloat: a model that stores weights as codes is a float model; one that computes with codes is refused.
func TestCheckFloat(t *testing.T) {
	samples := tensor.Shape{-1, 3, 8, 8}
	constants := func(g *onnx.Graph) (codes, step, zero *onnx.Value) {
		add := func(name string, v *tensor.Tensor) *onnx.Value {
			c, err := g.AddInitializer(name, v)
			if err != nil {
				t.Fatal(err)
			}
			return c
		}
		return add("codes", tensor.From(tensor.Shape{3, 3, 1, 1}, make([]int8, 9))), add("step", tensor.Scalar(float32(0.1))), add("none", tensor.Scalar(int8(0)))
	}
	for _, tt := range []struct {
		name, nodes string
		body        func(g *onnx.Graph, v *onnx.Value) *onnx.Value
	}{
		{"float", "", nil},
		{"weights as codes", "", func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			codes, step, zero := constants(g)
			return sample.Node(t, g, "c", "Conv", v, sample.Node(t, g, "dq", "DequantizeLinear", codes, step, zero))
		}},
		{"weights through codes", "", func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			codes, step, zero := constants(g)
			w := sample.Node(t, g, "dq", "DequantizeLinear", sample.Node(t, g, "same", "Identity", codes), step, zero)
			w = sample.Node(t, g, "dq2", "DequantizeLinear", sample.Node(t, g, "q2", "QuantizeLinear", w, step, zero), step, zero)
			return sample.Node(t, g, "c", "Conv", v, w)
		}},
		{"activations", "q dq", func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			_, step, zero := constants(g)
			return sample.Node(t, g, "dq", "DequantizeLinear", sample.Node(t, g, "q", "QuantizeLinear", v, step, zero), step, zero)
		}},
		{"codes of the input alone", "q", func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			return sample.Node(t, g, "f", "Identity", sample.Node(t, g, "q", "DynamicQuantizeLinear", v))
		}},
		{"operators on integers", "ci", func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
			codes, _, _ := constants(g)
			return sample.Node(t, g, "ci", "ConvInteger", v, codes)
		}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			err := CheckFloat(sample.Network(t, samples, tensor.Float32, tt.body))
			var e *QuantizedError
			if tt.nodes == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			if !errors.As(err, &e) {
				t.Fatalf("error %v", err)
			}
			var names []string
			for _, n := range e.Nodes {
				names = append(names, n.Name())
			}
			if strings.Join(names, " ") != tt.nodes || !strings.Contains(err.Error(), QuantizedReason) || !strings.Contains(err.Error(), names[0]) {
				t.Errorf("nodes %v: %v", names, err)
			}
		})
	}
}
