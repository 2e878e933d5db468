package onnx

import (
	"strings"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/mpqc/mpqc/onnx/internal/onnxpb"
)

func TestValidate(t *testing.T) {
	type model = onnxpb.ModelProto
	for _, c := range []struct {
		name   string
		damage func(m *model)
		want   []string
	}{
		{"sound", func(*model) {}, nil},
		{
			"two producers", func(m *model) { m.Graph.Node[1].Output[0] = "a" },
			[]string{`"a" is produced by Mul node "mul" and again by Relu node "relu"`, `Add node "add" reads "b", which nothing defines`},
		},
		{"producer and input", func(m *model) { m.Graph.Node[1].Output[0] = "x" }, []string{`"x" is produced by the graph's inputs and again`}},
		{"undefined input", func(m *model) { m.Graph.Node[0].Input[1] = "v" }, []string{`Mul node "mul" reads "v", which nothing defines`}},
		{
			"order", func(m *model) { m.Graph.Node[0], m.Graph.Node[1] = m.Graph.Node[1], m.Graph.Node[0] },
			[]string{`Relu node "relu" reads "a" before Mul node "mul" produces it`},
		},
		{"cycle", func(m *model) { m.Graph.Node[0].Input[0] = "b" }, []string{"cycle"}},
		{"own output", func(m *model) { m.Graph.Node[0].Input[0] = "a" }, []string{`Mul node "mul" reads its own output`}},
		{"no outputs", func(m *model) { m.Graph.Output = nil }, []string{"no outputs"}},
		{"undefined output", func(m *model) { m.Graph.Output[0].Name = proto.String("z") }, []string{`output "z" is not produced`}},
		{"output twice", func(m *model) { m.Graph.Output = append(m.Graph.Output, m.Graph.Output[0]) }, []string{"listed twice"}},
		{"no imports", func(m *model) { m.OpsetImport = nil }, []string{"imports no operator set"}},
		{
			"foreign domain", func(m *model) { m.Graph.Node[1].Domain = proto.String("com.microsoft") },
			[]string{`Relu node "relu" needs operator domain "com.microsoft"`},
		},
		{"local function", func(m *model) {
			m.Graph.Node[1].Domain = proto.String("local")
			m.Functions = []*onnxpb.FunctionProto{{Name: proto.String("Relu"), Domain: proto.String("local")}}
		}, nil},
		{"no IR version", func(m *model) { m.IrVersion = nil }, []string{"no IR version"}},
		{"one name", func(m *model) { m.Graph.Node[1].Name = m.Graph.Node[0].Name }, nil}, // the second one is named anew
		{"NUL", func(m *model) { m.Graph.Node[1].Name = proto.String("a\x00b") }, []string{`node "a\x00b" holds a NUL character`}},
		{
			"value with NUL", func(m *model) { m.Graph.Input[0].Name, m.Graph.Node[0].Input[0] = proto.String("x\x00"), "x\x00" },
			[]string{`value "x\x00" holds a NUL character`},
		},
		{"no UTF-8", func(m *model) { m.Graph.Node[1].Name = proto.String("a\xff") }, []string{`node "a\xff" is not UTF-8`}},
		{"no operator", func(m *model) { m.Graph.Node[1].OpType = nil }, []string{"has no operator"}},
		{
			"initializer twice", func(m *model) { m.Graph.Initializer = append(m.Graph.Initializer, m.Graph.Initializer[0]) },
			[]string{`initializer "w" is defined twice`},
		},
		{"initializer data", func(m *model) { m.Graph.Initializer[0].Dims = []int64{4} }, []string{`initializer "w"`, "need 16 bytes"}},
		{"two problems", func(m *model) { m.Graph.Output, m.IrVersion = nil, nil }, []string{"no outputs", "no IR version"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			pb := sample(t).pb
			c.damage(pb)
			err := link(pb).Validate()
			if (err == nil) != (c.want == nil) {
				t.Fatalf("error %v, want %q", err, c.want)
			}
			for _, w := range c.want {
				if !strings.Contains(err.Error(), w) {
					t.Errorf("error %v lacks %q", err, w)
				}
			}
		})
	}
}
