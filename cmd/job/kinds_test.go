package job

import (
	"bytes"
	"math"
	"slices"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/cmd/exit"
	"github.com/mpqc/mpqc/internal/ort"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit/program"
	"github.com/mpqc/mpqc/internal/testkit/sample"
	"github.com/mpqc/mpqc/onnx"
)

// kind is a network that a user may bring: what stands between the layers of a small one, and its outputs.
type kind struct {
	name    string
	opset   int64 // 0: a current one
	batch   int
	middle  func(k *kindGraph, v *onnx.Value) *onnx.Value
	outputs func(k *kindGraph, y *onnx.Value) []*onnx.Value // nil: what the last layer gives
	refused bool                                            // by doctor and compress alike
}

// kindGraph builds nodes of a kind.
type kindGraph struct {
	t *testing.T
	g *onnx.Graph
}

func (k *kindGraph) constant(name string, c *tensor.Tensor) *onnx.Value {
	k.t.Helper()
	v, err := k.g.AddInitializer(name, c)
	if err != nil {
		k.t.Fatal(err)
	}
	return v
}

func (k *kindGraph) floats(name string, shape tensor.Shape, f func(i int) float32) *onnx.Value {
	k.t.Helper()
	x := make([]float32, shape.Numel())
	for i := range x {
		x[i] = f(i)
	}
	return k.constant(name, tensor.From(shape, x))
}

func (k *kindGraph) ints(name string, v ...int64) *onnx.Value {
	k.t.Helper()
	return k.constant(name, tensor.From(tensor.Shape{len(v)}, v))
}

func (k *kindGraph) node(name, op string, in []*onnx.Value, attrs ...onnx.Attr) *onnx.Value {
	k.t.Helper()
	return sample.NodeWith(k.t, k.g, name, op, attrs, in...)
}

func (k *kindGraph) softmax(op string, v *onnx.Value, attrs ...onnx.Attr) *onnx.Value {
	k.t.Helper()
	return k.node("squash", op, []*onnx.Value{v}, attrs...)
}

// none is a tensor without elements.
func (k *kindGraph) none(shape ...int) *onnx.Value {
	k.t.Helper()
	return k.floats("none", shape, nil)
}

func axis(a int64) onnx.Attr { return onnx.IntAttr("axis", a) }

func kinds() []kind {
	one := func(v *onnx.Value) []*onnx.Value { return []*onnx.Value{v} }
	return []kind{
		{name: "Softmax of opset 9, all of a sample", opset: 9, batch: -1, middle: func(k *kindGraph, v *onnx.Value) *onnx.Value { return k.softmax("LogSoftmax", v) }},
		{name: "Softmax of opset 11, planes", opset: 11, batch: -1, middle: func(k *kindGraph, v *onnx.Value) *onnx.Value { return k.softmax("Softmax", v, axis(-2)) }},
		{name: "Softmax of opset 12, last axis, one sample", opset: 12, batch: 1, middle: func(k *kindGraph, v *onnx.Value) *onnx.Value { return k.softmax("Softmax", v, axis(3)) }},
		{name: "LogSoftmax of opset 8 at the end", opset: 8, batch: -1, outputs: func(k *kindGraph, y *onnx.Value) []*onnx.Value { return one(k.softmax("LogSoftmax", y)) }},
		{name: "Softmax over all samples", opset: 11, batch: -1, refused: true, middle: func(k *kindGraph, v *onnx.Value) *onnx.Value { return k.softmax("Softmax", v, axis(0)) }},
		{name: "a dead channel", batch: -1, middle: func(k *kindGraph, v *onnx.Value) *onnx.Value {
			sample.Change(k.t, k.g.Value("w1"), func(x []float32) {
				for i := range 27 { // a channel's
					x[54+i] *= 3e-39
				}
			})
			return v
		}},
		{name: "a dead output", batch: -1, middle: func(k *kindGraph, v *onnx.Value) *onnx.Value {
			return k.node("dead", "Conv", []*onnx.Value{v, k.floats("w", tensor.Shape{4, 4, 1, 1}, func(i int) float32 { return []float32{1e-40, 1, -1, 1e-31}[i/4] * float32(i%3-1) })})
		}},
		{name: "a dead layer beside another", batch: -1, middle: func(k *kindGraph, v *onnx.Value) *onnx.Value {
			dead := k.node("dead", "Conv", []*onnx.Value{v, k.floats("w", tensor.Shape{4, 4, 1, 1}, func(int) float32 { return -1e-40 }), k.floats("b", tensor.Shape{4}, func(i int) float32 { return float32(i) / 4 })})
			return k.node("both", "Add", []*onnx.Value{v, dead})
		}},
		{name: "a dead channel with a norm", batch: -1, middle: func(k *kindGraph, v *onnx.Value) *onnx.Value {
			v = k.node("dead", "Conv", []*onnx.Value{v, k.floats("w", tensor.Shape{4, 4, 1, 1}, func(i int) float32 { return []float32{1e-40, 1, -1, 1}[i/4] * float32(i%3-1) })})
			four := func(name string, f float32) *onnx.Value {
				return k.floats(name, tensor.Shape{4}, func(int) float32 { return f })
			}
			return k.node("norm", "BatchNormalization", []*onnx.Value{v, four("gamma", 2), four("beta", 0.5), four("mean", 0.25), four("var", 1)})
		}},
		{name: "a dead class", batch: -1, outputs: func(k *kindGraph, y *onnx.Value) []*onnx.Value {
			sample.Change(k.t, k.g.Value("w3"), func(x []float32) {
				for i := 2; i < len(x); i += 5 {
					x[i] = 1e-40
				}
			})
			return one(y)
		}},
		{name: "Concat with nothing", batch: 1, middle: func(k *kindGraph, v *onnx.Value) *onnx.Value {
			return k.node("cat", "Concat", []*onnx.Value{k.none(1, 0, 6, 6), v}, axis(1))
		}},
		{name: "Concat with a slice of nothing", batch: -1, middle: func(k *kindGraph, v *onnx.Value) *onnx.Value {
			cut := k.node("cut", "Slice", []*onnx.Value{v, k.ints("from", 2), k.ints("to", 2), k.ints("of", 1)})
			return k.node("cat", "Concat", []*onnx.Value{v, k.node("bent", "Relu", one(cut))}, axis(-3))
		}},
		{name: "Resize with an empty region", batch: -1, middle: func(k *kindGraph, v *onnx.Value) *onnx.Value {
			return k.node("grow", "Resize", []*onnx.Value{v, k.none(0), k.floats("by", tensor.Shape{4}, func(i int) float32 { return float32(1 + i/2) })})
		}},
		{name: "constants in front of the result", batch: -1, outputs: func(k *kindGraph, y *onnx.Value) []*onnx.Value {
			scalar := k.node("scalar", "Constant", nil, onnx.TensorAttr("value", tensor.Scalar(float32(2.5))))
			scalar.SetType(tensor.Float32, tensor.Shape{})
			return []*onnx.Value{k.g.Value("w1"), scalar, y, k.constant("truth", tensor.From(tensor.Shape{2}, []int64{4, -4}))}
		}},
		{name: "a constant that a layer reads, too", batch: 1, middle: func(k *kindGraph, v *onnx.Value) *onnx.Value {
			factor := k.node("factor", "Constant", nil, onnx.TensorAttr("value", tensor.From(tensor.Shape{1, 4, 1, 1}, []float32{1, -2, 0.5, 3})))
			return k.node("scaled", "Mul", []*onnx.Value{v, factor})
		}, outputs: func(k *kindGraph, y *onnx.Value) []*onnx.Value {
			return []*onnx.Value{y, k.g.Value("factor.out"), k.g.Value("w3")}
		}},
		{name: "the input, and what is made of it alone", batch: -1, outputs: func(k *kindGraph, y *onnx.Value) []*onnx.Value {
			return []*onnx.Value{k.node("size", "Shape", one(k.g.Value("x"))), y, k.g.Value("x")}
		}},
	}
}

// TestKinds takes networks of kinds that were refused, or wrongly computed, through import, doctor and compress: these
// agree on which can be done, and the file's outputs are those of the float model, in name, order and value.
func TestKinds(t *testing.T) {
	if testing.Short() {
		t.Skip("a whole run of every kind")
	}
	for _, c := range kinds() {
		t.Run(c.name, func(t *testing.T) {
			t.Chdir(t.TempDir())
			m := c.model(t)
			if err := m.Save("net.onnx"); err != nil {
				t.Fatal(err)
			}
			sample.Noise(t, "data.npz", "x", 48, tensor.Shape{3, 8, 8})
			flags := []string{"net.onnx", "--data", "data.npz", "--no-labels", "--preset", "raw", "--bits", "8"}
			want := exit.Done
			if c.refused {
				want = exit.Failed
			}
			code, stdout, stderr := program.Call(t, append([]string{"doctor"}, flags...)...)
			program.NeedRuntime(t, code, stderr)
			if code != want {
				t.Errorf("doctor: exit code %d: %s%s", code, stdout, stderr)
			}
			args := slices.Concat([]string{"compress"}, flags, []string{"--target", "8.0bit", "--epochs", "0", "--profile", "ort,qonnx"})
			if c.refused {
				if code, _, stderr = program.Call(t, args...); code != want {
					t.Errorf("compress: exit code %d: %s", code, stderr)
				}
				return
			}
			r := compared(t, args)
			if file := r.Results[0].Files[0]; file.TailUnrun != "" {
				t.Errorf("the tail was not run: %s", file.TailUnrun)
			}
			near(t, m, sample.LoadModel(t, r.Results[0].Files[0].Path))
		})
	}
}

// model is the network of a kind, without any shape but those of its interface.
func (c kind) model(t *testing.T) *onnx.Model {
	t.Helper()
	var k *kindGraph
	m := sample.Network(t, tensor.Shape{c.batch, 3, 8, 8}, tensor.Float32, func(g *onnx.Graph, v *onnx.Value) *onnx.Value {
		k = &kindGraph{t, g}
		if c.middle == nil {
			return v
		}
		return c.middle(k, v)
	})
	if c.opset > 0 {
		m.SetOpset("", c.opset)
		m.Graph.Node("last").SetInput(2, k.floats("b3", tensor.Shape{5}, func(i int) float32 { return float32(i) / 8 })) // which it had to have once
	}
	y := m.Graph.Outputs()[0]
	y.SetType(tensor.Float32, tensor.Shape{c.batch, 5})
	if c.outputs == nil {
		return m
	}
	list := c.outputs(k, y)
	for _, v := range list {
		if v.DType() == tensor.Undefined {
			dtype := tensor.Float32
			if v.Producer().Op() == "Shape" {
				dtype = tensor.Int64
			}
			v.SetType(dtype, nil)
		}
	}
	whole, err := m.Extract([]string{"x"}, onnx.Names(list))
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

// least is how near they must be, in decibels; a function that is not the same has few.
const least = 20

// near holds the outputs of an exported file against those of the float model.
func near(t *testing.T, float, file *onnx.Model) {
	t.Helper()
	if a, b := onnx.Names(float.Graph.Outputs()), onnx.Names(file.Graph.Outputs()); !slices.Equal(a, b) {
		t.Fatalf("outputs %v, want %v", b, a)
	}
	x := make([]float32, 3*8*8)
	var signal, noise float64
	for sample := range 16 {
		for i := range x {
			x[i] = float32(math.Sin(float64(1+sample+3*i) * float64(2+i%7)))
		}
		in := map[string]*tensor.Tensor{"x": tensor.From(tensor.Shape{1, 3, 8, 8}, x)}
		want, got := outputsOf(t, float, in), outputsOf(t, file, in)
		for _, v := range float.Graph.Outputs() {
			a, b := want[v.Name()], got[v.Name()]
			if s, known := v.Shape(); known && len(s) == 0 {
				a, b = v.Producer().Tensor("value"), file.Graph.Value(v.Name()).Producer().Tensor("value")
			}
			if a.DType != b.DType || !a.Shape.Equal(b.Shape) {
				t.Fatalf("%s is %s %s, want %s %s", v.Name(), b.DType, b.Shape, a.DType, a.Shape)
			}
			if v.Producer() == nil || v.Producer().Op() == "Shape" || v.Producer().Op() == "Constant" {
				if !bytes.Equal(a.Raw, b.Raw) {
					t.Errorf("%s is not what the float model has", v.Name())
				}
				continue
			}
			p, err := tensor.Floats(a)
			q, err2 := tensor.Floats(b)
			if err != nil || err2 != nil {
				t.Fatal(err, err2)
			}
			for i := range p {
				signal += float64(p[i]) * float64(p[i])
				noise += float64(p[i]-q[i]) * float64(p[i]-q[i])
			}
		}
	}
	if db := 10 * math.Log10(signal/noise); !(db >= least) {
		t.Errorf("%.1f dB, want %d", db, least)
	}
}

// outputsOf runs a model; scalars, which cannot be read back, are left out.
func outputsOf(t *testing.T, m *onnx.Model, in map[string]*tensor.Tensor) map[string]*tensor.Tensor {
	t.Helper()
	data, err := m.Marshal()
	if err != nil {
		t.Fatal(err)
	}
	o := ort.Options{Optimize: true, Threads: 1}
	for _, v := range m.Graph.Outputs() {
		if s, known := v.Shape(); !known || len(s) > 0 {
			o.Outputs = append(o.Outputs, v.Name())
		}
	}
	s, err := ort.Open(data, o)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	out, err := s.Run(t.Context(), in)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestChangedConstant: an output that is a constant is no less of the file than what layers give.
func TestChangedConstant(t *testing.T) {
	t.Chdir(t.TempDir())
	c := kind{batch: -1, outputs: func(k *kindGraph, y *onnx.Value) []*onnx.Value { return []*onnx.Value{y, k.g.Value("w3")} }}
	if err := c.model(t).Save("net.onnx"); err != nil {
		t.Fatal(err)
	}
	sample.Noise(t, "data.npz", "x", 48, tensor.Shape{3, 8, 8})
	r := compared(t, []string{"compress", "net.onnx", "--data", "data.npz", "--no-labels", "--preset", "raw", "--bits", "8", "--target", "8.0bit", "--epochs", "0"})
	path := r.Results[0].Files[0].Path
	damage(t, path, func(m *onnx.Model) { sample.Change(t, m.Graph.Value("w3"), func(x []float32) { x[7]++ }) })
	if code, _, stderr := program.Call(t, "verify", path); code != exit.Mismatch || !strings.Contains(stderr, `output "w3"`) {
		t.Errorf("exit code %d: %s", code, stderr)
	}
}
