package pass_test

import (
	"fmt"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/pass"
)

// TestNormaliseIsLinear normalises chains of operators that passes rewrite, fold and remove.
func TestNormaliseIsLinear(t *testing.T) {
	for _, c := range []struct {
		name string
		ops  []string
	}{
		{"kept", []string{"Relu"}},
		{"removed", []string{"Identity", "Dropout"}},
		{"scaled", []string{"Mul"}},
		{"alternating", []string{"Relu", "Mul", "Identity", "Add", "Transpose"}},
		{"folded", []string{"fold"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			testkit.Growth(t, 400, func(n int) func() {
				m := onnx.New(17)
				g := m.Graph
				must := func(v *onnx.Value, err error) *onnx.Value {
					if err != nil {
						t.Fatal(err)
					}
					return v
				}
				x := must(g.AddInput("x", tensor.Float32, tensor.Shape{-1, 4, 8, 8}))
				k := must(g.AddInitializer("k", tensor.Scalar(float32(1.5))))
				last, folded := x, k
				for i := range n {
					op, at := c.ops[i%len(c.ops)], &last
					if op == "fold" {
						op, at = "Add", &folded
					}
					spec := onnx.NodeSpec{Op: op, Inputs: []*onnx.Value{*at}, Outputs: []string{fmt.Sprintf("v%d", i)}}
					switch op {
					case "Mul", "Add":
						spec.Inputs = append(spec.Inputs, k)
					case "Transpose":
						spec.Attrs = []onnx.Attr{onnx.IntsAttr("perm", []int64{0, 1, 3, 2})}
					}
					node, err := g.AddNode(spec, nil)
					if err != nil {
						t.Fatal(err)
					}
					*at = node.Output(0)
				}
				node, err := g.AddNode(onnx.NodeSpec{Op: "Mul", Inputs: []*onnx.Value{last, folded}, Outputs: []string{"y"}}, nil)
				if err == nil {
					err = g.AddOutput(node.Output(0))
				}
				if err != nil {
					t.Fatal(err)
				}
				return func() {
					if err := pass.Normalise(m); err != nil {
						t.Fatal(err)
					}
				}
			})
		})
	}
}
