package export_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/lint"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
)

// TestLint breaks one convention at a time.
func TestLint(t *testing.T) {
	n := small(t)
	tests := []struct {
		name   string
		damage func(t *testing.T, m *onnx.Model)
		want   []string
	}{
		{"nothing", func(*testing.T, *onnx.Model) {}, nil},
		{"opset", func(_ *testing.T, m *onnx.Model) { m.SetOpset("", 23) }, []string{`opset: node "": opset 23`}},
		{"negative scale", func(t *testing.T, m *onnx.Model) {
			sample.Change(t, m.Graph.Node("/r/quantize").Input(1), func(x []float32) { x[0] = -x[0] })
		}, []string{`scale: node "/r/quantize"`, "is not positive"}},
		{"no zero point", func(_ *testing.T, m *onnx.Model) { m.Graph.Node("/r/quantize").SetInput(2, nil) }, []string{`scale: node "/r/quantize": its zero point`}},
		{"no axis", func(_ *testing.T, m *onnx.Model) { m.Graph.Node("/c1/weight/dequantize").RemoveAttr("axis") }, []string{"attribute axis"}},
		{"int8 activations", func(t *testing.T, m *onnx.Model) {
			if err := m.Graph.Node("/r/quantize").Input(2).SetConst(tensor.Scalar(int8(0))); err != nil {
				t.Fatal(err)
			}
		}, []string{"its codes are int8"}},
		{"pairs side by side", func(t *testing.T, m *onnx.Model) {
			keep := m.Graph.Node("p@4/keep")
			if err := m.Graph.ReplaceUses(keep.Output(0), keep.Input(0)); err != nil {
				t.Fatal(err)
			}
		}, []string{`pair: node "p@4/quantize"`}},
		{"float weights", func(_ *testing.T, m *onnx.Model) {
			c := m.Graph.Node("/c1")
			c.SetInput(1, c.Input(1).Producer().Input(1))
		}, []string{`layer: node "/c1": input 1`}},
		{"wide weights", func(t *testing.T, m *onnx.Model) {
			v := m.Graph.Node("/c1").Input(1).Producer().Input(0)
			codes := make([]int8, v.Const().Shape.Numel())
			codes[7] = 9
			if err := v.SetConst(tensor.From(v.Const().Shape, codes)); err != nil {
				t.Fatal(err)
			}
		}, []string{`levels: node "/c1": weight code 9`}},
		{"second reader", func(t *testing.T, m *onnx.Model) {
			if err := m.Graph.AddOutput(m.Graph.Value("c1")); err != nil {
				t.Fatal(err)
			}
		}, []string{`fusion: node "/c1"`}},
		{"layer gone", func(_ *testing.T, m *onnx.Model) {
			text, _ := m.Metadata(metadata.PolicyKey)
			m.SetMetadata(metadata.PolicyKey, strings.Replace(text, `"/c1"`, `"/c9"`, 1))
		}, []string{`layer: node "/c9"`}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := n.export(t, n.plan.Uniform(4))
			tt.damage(t, m)
			findings, err := lint.Check(m, export.Named(export.ProfileORT).Conventions())
			if err != nil {
				t.Fatal(err)
			}
			var lines []string
			for _, f := range findings {
				if f.Rule != "saturation" {
					lines = append(lines, f.String())
				}
			}
			if (len(tt.want) == 0) != (len(lines) == 0) {
				t.Errorf("findings %v", lines)
			}
			for _, want := range tt.want {
				if !slices.ContainsFunc(lines, func(s string) bool { return strings.Contains(s, want) }) {
					t.Errorf("%q is not among %v", want, lines)
				}
			}
		})
	}
	if _, err := lint.Check(n.model, export.Named(export.ProfileORT).Conventions()); err == nil || !strings.Contains(err.Error(), "no quantized layers") {
		t.Errorf("a float model: %v", err)
	}
}
