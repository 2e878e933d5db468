package sample

import (
	"bytes"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/models"
	"github.com/mpqc/mpqc/onnx"
)

// Example is the embedded network.
func Example(t *testing.T) *onnx.Model {
	t.Helper()
	data, _, err := models.Example()
	if err != nil {
		t.Fatal(err)
	}
	m, err := onnx.Parse(data, "")
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Change edits a constant of elements of type T.
func Change[T int8 | int32 | float32](t *testing.T, v *onnx.Value, edit func(x []T)) {
	t.Helper()
	x, err := tensor.Values[T](v.Const())
	if err != nil {
		t.Fatal(err)
	}
	x = slices.Clone(x)
	edit(x)
	if err := v.SetConst(tensor.From(v.Const().Shape, x)); err != nil {
		t.Fatal(err)
	}
}

// ModelFile writes the embedded network, changed, to a file and returns its name.
func ModelFile(t *testing.T, name string, change func(m *onnx.Model)) string {
	t.Helper()
	m := Example(t)
	if change != nil {
		change(m)
	}
	if err := m.Save(name); err != nil {
		t.Fatal(err)
	}
	return name
}

// LoadModel reads a model file.
func LoadModel(t *testing.T, path string) *onnx.Model {
	t.Helper()
	m, err := onnx.Load(path)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// Insert puts a node "odd" in front of another one.
func Insert(t *testing.T, m *onnx.Model, at *onnx.Node, op, domain string) {
	t.Helper()
	if domain != "" {
		m.SetOpset(domain, 1)
	}
	x := at.Inputs()[0]
	n, err := m.Graph.AddNode(onnx.NodeSpec{Name: "odd", Op: op, Domain: domain, Inputs: []*onnx.Value{x}, Outputs: []string{"odd_out"}}, at)
	if err != nil {
		t.Fatal(err)
	}
	at.SetInput(0, n.Outputs()[0])
}

// Follow puts nodes behind the first output of a model, one after the other; the last one's output takes its place.
func Follow(t *testing.T, m *onnx.Model, dtype tensor.DType, specs ...onnx.NodeSpec) {
	t.Helper()
	old := m.Graph.Outputs()[0]
	x := old
	for _, s := range specs {
		if s.Domain != "" {
			m.SetOpset(s.Domain, 1)
		}
		s.Inputs = append([]*onnx.Value{x}, s.Inputs...)
		n, err := m.Graph.AddNode(s, nil)
		if err != nil {
			t.Fatal(err)
		}
		x = n.Output(0)
	}
	x.SetType(dtype, nil)
	whole, err := m.Extract([]string{m.Graph.Inputs()[0].Name()}, []string{x.Name()})
	if err != nil {
		t.Fatal(err)
	}
	*m = *whole
}

// Headed writes the embedded example with a regression of so many values on its features, of a given magnitude, beside
// its class scores or in their place.
func Headed(t *testing.T, path string, values int, magnitude float64, scores bool) {
	t.Helper()
	ModelFile(t, path, func(m *onnx.Model) { addHead(t, m, values, magnitude, scores) })
}

// addHead is what Headed does to a network.
func addHead(t *testing.T, m *onnx.Model, values int, magnitude float64, scores bool) {
	t.Helper()
	last := m.Graph.Outputs()[0]
	head := last.Producer()
	if head.Op() != "Gemm" {
		t.Fatalf("the example ends in %s", head.Op())
	}
	features := head.Inputs()[1].Const().Shape[1]
	rng := rand.New(rand.NewPCG(1, 1))
	b := make([]float32, values)
	weights := make([]float32, values*features)
	for i := range weights {
		weights[i] = float32(magnitude * rng.NormFloat64())
	}
	for i := range b {
		b[i] = float32(magnitude * 10 * float64(i+1)) // not around 0
	}
	weight, err := m.Graph.AddInitializer("value.weight", tensor.From(tensor.Shape{values, features}, weights))
	if err != nil {
		t.Fatal(err)
	}
	bias, err := m.Graph.AddInitializer("value.bias", tensor.From(tensor.Shape{values}, b))
	if err != nil {
		t.Fatal(err)
	}
	n, err := m.Graph.AddNode(onnx.NodeSpec{
		Name: "/value/Gemm", Op: "Gemm", Inputs: []*onnx.Value{head.Inputs()[0], weight, bias}, Outputs: []string{"value"},
		Attrs: []onnx.Attr{onnx.IntAttr("transB", 1)},
	}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if scores {
		err = m.Graph.AddOutput(n.Output(0))
	} else if err = m.Graph.ReplaceOutput(last, n.Output(0)); err == nil {
		m.Graph.Prune()
	}
	if err != nil {
		t.Fatal(err)
	}
}

// Detector writes a network that ends in what picks boxes.
func Detector(t *testing.T, path string) {
	t.Helper()
	m := onnx.New(17)
	g := m.Graph
	x, err := g.AddInput("samples", tensor.Float32, tensor.Shape{1, 3, 16, 16})
	if err != nil {
		t.Fatal(err)
	}
	constant := func(name string, c *tensor.Tensor) *onnx.Value {
		v, err := g.AddInitializer(name, c)
		if err != nil {
			t.Fatal(err)
		}
		return v
	}
	node := func(name, op string, in []*onnx.Value, attrs ...onnx.Attr) *onnx.Value {
		n, err := g.AddNode(onnx.NodeSpec{Name: name, Op: op, Inputs: in, Outputs: []string{name + ":0"}, Attrs: attrs}, nil)
		if err != nil {
			t.Fatal(err)
		}
		return n.Output(0)
	}
	seed := uint32(1)
	conv := func(name string, x *onnx.Value, from, to, stride int) *onnx.Value {
		w := make([]float32, to*from*9)
		for i := range w {
			seed = seed*1664525 + 1013904223
			w[i] = float32(int32(seed)) / (1 << 32)
		}
		return node(name, "Conv", []*onnx.Value{x, constant(name+".w", tensor.From(tensor.Shape{to, from, 3, 3}, w))},
			onnx.IntsAttr("pads", []int64{1, 1, 1, 1}), onnx.IntsAttr("strides", []int64{int64(stride), int64(stride)}))
	}
	y := node("relu1", "Relu", []*onnx.Value{conv("conv1", x, 3, 8, 2)})
	y = node("relu2", "Relu", []*onnx.Value{conv("conv2", y, 8, 8, 1)})
	y = conv("head", y, 8, 6, 1)
	y = node("rows", "Reshape", []*onnx.Value{y, constant("rows.to", tensor.From(tensor.Shape{3}, []int64{1, 6, 64}))})
	ints := func(name string, v ...int64) *onnx.Value { return constant(name, tensor.From(tensor.Shape{len(v)}, v)) }
	part := func(name string, from, to int64) *onnx.Value {
		return node(name, "Slice", []*onnx.Value{y, ints(name+".from", from), ints(name+".to", to), ints(name+".axes", 1)})
	}
	boxes := node("boxes", "Transpose", []*onnx.Value{part("corners", 0, 4)}, onnx.IntsAttr("perm", []int64{0, 2, 1}))
	scores := node("scores", "Sigmoid", []*onnx.Value{part("classes", 4, 6)})
	picked := node("nms", "NonMaxSuppression", []*onnx.Value{boxes, scores, ints("most", 5)})
	picked.SetType(tensor.Int64, tensor.Shape{-1, 3})
	if err := g.AddOutput(picked); err != nil {
		t.Fatal(err)
	}
	if err := m.Save(path); err != nil {
		t.Fatal(err)
	}
}

// ExternalModel is a MatMul in protobuf's wire format whose weights stand in weights.bin.
func ExternalModel() []byte {
	field := func(num byte, parts ...[]byte) []byte {
		body := bytes.Join(parts, nil)
		return append([]byte{num<<3 | 2, byte(len(body))}, body...)
	}
	value := func(name string, dims ...byte) []byte {
		var shape []byte
		for _, d := range dims {
			shape = append(shape, field(1, []byte{1 << 3, d})...)
		}
		return append(field(1, []byte(name)), field(2, field(1, []byte{1 << 3, 1}, field(2, shape)))...)
	}
	entry := append(field(1, []byte("location")), field(2, []byte("weights.bin"))...)
	weights := bytes.Join([][]byte{{1 << 3, 4, 1 << 3, 4, 2 << 3, 1}, field(8, []byte("w")), field(13, entry), {14 << 3, 1}}, nil)
	node := bytes.Join([][]byte{field(1, []byte("x")), field(1, []byte("w")), field(2, []byte("y")), field(4, []byte("MatMul"))}, nil)
	graph := bytes.Join([][]byte{field(1, node), field(2, []byte("g")), field(5, weights), field(11, value("x", 1, 4)), field(12, value("y", 1, 4))}, nil)
	return bytes.Join([][]byte{{1 << 3, 8}, field(7, graph), field(8, []byte{2 << 3, 17})}, nil)
}
