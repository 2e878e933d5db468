package export_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/export/comparison"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
)

// TestDamage breaks one thing of an exported file at a time: the comparison of codes has to name the node where the
// first code goes wrong, and lint what it can know.
func TestDamage(t *testing.T) {
	requireRuntime(t)
	n := load(t, "models/resnet20-cifar10.onnx", true)
	q := mixed(n.plan, 1)
	const block = "/layer2/layer2.1/"
	for i := range n.plan.Layers {
		if strings.HasPrefix(n.plan.Layers[i].Node, block) {
			q.W[i], q.A[n.plan.Layers[i].Point] = 4, 4
		}
	}
	tests := []struct {
		name  string
		hurt  func(t *testing.T, m *onnx.Model)
		node  string   // of the first divergence, or the output where no code comes after
		rules []string // of the findings
	}{
		{"nothing", func(*testing.T, *onnx.Model) {}, "", nil},
		{"one weight", func(t *testing.T, m *onnx.Model) {
			v := m.Graph.Node(block + "conv2/Conv").Input(1).Producer().Input(0)
			sample.Change(t, v, func(codes []int8) { codes[4] ^= 3 })
		}, block + "conv2/Conv", nil},
		{"one weight scale", func(t *testing.T, m *onnx.Model) {
			v := m.Graph.Node(block + "conv1/Conv").Input(1).Producer().Input(1)
			sample.Change(t, v, func(x []float32) { x[3] *= 1.01 })
		}, block + "conv1/Conv", []string{"bias-scale"}},
		{"one activation scale", func(t *testing.T, m *onnx.Model) {
			v := m.Graph.Node(block + "Relu/quantize").Input(1)
			sample.Change(t, v, func(x []float32) { x[0] *= 1.001 })
		}, block + "conv1/Conv", []string{"bias-scale"}},
		{"a missing Clip", func(t *testing.T, m *onnx.Model) {
			clip := m.Graph.Node(block + "Relu/clip")
			in, name := clip.Input(0), clip.Output(0).Name()
			if err := m.Graph.ReplaceUses(clip.Output(0), in); err != nil {
				t.Fatal(err)
			}
			if err := m.Graph.Remove(clip); err != nil {
				t.Fatal(err)
			}
			if err := m.Graph.RenameValue(in, name); err != nil {
				t.Fatal(err)
			}
		}, block + "conv1/Conv", []string{"levels"}},
		{"one weight of the last layer", func(t *testing.T, m *onnx.Model) {
			v := m.Graph.Outputs()[0].Producer().Input(1).Producer().Input(0)
			sample.Change(t, v, func(codes []int8) { codes[4] ^= 1 })
		}, "output", nil},
		{"one bias", func(t *testing.T, m *onnx.Model) {
			v := m.Graph.Node(block + "conv1/Conv").Input(2).Producer().Input(0)
			sample.Change(t, v, func(codes []int32) { codes[1] += 40 })
		}, block + "conv1/Conv", nil},
	}
	x := n.samples(32, 8)
	want, _ := n.reference(t, q, x)
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			m := n.export(t, q)
			tt.hurt(t, m)
			c := comparison.Of(description(t, m).Tensors, want, n.compute(t, m, x, true))
			switch {
			case tt.node == "" && !c.Equal():
				t.Errorf("%+v", c)
			case tt.node == "output":
				if at := c.Astray(0); at == nil || at.Output != m.Graph.Outputs()[0].Name() || at.Want == at.Got || c.Different > 0 {
					t.Errorf("%+v", c)
				}
			case tt.node != "" && (c.First == nil || c.First.Node != tt.node):
				t.Errorf("first divergence %v, want at %s", c.First, tt.node)
			}
			findings := mistakes(t, m, export.ProfileORT)
			var rules []string
			for _, f := range findings {
				rules = append(rules, f.Rule)
			}
			if !slices.Equal(slices.Compact(rules), tt.rules) {
				t.Errorf("findings %v, want rules %v", findings, tt.rules)
			}
		})
	}
}

// TestDamagedSecondOutput: of a network with two heads both are compared.
func TestDamagedSecondOutput(t *testing.T) {
	requireRuntime(t)
	m := build(t, func(b *graphBuilder) {
		b.plain()
		b.op("Gemm", "z", "flat "+b.weights("second.w", 8, 3)+" "+b.weights("second.b", 3))
		if err := b.g.AddOutput(b.g.Value("z")); err != nil {
			t.Fatal(err)
		}
	})
	n := prepare(t, m, true)
	q := mixed(n.plan, 1)
	x := n.samples(8, 8)
	want, _ := n.reference(t, q, x)
	e := n.export(t, q)
	tensors := description(t, e).Tensors
	if c := comparison.Of(tensors, want, n.compute(t, e, x, true)); len(c.Outputs) != 2 || !c.Equal() {
		t.Fatalf("%+v", c)
	}
	v := e.Graph.Node("/y").Input(1).Producer().Input(0)
	sample.Change(t, v, func(codes []int8) { codes[4] ^= 1 })
	if at := comparison.Of(tensors, want, n.compute(t, e, x, true)).Astray(0); at == nil || at.Output != "y" || at.Index != 4 {
		t.Errorf("%v", at)
	}
}
