package lint

import (
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// graph adds to a document of a test.
type graph struct {
	t *testing.T
	m *onnx.Model
}

func (g graph) constant(name string, x *tensor.Tensor) *onnx.Value {
	g.t.Helper()
	v, err := g.m.Graph.AddInitializer(name, x)
	if err != nil {
		g.t.Fatal(err)
	}
	return v
}

// op adds a node called after its output.
func (g graph) op(op, domain, out string, dtype tensor.DType, shape tensor.Shape, in []*onnx.Value, attrs ...onnx.Attr) *onnx.Value {
	g.t.Helper()
	n, err := g.m.Graph.AddNode(onnx.NodeSpec{Name: "/" + out, Op: op, Domain: domain, Inputs: in, Outputs: []string{out}, Attrs: attrs}, nil)
	if err != nil {
		g.t.Fatal(err)
	}
	n.Output(0).SetType(dtype, shape)
	return n.Output(0)
}

// quantizer adds QuantizeLinear, a Clip of the codes to 4 bits where asked, and DequantizeLinear.
func (g graph) quantizer(name string, x *onnx.Value, narrow bool) *onnx.Value {
	g.t.Helper()
	s, _ := x.Shape()
	scale, zero := g.constant(name+".scale", tensor.Scalar(float32(0.5))), g.constant(name+".zero", tensor.Scalar(uint8(0)))
	v := g.op("QuantizeLinear", "", name+".codes", tensor.Uint8, s, []*onnx.Value{x, scale, zero})
	if narrow {
		lo, hi := g.constant(name+".lo", tensor.Scalar(uint8(0))), g.constant(name+".hi", tensor.Scalar(uint8(15)))
		v = g.op("Clip", "", name+".clipped", tensor.Uint8, s, []*onnx.Value{v, lo, hi})
	}
	return g.op("DequantizeLinear", "", name, tensor.Float32, s, []*onnx.Value{v, scale, zero})
}

// constants adds codes behind a DequantizeLinear with a scale per output channel.
func (g graph) constants(name string, codes, scale, zero *tensor.Tensor) *onnx.Value {
	g.t.Helper()
	in := []*onnx.Value{g.constant(name+".codes", codes), g.constant(name+".scale", scale), g.constant(name+".zero", zero)}
	return g.op("DequantizeLinear", "", name, tensor.Float32, codes.Shape, in, onnx.IntAttr("axis", 0))
}

// document is a Conv on 8-bit codes whose results have 4 bits, as the profile of onnxruntime writes it.
func document(t *testing.T) *onnx.Model {
	t.Helper()
	g := graph{t, onnx.New(17)}
	shape := tensor.Shape{1, 2, 4, 4}
	x, err := g.m.Graph.AddInput("x", tensor.Float32, shape)
	if err != nil {
		t.Fatal(err)
	}
	two := tensor.Shape{2}
	w := g.constants("w", tensor.From(tensor.Shape{2, 2, 1, 1}, []int8{-8, 7, 1, 2}), tensor.From(two, []float32{0.25, 0.5}), tensor.From(two, []int8{0, 0}))
	b := g.constants("b", tensor.From(two, []int32{3, -3}), tensor.From(two, []float32{0.125, 0.25}), tensor.From(two, []int32{0, 0}))
	c := g.op("Conv", "", "c", tensor.Float32, shape, []*onnx.Value{g.quantizer("q", x, false), w, b})
	if err := g.m.Graph.AddOutput(g.quantizer("y", c, true)); err != nil {
		t.Fatal(err)
	}
	describe(t, g.m, "q.codes", "y.clipped")
	return g.m
}

// clipped is the same network with a float Clip in front of a quantizer and a float bias, as other runtimes want it.
// Its output is the sum of the codes' values and of what a second Conv computes.
func clipped(t *testing.T) *onnx.Model {
	t.Helper()
	g := graph{t, onnx.New(17)}
	shape := tensor.Shape{1, 2, 4, 4}
	x, err := g.m.Graph.AddInput("x", tensor.Float32, shape)
	if err != nil {
		t.Fatal(err)
	}
	two := tensor.Shape{2}
	w := g.constants("w", tensor.From(tensor.Shape{2, 2, 1, 1}, []int8{-8, 7, 1, 2}), tensor.From(two, []float32{0.25, 0.5}), tensor.From(two, []int8{0, 0}))
	b := g.constant("b", tensor.From(two, []float32{1, 2}))
	q := g.quantizer("q", x, false)
	c := g.op("Conv", "", "c", tensor.Float32, shape, []*onnx.Value{q, w, b})
	bounds := []*onnx.Value{c, g.constant("lo", tensor.Scalar(float32(0))), g.constant("hi", tensor.Scalar(float32(7.5)))}
	y := g.quantizer("y", g.op("Clip", "", "k", tensor.Float32, shape, bounds), false)
	d := g.op("Conv", "", "d", tensor.Float32, shape, []*onnx.Value{y, w, b})
	if err := g.m.Graph.AddOutput(g.op("Add", "", "sum", tensor.Float32, shape, []*onnx.Value{d, y})); err != nil {
		t.Fatal(err)
	}
	describe(t, g.m, "q.codes", "y.codes")
	return g.m
}

// describe says that layer /c has 4-bit weights, and tensors of 8 and 4 bits these codes.
func describe(t *testing.T, m *onnx.Model, wide, narrow string) {
	t.Helper()
	d := metadata.Description{
		Layers: []metadata.LayerBits{{Node: "/c", W: 4, A: 8}},
		Tensors: []metadata.TensorBits{
			{Tensor: "x", Node: "/x", Codes: wide, Bits: 8},
			{Tensor: "c", Node: "/c", Codes: narrow, Bits: 4},
		},
	}
	if err := d.Write(m); err != nil {
		t.Fatal(err)
	}
}

// quants is the same network in Quant nodes.
func quants(t *testing.T) *onnx.Model {
	t.Helper()
	g := graph{t, onnx.New(17)}
	shape := tensor.Shape{1, 2, 4, 4}
	x, err := g.m.Graph.AddInput("x", tensor.Float32, shape)
	if err != nil {
		t.Fatal(err)
	}
	quant := func(name string, v *onnx.Value, bits float32, signed int64) *onnx.Value {
		s, _ := v.Shape()
		in := []*onnx.Value{v}
		for i, f := range []float32{0.5, 0, bits} {
			in = append(in, g.constant(name+[]string{".scale", ".zero", ".bits"}[i], tensor.Scalar(f)))
		}
		return g.op("Quant", qdq.QuantDomain, name, tensor.Float32, s, in,
			onnx.IntAttr("signed", signed), onnx.IntAttr("narrow", 0), onnx.StringAttr("rounding_mode", "ROUND"))
	}
	w := quant("w", g.constant("w.float", tensor.From(tensor.Shape{2, 2, 1, 1}, []float32{1, 2, -1, 0})), 4, 1)
	c := g.op("Conv", "", "c", tensor.Float32, shape, []*onnx.Value{quant("q", x, 8, 0), w})
	r := g.op("Relu", "", "r", tensor.Float32, shape, []*onnx.Value{c})
	if err := g.m.Graph.AddOutput(quant("y", r, 4, 0)); err != nil {
		t.Fatal(err)
	}
	describe(t, g.m, "q", "y")
	return g.m
}

// encoded is a float Conv whose operands have encodings.
func encoded(t *testing.T) *onnx.Model {
	t.Helper()
	g := graph{t, onnx.New(17)}
	shape := tensor.Shape{1, 2, 4, 4}
	x, err := g.m.Graph.AddInput("x", tensor.Float32, shape)
	if err != nil {
		t.Fatal(err)
	}
	w := g.constant("w", tensor.From(tensor.Shape{2, 2, 1, 1}, []float32{1, 2, -1, 0}))
	if err := g.m.Graph.AddOutput(g.op("Conv", "", "c", tensor.Float32, shape, []*onnx.Value{x, w})); err != nil {
		t.Fatal(err)
	}
	encodings := metadata.NewEncodings()
	encodings.Activations = append(encodings.Activations, metadata.Encoding{Name: "x", Bits: 8, Scale: []float32{1}, Offset: []int{0}})
	encodings.Params = append(encodings.Params, metadata.Encoding{Name: "w", Bits: 4, Scale: []float32{1, 1}, Offset: []int{-8, -8}})
	text, err := encodings.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	g.m.SetMetadata(metadata.EncodingsKey, string(text))
	describe(t, g.m, "x", "c")
	return g.m
}

// input is an input of a node.
func input(m *onnx.Model, node string, i int) *onnx.Value { return m.Graph.Node(node).Input(i) }

// set puts a constant in the place of another.
func set(t *testing.T, v *onnx.Value, x *tensor.Tensor) {
	t.Helper()
	if err := v.SetConst(x); err != nil {
		t.Fatal(err)
	}
}

// found are the findings of one check.
func found(t *testing.T, m *onnx.Model, check Checker) []string {
	t.Helper()
	findings, err := Check(m, Conventions{Rules: []Rule{{Name: "rule", Check: check}}, Bare: true})
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for _, f := range findings {
		lines = append(lines, f.String())
	}
	return lines
}

// TestCheckers: a check has nothing to say of a document that keeps its convention, and names the node of one that does
// not.
func TestCheckers(t *testing.T) {
	uint8s := Container(tensor.Uint8)
	for _, tt := range []struct {
		name   string
		check  Checker
		of     func(t *testing.T) *onnx.Model
		damage func(m *onnx.Model)
		want   string
	}{
		{"opset", Opset(21), document, func(m *onnx.Model) { m.SetOpset("", 22) }, "opset 22 is outside 13..21"},
		{"negative scale", Scales, document, func(m *onnx.Model) { set(t, input(m, "/q.codes", 1), tensor.Scalar(float32(-1))) }, `"/q.codes": scale -1`},
		{"no zero point", Scales, document, func(m *onnx.Model) { m.Graph.Node("/q").SetInput(2, nil) }, `"/q": its zero point`},
		{"no axis", Scales, document, func(m *onnx.Model) { m.Graph.Node("/w").RemoveAttr("axis") }, `"/w": a scale per channel`},
		{"shapes", Scales, document, func(m *onnx.Model) { set(t, input(m, "/w", 2), tensor.Scalar(int8(0))) }, `"/w": scale and zero point have shapes`},
		{"container", uint8s, document, func(m *onnx.Model) { set(t, input(m, "/q.codes", 2), tensor.Scalar(int8(0))) }, `"/q.codes": its codes are int8`},
		{"zero", Zero, document, func(m *onnx.Model) { set(t, input(m, "/w", 2), tensor.From(tensor.Shape{2}, []int8{0, 1})) }, `"/w": its zero point is not 0`},
		{"pair", Pairs, document, func(m *onnx.Model) { m.Graph.Node("/y.codes").SetInput(0, m.Graph.Value("q")) }, `"/y.codes": it follows`},
		{"operator", IntegerOperators, document, func(m *onnx.Model) {
			graph{t, m}.op("ConvInteger", "", "i", tensor.Int32, nil, []*onnx.Value{m.Graph.Value("q.codes")})
		}, `"/i": the runtime does not read ConvInteger`},
		{"static", Static, document, func(m *onnx.Model) { m.Graph.Inputs()[0].SetType(tensor.Float32, tensor.Shape{-1, 2, 4, 4}) }, `of "x" has free dimensions`},
		{"layer", Layers, document, func(m *onnx.Model) { m.Graph.Node("/c").SetInput(2, m.Graph.Value("b.scale")) }, `"/c": input 2`},
		{"operand", Operands, document, func(m *onnx.Model) { m.Graph.Node("/c").SetInput(0, m.Graph.Inputs()[0]) }, `"/c": input 0`},
		{"layer gone", Operands, document, func(m *onnx.Model) {
			text, _ := m.Metadata(metadata.PolicyKey)
			m.SetMetadata(metadata.PolicyKey, strings.Replace(text, `"/c"`, `"/gone"`, 1))
		}, `"/gone": the layer is not in the document`},
		{"fusion", Fusion, document, func(m *onnx.Model) { _ = m.Graph.AddOutput(m.Graph.Value("c")) }, `"/c": its output does not go`},
		{"bias", Bias, document, func(m *onnx.Model) { set(t, input(m, "/b", 1), tensor.From(tensor.Shape{2}, []float32{0.125, 0.5})) }, `"/c": bias scale 0.5 of channel 1`},
		{"activation levels", Levels, document, func(m *onnx.Model) { set(t, input(m, "/y.clipped", 2), tensor.Scalar(uint8(16))) }, `"/y.clipped": codes of tensor "c" lie in 0..16`},
		{"weight levels", Levels, document, func(m *onnx.Model) {
			set(t, input(m, "/w", 0), tensor.From(tensor.Shape{2, 2, 1, 1}, []int8{-8, 8, 1, 2}))
		}, `"/c": weight code 8`},
		{"saturation", Saturation(quantize.PairedFlat), document, func(m *onnx.Model) {
			set(t, input(m, "/w", 0), tensor.From(tensor.Shape{2, 2, 1, 1}, []int8{127, 127, 1, 2}))
		}, `"/c": codes up to 255 times two weights may reach 64770`},
		{"float bias", FloatBias, clipped, func(m *onnx.Model) { m.Graph.Node("/c").SetInput(2, m.Graph.Value("w")) }, `"/c": its bias`},
		{"float levels", FloatLevels, clipped, func(m *onnx.Model) { set(t, input(m, "/k", 2), tensor.Scalar(float32(8))) }, `"/y.codes": codes of tensor "c" lie in 0..16`},
		{"integer clip", IntegerClip, clipped, func(m *onnx.Model) { m.Graph.Node("/k").SetInput(0, m.Graph.Value("q.codes")) }, `"/k": it clips codes`},
		{"residual", Residual, clipped, func(m *onnx.Model) {
			m.Graph.Node("/sum").SetInput(0, graph{t, m}.quantizer("z", m.Graph.Value("d"), false))
		}, `"/sum": both operands are quantized`},
		{"quantizers beside Quant", Quant, quants, func(m *onnx.Model) { graph{t, m}.quantizer("z", m.Graph.Value("c"), false) }, `"/z.codes": QuantizeLinear in a file`},
		{"attribute", Quant, quants, func(m *onnx.Model) { m.Graph.Node("/y").RemoveAttr("signed") }, `"/y": signed, narrow`},
		{"bits", Quant, quants, func(m *onnx.Model) { set(t, input(m, "/y", 3), tensor.Scalar(float32(9))) }, `"/y": 9 bits are not 2 to 8`},
		{"zero of Quant", Quant, quants, func(m *onnx.Model) { set(t, input(m, "/y", 2), tensor.Scalar(float32(1))) }, `"/y": its zero point is not 0`},
		{"scale of Quant", Quant, quants, func(m *onnx.Model) { set(t, input(m, "/y", 1), tensor.Scalar(float32(0))) }, `"/y": a scale is not positive`},
		{"width of a tensor", QuantWidths, quants, func(m *onnx.Model) { set(t, input(m, "/y", 3), tensor.Scalar(float32(5))) }, `tensor "c" is not quantized to 4 bits`},
		{"width of weights", QuantWidths, quants, func(m *onnx.Model) { set(t, input(m, "/w", 3), tensor.Scalar(float32(5))) }, `"/c": its weights`},
		{"shared weights", QuantWeights, quants, func(m *onnx.Model) { m.Graph.Node("/r").SetInput(0, m.Graph.Value("w")) }, `"/c": 2 nodes share`},
		{"predecessor", Predecessors, quants, func(m *onnx.Model) { m.Graph.Node("/y").SetInput(0, m.Graph.Value("c")) }, `"/y": FINN has no handler for a Quant that follows Conv`},
		{"quantizers", NoQuantizers, encoded, func(m *onnx.Model) { graph{t, m}.quantizer("z", m.Graph.Value("c"), false) }, `"/z.codes": QuantizeLinear`},
		{"no encodings", Encodings, encoded, func(m *onnx.Model) { m.SetMetadata(metadata.EncodingsKey, "") }, "read encodings"},
		{"encoding of nothing", Encodings, encoded, func(m *onnx.Model) { encode(m, `"name":"w"`, `"name":"gone"`) }, `encoding of "gone" fits no weights`},
		{"operand without", Encodings, encoded, func(m *onnx.Model) { encode(m, `"name":"x"`, `"name":"c"`) }, `"/c": input 0 has no encoding`},
		{"width of an encoding", EncodingWidths, encoded, func(m *onnx.Model) { encode(m, `"bw":4`, `"bw":3`) }, `"w" has 3 bits`},
	} {
		t.Run(tt.name, func(t *testing.T) {
			m := tt.of(t)
			if lines := found(t, m, tt.check); len(lines) > 0 {
				t.Fatalf("before the damage: %v", lines)
			}
			tt.damage(m)
			if lines := found(t, m, tt.check); !slices.ContainsFunc(lines, func(s string) bool { return strings.Contains(s, tt.want) }) {
				t.Errorf("findings %v, want one with %q", lines, tt.want)
			}
		})
	}
}

// encode changes the text of the encodings.
func encode(m *onnx.Model, from, to string) {
	text, _ := m.Metadata(metadata.EncodingsKey)
	m.SetMetadata(metadata.EncodingsKey, strings.Replace(text, from, to, 1))
}
