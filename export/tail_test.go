package export_test

import (
	"encoding/binary"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// tailOf is a document with the output y of a small network as input, and what an operator makes of it.
func tailOf(t *testing.T, opset int64, op string) *onnx.Model {
	t.Helper()
	m := onnx.New(opset)
	b := &graphBuilder{t: t, g: m.Graph}
	b.value(m.Graph.AddInput("y", tensor.Float32, tensor.Shape{-1, 5}))
	b.op(op, "z", "y")
	m.Graph.Value("z").SetType(tensor.Float32, tensor.Shape{-1, 5})
	if err := m.Graph.AddOutput(m.Graph.Value("z")); err != nil {
		t.Fatal(err)
	}
	return m
}

// withBody adds a node If to a document whose branch holds a node of an operator: a file is the concatenation of its
// parts.
func withBody(t *testing.T, m *onnx.Model, op string) *onnx.Model {
	t.Helper()
	text := func(b []byte, field uint64, s string) []byte {
		const lengthDelimited = 2
		return append(binary.AppendUvarint(binary.AppendUvarint(b, field<<3|lengthDelimited), uint64(len(s))), s...)
	}
	node := func(op, name, input, output string) []byte {
		return text(text(text(text(nil, 1, input), 2, output), 3, name), 4, op)
	}
	inner := text(text(nil, 1, string(node(op, "inner", "y", "r"))), 12, string(text(nil, 1, "r"))) // GraphProto: node, output
	const kind, graph = 20, 5
	branch := text(binary.AppendUvarint(binary.AppendUvarint(text(nil, 1, "then_branch"), kind<<3), graph), 6, string(inner))
	outer := text(node("If", "/if", "y", "unused"), 5, string(branch))
	b, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	out, err := onnx.Parse(text(b, 7, string(text(nil, 1, string(outer)))), "")
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestPackedBody: what changes its meaning in the operator set of packed files is found in bodies, too.
func TestPackedBody(t *testing.T) {
	n := small(t)
	for op, want := range map[string]string{"ReduceMax": `packed weights need opset 18, and ReduceMax "inner" means something else there`, "Relu": ""} {
		m := n.model.Clone()
		m.SetOpset("", 17)
		o := export.Options{Profile: export.ProfileORT, Tail: withBody(t, tailOf(t, 17, "Softmax"), op), Packed: true}
		_, err := export.Export(m, n.plan, n.supernet, n.plan.Uniform(4), o)
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%s: %v", op, err)
		}
	}
}

// TestTailOpset: the tail comes to the operator set of the file as the network in front of it does, and one of another
// set than the network is refused.
func TestTailOpset(t *testing.T) {
	n := small(t)
	for _, c := range []struct {
		network, tail int64
		op, want      string
		opset         int64 // of the file
		packed        bool
	}{
		{17, 17, "Softmax", "", 17, false},
		{17, 17, "Softmax", "", 18, true},
		{17, 17, "ReduceMax", `packed weights need opset 18, and ReduceMax "/z" means something else there`, 0, true},
		{24, 24, "Softmax", "", 21, false},
		{21, 24, "Softmax", "", 21, false}, // which is 21, as nothing of it came later
		{24, 24, "Swish", "node \"/z\": Swish needs opset 24", 0, false},
		{17, 18, "Softmax", `version 17 of operator set "ai.onnx", what is to follow uses version 18`, 0, false},
	} {
		m := n.model.Clone()
		m.SetOpset("", c.network)
		tail := tailOf(t, c.tail, c.op)
		e, err := export.Export(m, n.plan, n.supernet, n.plan.Uniform(4), export.Options{Profile: export.ProfileORT, Tail: tail, Packed: c.packed})
		switch {
		case tail.Opset("") != c.tail:
			t.Errorf("%+v: the tail was changed", c)
		case c.want != "":
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%+v: error %v", c, err)
			}
		case err != nil || e.Opset("") != c.opset || e.Graph.Outputs()[0].Name() != "z":
			t.Errorf("%+v: %v", c, err)
		}
	}
}
