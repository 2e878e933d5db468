package shape_test

import (
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
)

// TestResizeScales follows constant scales, which are floats: the batch stays open where its scale is 1.
func TestResizeScales(t *testing.T) {
	for _, c := range []struct {
		name   string
		scales []float32
		axes   []int64
		want   tensor.Shape
	}{
		{"all axes", []float32{1, 1, 2, 1.5}, nil, tensor.Shape{-1, 3, 10, 10}},
		{"batch grows", []float32{2, 1, 2, 2}, nil, tensor.Shape{-1, -1, -1, -1}},
		{"some axes", []float32{0.5, 3}, []int64{-1, 2}, tensor.Shape{-1, 3, 15, 3}},
		{"too few", []float32{2}, nil, tensor.Shape{-1, -1, -1, -1}},
		{"not finite", []float32{1, 1, 1e38, 1}, nil, tensor.Shape{-1, -1, -1, -1}},
	} {
		m := onnx.New(18)
		x, errX := m.Graph.AddInput("x", tensor.Float32, tensor.Shape{-1, 3, 5, 7})
		s, errS := m.Graph.AddInitializer("s", tensor.From(tensor.Shape{len(c.scales)}, c.scales))
		spec := onnx.NodeSpec{Name: "r", Op: "Resize", Inputs: []*onnx.Value{x, nil, s}, Outputs: []string{"y"}}
		if c.axes != nil {
			spec.Attrs = append(spec.Attrs, onnx.IntsAttr("axes", c.axes))
		}
		n, errN := m.Graph.AddNode(spec, nil)
		if errX != nil || errS != nil || errN != nil {
			t.Fatal(errX, errS, errN)
		}
		if err := shape.Infer(m.Graph); err != nil {
			t.Fatalf("%s: %v", c.name, err)
		}
		if got, _ := n.Output(0).Shape(); !got.Equal(c.want) {
			t.Errorf("%s: shape %s, want %s", c.name, got, c.want)
		}
	}
}
