package pass

import (
	"fmt"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// builder makes small documents; every value is addressed by name.
type builder struct {
	t *testing.T
	m *onnx.Model
}

func build(t *testing.T, opset int64) *builder {
	t.Helper()
	return &builder{t, onnx.New(opset)}
}

func (b *builder) in(name string, shape ...int) *builder {
	b.t.Helper()
	_, err := b.m.Graph.AddInput(name, tensor.Float32, shape)
	b.check(err)
	return b
}

func (b *builder) ints(name string, v ...int64) *builder {
	b.t.Helper()
	return b.init(name, tensor.From(tensor.Shape{len(v)}, v))
}

func (b *builder) floats(name string, shape tensor.Shape, v ...float32) *builder {
	b.t.Helper()
	if len(v) == 1 {
		for len(v) < shape.Numel() {
			v = append(v, v[0])
		}
	}
	return b.init(name, tensor.From(shape, v))
}

func (b *builder) init(name string, t *tensor.Tensor) *builder {
	b.t.Helper()
	_, err := b.m.Graph.AddInitializer(name, t)
	b.check(err)
	return b
}

// op adds a node named like its first output. Inputs are separated by spaces, "-" omits one.
func (b *builder) op(op, inputs, outputs string, attrs ...onnx.Attr) *builder {
	b.t.Helper()
	var in []*onnx.Value
	for _, name := range strings.Fields(inputs) {
		v := b.m.Graph.Value(name)
		if v == nil && name != "-" {
			b.t.Fatalf("no value %q", name)
		}
		in = append(in, v)
	}
	out := strings.Fields(outputs)
	_, err := b.m.Graph.AddNode(onnx.NodeSpec{Name: "n/" + out[0], Op: op, Inputs: in, Outputs: out, Attrs: attrs}, nil)
	b.check(err)
	return b
}

func (b *builder) typed(name string, shape ...int) *builder {
	b.t.Helper()
	b.m.Graph.Value(name).SetType(tensor.Float32, shape)
	return b
}

func (b *builder) out(names ...string) *onnx.Model {
	b.t.Helper()
	for _, name := range names {
		b.check(b.m.Graph.AddOutput(b.m.Graph.Value(name)))
	}
	return b.m
}

func (b *builder) check(err error) {
	b.t.Helper()
	if err != nil {
		b.t.Fatal(err)
	}
}

// listing is the graph as text: one node a line.
func listing(m *onnx.Model) string {
	var s strings.Builder
	for _, n := range m.Graph.Nodes() {
		fmt.Fprintf(&s, "%s(%s) -> %s\n", n.Op(), names(n.Inputs()), names(n.Outputs()))
	}
	return s.String()
}

func names(values []*onnx.Value) string {
	out := make([]string, len(values))
	for i, v := range values {
		if out[i] = "-"; v != nil {
			out[i] = v.Name()
		}
	}
	return strings.Join(out, ", ")
}

// apply runs one pass and checks that a second run changes nothing and that the document stays valid.
func apply(t *testing.T, p Pass, m *onnx.Model) bool {
	t.Helper()
	first, err := Sequence{p}.Run(m)
	if err != nil {
		t.Fatal(err)
	}
	again, err := Sequence{p}.Run(m)
	if err != nil {
		t.Fatal(err)
	}
	if again[0].Modified != 0 {
		t.Errorf("pass %s changes its own result:\n%s", p.Name(), listing(m))
	}
	if err := m.Validate(); err != nil {
		t.Errorf("after pass %s: %v", p.Name(), err)
	}
	return first[0].Modified != 0
}

func wantListing(t *testing.T, m *onnx.Model, want string) {
	t.Helper()
	if got := strings.TrimSpace(listing(m)); got != strings.TrimSpace(want) {
		t.Errorf("graph is\n%s\nwant\n%s", got, want)
	}
}
