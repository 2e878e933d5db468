package shape_test

import (
	"path/filepath"
	"strings"
	"testing"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/internal/testkit"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/shape"
)

type dims = tensor.Shape

// arg is an input of the node under test: a graph input of a shape, or a constant.
type arg struct {
	shape dims
	dtype tensor.DType // float32 unless given
	ints  []int64      // constant of int64 with this shape
	none  bool         // omitted
}

func x(d ...int) arg                  { return arg{shape: d} }
func ints(v ...int64) arg             { return arg{shape: dims{len(v)}, ints: v} }
func typed(a arg, d tensor.DType) arg { a.dtype = d; return a }

type inferCase struct {
	name  string
	op    string
	in    []arg
	attrs []onnx.Attr
	want  []dims       // of each output; nil = unknown
	dtype tensor.DType // of the first output; float32 unless given
	err   string
}

func attrs(a ...onnx.Attr) []onnx.Attr { return a }
func outs(s ...dims) []dims            { return s }
func one(d ...int) []dims              { return []dims{append(dims{}, d...)} }

func cases() []inferCase {
	i, is, str := onnx.IntAttr, onnx.IntsAttr, onnx.StringAttr
	return []inferCase{
		{name: "relu", op: "Relu", in: []arg{x(-1, 3, 4)}, want: one(-1, 3, 4)},
		{name: "softmax scalar", op: "Softmax", in: []arg{x()}, want: one()},
		{name: "dropout mask", op: "Dropout", in: []arg{x(-1, 8)}, want: outs(dims{-1, 8}, dims{-1, 8})},
		{name: "cast", op: "Cast", in: []arg{x(2)}, attrs: attrs(i("to", 6)), want: one(2), dtype: tensor.Int32},
		{name: "add broadcast", op: "Add", in: []arg{x(-1, 3, 4, 4), x(3, 1, 1)}, want: one(-1, 3, 4, 4)},
		{name: "mul both ways", op: "Mul", in: []arg{x(5, 1), x(1, 7)}, want: one(5, 7)},
		{name: "sub mismatch", op: "Sub", in: []arg{x(2, 3), x(2, 4)}, err: "3 against 4"},
		{name: "equal is bool", op: "Equal", in: []arg{x(2), x(1)}, want: one(2), dtype: tensor.Bool},
		{name: "where", op: "Where", in: []arg{typed(x(4, 1), tensor.Bool), x(3), x()}, want: one(4, 3)},
		{
			name: "conv", op: "Conv", in: []arg{x(-1, 3, 32, 32), x(16, 3, 3, 3)},
			attrs: attrs(is("pads", []int64{1, 1, 1, 1}), is("strides", []int64{2, 2})), want: one(-1, 16, 16, 16),
		},
		{
			name: "conv depthwise dilated", op: "Conv", in: []arg{x(-1, 8, 10, 9), x(8, 1, 3, 3)},
			attrs: attrs(i("group", 8), is("dilations", []int64{2, 1})), want: one(-1, 8, 6, 7),
		},
		{
			name: "conv same", op: "Conv", in: []arg{x(1, 3, 7, 7), x(4, 3, 3, 3)},
			attrs: attrs(str("auto_pad", "SAME_UPPER"), is("strides", []int64{2, 2})), want: one(1, 4, 4, 4),
		},
		{name: "conv 1d", op: "Conv", in: []arg{x(1, 3, 7), x(4, 3, 3)}, want: one(1, 4, 5)},
		{name: "conv channels", op: "Conv", in: []arg{x(1, 4, 7, 7), x(4, 3, 3, 3)}, err: "4 channels"},
		{name: "conv too small", op: "Conv", in: []arg{x(1, 3, 2, 2), x(4, 3, 3, 3)}, err: "does not fit"},
		{
			name: "conv stride 0", op: "Conv", in: []arg{x(1, 3, 9, 9), x(4, 3, 3, 3)},
			attrs: attrs(is("strides", []int64{0, 1})), err: "must be positive",
		},
		{name: "maxpool", op: "MaxPool", in: []arg{x(-1, 8, 32, 32)}, attrs: attrs(is("kernel_shape", []int64{3, 3}),
			is("strides", []int64{2, 2}), is("pads", []int64{1, 1, 1, 1})), want: outs(dims{-1, 8, 16, 16}, dims{-1, 8, 16, 16})},
		{name: "averagepool ceil", op: "AveragePool", in: []arg{x(-1, 8, 6, 6)}, attrs: attrs(is("kernel_shape", []int64{3, 3}),
			is("strides", []int64{2, 2}), i("ceil_mode", 1)), want: one(-1, 8, 3, 3)},
		{
			name: "averagepool ceil drops window in padding", op: "AveragePool", in: []arg{x(1, 1, 2, 2)},
			attrs: attrs(is("kernel_shape", []int64{1, 1}), is("strides", []int64{3, 3}), is("pads", []int64{1, 1, 1, 1}),
				i("ceil_mode", 1)), want: one(1, 1, 2, 2),
		},
		{name: "global pool", op: "GlobalAveragePool", in: []arg{x(-1, 64, 8, 8)}, want: one(-1, 64, 1, 1)},
		{name: "gemm", op: "Gemm", in: []arg{x(-1, 64), x(10, 64), x(10)}, attrs: attrs(i("transB", 1)), want: one(-1, 10)},
		{name: "gemm mismatch", op: "Gemm", in: []arg{x(-1, 64), x(10, 64)}, err: "64 against 10"},
		{name: "matmul batched", op: "MatMul", in: []arg{x(-1, 5, 4), x(4, 6)}, want: one(-1, 5, 6)},
		{name: "matmul vector", op: "MatMul", in: []arg{x(4), x(4)}, want: one()},
		{name: "batchnorm", op: "BatchNormalization", in: []arg{x(-1, 4, 2, 2), x(4), x(4), x(4), x(4)}, want: one(-1, 4, 2, 2)},
		{name: "batchnorm channels", op: "BatchNormalization", in: []arg{x(-1, 4, 2, 2), x(5), x(5), x(5), x(5)}, err: "4 channels"},
		{name: "reducemean attribute", op: "ReduceMean", in: []arg{x(-1, 4, 5, 6)}, attrs: attrs(is("axes", []int64{2, -1}),
			i("keepdims", 0)), want: one(-1, 4)},
		{name: "reducemean input", op: "ReduceMean", in: []arg{x(-1, 4, 5), ints(2)}, want: one(-1, 4, 1)},
		{name: "reducesum all", op: "ReduceSum", in: []arg{x(3, 4)}, attrs: attrs(i("keepdims", 0)), want: one()},
		{name: "reduce noop", op: "ReduceSum", in: []arg{x(3, 4)}, attrs: attrs(i("noop_with_empty_axes", 1)), want: one(3, 4)},
		{name: "reduce axis", op: "ReduceMax", in: []arg{x(3, 4)}, attrs: attrs(is("axes", []int64{2})), err: "axis 2"},
		{name: "argmax", op: "ArgMax", in: []arg{x(-1, 10)}, attrs: attrs(i("axis", 1)), want: one(-1, 1), dtype: tensor.Int64},
		{name: "flatten", op: "Flatten", in: []arg{x(-1, 64, 2, 2)}, want: one(-1, 256)},
		{name: "flatten 0", op: "Flatten", in: []arg{x(3, 4)}, attrs: attrs(i("axis", 0)), want: one(1, 12)},
		{name: "flatten unknown columns", op: "Flatten", in: []arg{x(2, 3, -1)}, want: one(2, -1)},
		{name: "reshape infers", op: "Reshape", in: []arg{x(2, 3, 4), ints(4, -1)}, want: one(4, 6)},
		{name: "reshape copies", op: "Reshape", in: []arg{x(-1, 3, 4), ints(0, -1)}, want: one(-1, 12)},
		{name: "reshape open batch", op: "Reshape", in: []arg{x(-1, 3, 4), ints(-1, 12)}, want: one(-1, 12)},
		{name: "reshape impossible", op: "Reshape", in: []arg{x(2, 3), ints(4, -1)}, err: "does not reshape"},
		{name: "reshape twice open", op: "Reshape", in: []arg{x(2, 3), ints(-1, -1)}, err: "two dimensions"},
		{name: "reshape to scalar", op: "Reshape", in: []arg{x(1), ints()}, want: one()},
		{name: "reshape allowzero", op: "Reshape", in: []arg{x(0, 3), ints(3, 0)}, attrs: attrs(i("allowzero", 1)), want: one(3, 0)},
		{name: "transpose", op: "Transpose", in: []arg{x(-1, 3, 4)}, attrs: attrs(is("perm", []int64{0, 2, 1})), want: one(-1, 4, 3)},
		{name: "transpose reverses", op: "Transpose", in: []arg{x(2, 3)}, want: one(3, 2)},
		{name: "transpose twice", op: "Transpose", in: []arg{x(2, 3)}, attrs: attrs(is("perm", []int64{1, 1})), err: "stands twice"},
		{name: "transpose from behind", op: "Transpose", in: []arg{x(2, 3)}, attrs: attrs(is("perm", []int64{-1, 0})), err: "axis -1 is negative"},
		{name: "concat", op: "Concat", in: []arg{x(-1, 3, 4), x(-1, 5, 4)}, attrs: attrs(i("axis", 1)), want: one(-1, 8, 4)},
		{name: "concat differs", op: "Concat", in: []arg{x(1, 3, 4), x(1, 3, 5)}, attrs: attrs(i("axis", 1)), err: "axis 2"},
		{
			name: "slice", op: "Slice", in: []arg{x(-1, 16, 8, 8), ints(0, 0), ints(1<<62, 1<<62), ints(2, 3), ints(2, 2)},
			want: one(-1, 16, 4, 4),
		},
		{name: "slice backwards", op: "Slice", in: []arg{x(10), ints(-1), ints(-1 << 62), ints(0), ints(-3)}, want: one(4)},
		{
			name: "slice attributes", op: "Slice", in: []arg{x(10, 4)}, attrs: attrs(is("starts", []int64{2}), is("ends", []int64{-1})),
			want: one(7, 4),
		},
		{name: "slice empty", op: "Slice", in: []arg{x(4), ints(3), ints(1)}, want: one(0)},
		{name: "slice step 0", op: "Slice", in: []arg{x(4), ints(3), ints(1), ints(0), ints(0)}, err: "step along axis 0 is 0"},
		{name: "pad", op: "Pad", in: []arg{x(-1, 16, 8, 8), ints(0, 8, 0, 0, 0, 8, 0, 1)}, want: one(-1, 32, 8, 9)},
		{name: "pad attribute", op: "Pad", in: []arg{x(2, 3)}, attrs: attrs(is("pads", []int64{0, -1, 1, 0})), want: one(3, 2)},
		{name: "pad axes", op: "Pad", in: []arg{x(-1, 3), ints(1, 2), {none: true}, ints(-1)}, want: one(-1, 6)},
		{name: "pad count", op: "Pad", in: []arg{x(2, 3), ints(1, 2)}, err: "do not fit"},
		{
			name: "gather", op: "Gather", in: []arg{x(-1, 5, 6), typed(x(2, 3), tensor.Int64)}, attrs: attrs(i("axis", 1)),
			want: one(-1, 2, 3, 6),
		},
		{name: "unsqueeze input", op: "Unsqueeze", in: []arg{x(3, 4), ints(0, -1)}, want: one(1, 3, 4, 1)},
		{name: "unsqueeze attribute", op: "Unsqueeze", in: []arg{x()}, attrs: attrs(is("axes", []int64{0})), want: one(1)},
		{name: "squeeze", op: "Squeeze", in: []arg{x(-1, 4, 1, 1), ints(2, 3)}, want: one(-1, 4)},
		{name: "squeeze all", op: "Squeeze", in: []arg{x(1, 4, 1)}, want: one(4)},
		{name: "squeeze 4", op: "Squeeze", in: []arg{x(1, 4, 1), ints(1)}, err: "more than one element"},
		{name: "constantofshape", op: "ConstantOfShape", in: []arg{ints(2, 3)}, want: one(2, 3)},
		{name: "constantofshape negative", op: "ConstantOfShape", in: []arg{ints(-2)}, err: "negative"},
		{name: "shape", op: "Shape", in: []arg{x(-1, 3, 4)}, want: one(3), dtype: tensor.Int64},
		{name: "shape part", op: "Shape", in: []arg{x(-1, 3, 4)}, attrs: attrs(i("start", -2)), want: one(2), dtype: tensor.Int64},
		{name: "constant", op: "Constant", attrs: attrs(onnx.TensorAttr("value", tensor.Scalar[int64](7))), want: one(), dtype: tensor.Int64},
		{name: "quantize", op: "QuantizeLinear", in: []arg{x(-1, 3), x(), typed(x(), tensor.Int8)}, want: one(-1, 3), dtype: tensor.Int8},
		{name: "quantize default", op: "QuantizeLinear", in: []arg{x(-1, 3), x()}, want: one(-1, 3), dtype: tensor.Uint8},
		{name: "dequantize", op: "DequantizeLinear", in: []arg{typed(x(-1, 3), tensor.Uint8), x()}, want: one(-1, 3)},
		{name: "resize sizes", op: "Resize", in: []arg{x(-1, 3, 8, 8), {none: true}, {none: true}, ints(1, 3, 16, 20)}, want: one(1, 3, 16, 20)},
		{name: "split", op: "Split", in: []arg{x(7, 2)}, want: outs(dims{4, 2}, dims{3, 2})},
		{name: "split sizes", op: "Split", in: []arg{x(2, 7), ints(1, 6)}, attrs: attrs(i("axis", 1)), want: outs(dims{2, 1}, dims{2, 6})},
		{name: "expand", op: "Expand", in: []arg{x(3, 1), ints(2, 1, 4)}, want: one(2, 3, 4)},
		{name: "tile", op: "Tile", in: []arg{x(-1, 3), ints(1, 2)}, want: one(-1, 6)},
		{name: "depth to space", op: "DepthToSpace", in: []arg{x(-1, 8, 2, 3)}, attrs: attrs(i("blocksize", 2)), want: one(-1, 2, 4, 6)},
		{name: "unsupported", op: "NoSuchOperator", in: []arg{x(1)}, want: outs(nil), dtype: tensor.Undefined},
	}
}

func TestInfer(t *testing.T) {
	for _, c := range cases() {
		t.Run(c.name, func(t *testing.T) {
			g := onnx.New(17).Graph
			n, err := build(t, g, c)
			if err == nil {
				err = shape.Infer(g)
			}
			if c.err != "" {
				if err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), `"node"`) {
					t.Fatalf("error %v, want one about node %q with %q", err, "node", c.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			for i, want := range c.want {
				got, ok := n.Output(i).Shape()
				if ok != (want != nil) || ok && !got.Equal(want) {
					t.Errorf("output %d: shape %v (known: %v), want %v", i, got, ok, want)
				}
			}
			want := c.dtype
			if want == tensor.Undefined && c.op != "NoSuchOperator" {
				want = tensor.Float32
			}
			if got := n.Output(0).DType(); got != want {
				t.Errorf("element type %s, want %s", got, want)
			}
		})
	}
}

func build(t testing.TB, g *onnx.Graph, c inferCase) (*onnx.Node, error) {
	t.Helper()
	spec := onnx.NodeSpec{Name: "node", Op: c.op, Attrs: c.attrs}
	for i := range max(1, len(c.want)) {
		spec.Outputs = append(spec.Outputs, string(rune('p'+i)))
	}
	for i, a := range c.in {
		name := string(rune('a' + i))
		var v *onnx.Value
		var err error
		switch {
		case a.none:
		case a.ints != nil || len(a.shape) == 1 && a.shape[0] == 0:
			v, err = g.AddInitializer(name, tensor.From(a.shape, a.ints))
		default:
			if a.dtype == tensor.Undefined {
				a.dtype = tensor.Float32
			}
			v, err = g.AddInput(name, a.dtype, append(dims{}, a.shape...))
		}
		if err != nil {
			t.Fatal(err)
		}
		spec.Inputs = append(spec.Inputs, v)
	}
	return g.AddNode(spec, nil)
}

// Shape subgraphs, as exporters write them, are followed through to the logits with the batch left open.
func TestInferModels(t *testing.T) {
	classes := map[string]int{"efficientnet-lite0-imagenet.onnx": 1000}
	paths, err := filepath.Glob(filepath.Join(testkit.Shared(t, "models"), "*.onnx"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no models: %v", err)
	}
	for _, path := range paths {
		t.Run(filepath.Base(path), func(t *testing.T) {
			m, err := onnx.Load(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := shape.Infer(m.Graph); err != nil {
				t.Fatal(err)
			}
			want := dims{-1, 10}
			if n := classes[filepath.Base(path)]; n != 0 {
				want[1] = n
			}
			for _, n := range m.Graph.Nodes() {
				assertComplete(t, n)
			}
			last := m.Graph.Outputs()[0].Producer().Output(0)
			if got, _ := last.Shape(); !got.Equal(want) {
				t.Errorf("logits %s, want %s", got, want)
			}
		})
	}
}

// assertComplete wants every dimension but the batch.
func assertComplete(t *testing.T, n *onnx.Node) {
	t.Helper()
	for _, v := range n.Outputs() {
		s, ok := v.Shape()
		if !ok || v.DType() == tensor.Undefined {
			t.Errorf("%s: output %s has type %s and shape %v", n, v.Name(), v.DType(), s)
			continue
		}
		for i, d := range s {
			if d < 0 && i > 0 || d < 0 && (n.Op() == "Constant" || n.Op() == "Gather") {
				t.Errorf("%s: output %s has shape %s", n, v.Name(), s)
				break
			}
		}
	}
}
