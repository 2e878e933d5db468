package partition

import (
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
)

func TestCheckCrossing(t *testing.T) {
	axis := func(a int64) []onnx.Attr { return []onnx.Attr{onnx.IntAttr("axis", a)} }
	tests := []struct {
		name, op string
		ints     [][]int64 // further inputs
		attrs    []onnx.Attr
		crosses  bool
	}{
		{"softmax of channels", "Softmax", nil, axis(1), false},
		{"softmax of the batch", "Softmax", nil, axis(-4), true},
		{"flatten", "Flatten", nil, nil, false},
		{"flatten all", "Flatten", nil, axis(0), true},
		{"mean of the plane", "ReduceMean", nil, []onnx.Attr{onnx.IntsAttr("axes", []int64{2, 3})}, false},
		{"mean of the batch", "ReduceMean", nil, []onnx.Attr{onnx.IntsAttr("axes", []int64{0})}, true},
		{"mean of all", "ReduceMean", nil, nil, true},
		{"transpose", "Transpose", nil, []onnx.Attr{onnx.IntsAttr("perm", []int64{0, 2, 1, 3})}, false},
		{"batch in the middle", "Transpose", nil, []onnx.Attr{onnx.IntsAttr("perm", []int64{1, 0, 2, 3})}, true},
		{"slice", "Slice", [][]int64{{1}, {3}, {1}}, nil, false},
		{"slice that keeps all samples", "Slice", [][]int64{{0}, {1<<63 - 1}, {0}}, nil, false},
		{"first sample", "Slice", [][]int64{{0}, {1}, {0}}, nil, true},
		{"pad", "Pad", [][]int64{{0, 1, 0, 0, 0, 0, 0, 0}}, nil, false},
		{"pad of the batch", "Pad", [][]int64{{0, 0, 0, 0, 1, 0, 0, 0}}, nil, true},
		{"gather", "Gather", [][]int64{{0}}, axis(1), false},
		{"gather samples", "Gather", [][]int64{{0}}, axis(0), true},
		{"unsqueeze", "Unsqueeze", [][]int64{{4}}, nil, false},
		{"unsqueeze in front", "Unsqueeze", [][]int64{{0}}, nil, true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := network(t, "c = Conv x")
			in := []*onnx.Value{m.Graph.Outputs()[0]}
			for _, v := range tt.ints {
				c, err := m.Graph.AddInitializer(m.Graph.FreshName("i"), tensor.From(tensor.Shape{len(v)}, v))
				if err != nil {
					t.Fatal(err)
				}
				in = append(in, c)
			}
			if _, err := m.Graph.AddNode(onnx.NodeSpec{Name: "odd", Op: tt.op, Inputs: in, Outputs: []string{"y"}, Attrs: tt.attrs}, nil); err != nil {
				t.Fatal(err)
			}
			if err := shape.Infer(m.Graph); err != nil {
				t.Fatal(err)
			}
			err := CheckCrossing(m)
			if (err != nil) != tt.crosses || err != nil && !strings.Contains(err.Error(), `"odd"`) {
				t.Errorf("error %v", err)
			}
		})
	}
}
