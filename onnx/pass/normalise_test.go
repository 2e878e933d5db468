package pass

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
)

// TestNormalise checks that only the operators of the network itself are left, and that every value has a shape.
func TestNormalise(t *testing.T) {
	tests := []struct{ file, ops string }{
		{"models/resnet20-cifar10.onnx", "Add:9 AveragePool:1 Conv:19 Gemm:1 Pad:2 Relu:19 Reshape:1 Slice:4"},
		{"models/resnet20-cifar10-bn.onnx", "Add:9 AveragePool:1 BatchNormalization:19 Conv:19 Gemm:1 Pad:2 Relu:19 Reshape:1 Slice:4"},
		{"models/resnet18-cifar10-64.onnx", "Add:8 Conv:20 Flatten:1 Gemm:1 GlobalAveragePool:1 MaxPool:1 Relu:17"},
		{"models/mobilenetv2-cifar10-64.onnx", "Add:10 Clip:35 Conv:52 Flatten:1 Gemm:1 GlobalAveragePool:1"},
		{"models/efficientnet-lite0-imagenet.onnx", "Add:9 Clip:33 Conv:49 Gemm:1 GlobalAveragePool:1 Reshape:1"},
		{"reference/oneshot/model.onnx", "Add:1 BatchNormalization:6 Clip:1 Conv:6 Flatten:1 Gemm:1 GlobalAveragePool:1 Relu:4"},
	}
	for _, tt := range tests {
		t.Run(tt.file, func(t *testing.T) {
			m, err := onnx.Load(testkit.Shared(t, tt.file))
			if err != nil {
				t.Fatal(err)
			}
			if err := Normalise(m); err != nil {
				t.Fatal(err)
			}
			if got := operators(m); got != tt.ops {
				t.Errorf("operators %s, want %s", got, tt.ops)
			}
			for _, n := range m.Graph.Nodes() {
				for _, v := range n.Outputs() {
					if s, known := v.Shape(); !known || slices.Contains(s[min(len(s), 1):], -1) {
						t.Errorf("%s: shape %s (known %v)", v.Name(), s, known)
					}
				}
				if p := normOf(n); n.Op() == "BatchNormalization" && (p == nil || slices.Min(p.gamma) < 0) {
					t.Errorf("%s has a negative gamma or is no layer's", n)
				}
				for _, v := range n.Inputs() {
					if n.Op() == "Clip" && v != n.Input(0) && v.Const() == nil {
						t.Errorf("%s: bound %s is not constant", n, v.Name())
					}
				}
			}
			reports, err := NormaliseReport(m)
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range reports {
				if r.Modified != 0 {
					t.Errorf("a second normalisation changes the model in pass %s", r.Pass)
				}
			}
		})
	}
}

// TestNormaliseShortcuts checks that the shortcuts that shrink and pad are Slice, Slice, Pad with constant arguments.
func TestNormaliseShortcuts(t *testing.T) {
	m, err := onnx.Load(testkit.Shared(t, "models/resnet20-cifar10.onnx"))
	if err != nil {
		t.Fatal(err)
	}
	if err := Normalise(m); err != nil {
		t.Fatal(err)
	}
	for _, n := range m.Graph.Nodes() {
		if n.Op() != "Pad" {
			continue
		}
		s1 := n.Input(0).Producer()
		if s1.Op() != "Slice" || s1.Input(0).Producer().Op() != "Slice" {
			t.Errorf("%s does not follow two Slices", n)
		}
		p := constInts(n.Input(1))
		if len(p) != 8 || p[1] == 0 || p[1] != p[5] {
			t.Errorf("%s pads %v", n, p)
		}
		for i := 1; i < 5; i++ {
			if s1.Input(i).Const() == nil {
				t.Errorf("%s: input %d is not constant", s1, i)
			}
		}
	}
}

// operators counts nodes per operator.
func operators(m *onnx.Model) string {
	count := map[string]int{}
	for _, n := range m.Graph.Nodes() {
		count[n.Op()]++
	}
	var out []string
	for _, op := range slices.Sorted(maps.Keys(count)) {
		out = append(out, fmt.Sprintf("%s:%d", op, count[op]))
	}
	return strings.Join(out, " ")
}
