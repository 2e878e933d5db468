package quantize_test

import (
	"testing"

	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/quantize"
)

// TestGeometry: the plan says of the weights of every kind which axes count channels, and what follows from them.
func TestGeometry(t *testing.T) {
	m := doc(t,
		"Conv x $a:6x4x3x2 -> a ?x6x6x7",
		"Conv/4 a $b:8x1x1x1 -> b ?x8x6x7",
		"Flatten b -> flat ?x336",
		"Gemm flat $c:336x5 -> c ?x5",
		"Gemm c $d:7x5 -> d ?x7",
		"MatMul d $e:7x3 -> e ?x3")
	m.Graph.Node("/d").SetAttr(onnx.IntAttr("transB", 1))
	plan, err := quantize.NewPlan(m, quantize.PlanOptions{})
	if err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		kind                 op.Kind
		out, in, channels    int // axes, and output channels
		terms, inner, groups int
	}{
		{op.Conv, 0, 1, 6, 24, 24, 1},
		{op.Conv, 0, 1, 8, 1, 1, 4},
		{op.Gemm, 1, 0, 5, 336, 1, 1},
		{op.Gemm, 0, 1, 7, 5, 5, 1},
		{op.MatMul, 1, 0, 3, 7, 1, 1},
	}
	if len(plan.Layers) != len(tests) {
		t.Fatalf("%d layers", len(plan.Layers))
	}
	for i, tt := range tests {
		l := &plan.Layers[i]
		if l.Kind != tt.kind || l.Axis != tt.out || l.InputAxis != tt.in || l.OutChannels != tt.channels {
			t.Errorf("layer %s: kind %d, axes %d and %d, %d channels", l.Node, l.Kind, l.Axis, l.InputAxis, l.OutChannels)
		}
		if l.Terms() != tt.terms || l.Inner() != tt.inner || l.InGroups() != tt.groups {
			t.Errorf("layer %s: %d terms, %d side by side, in %d groups", l.Node, l.Terms(), l.Inner(), l.InGroups())
		}
	}
	if l := plan.Layers[1]; !l.Depthwise || l.Apart() {
		t.Errorf("a layer of two outputs for every input: depthwise %v, apart %v", l.Depthwise, l.Apart())
	}
}
