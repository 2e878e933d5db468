// Package mutation damages models for fuzz tests: a script of bytes becomes edits that parsers alone would let through,
// such as axes outside of the rank, tensors without elements and operands of another type.
package mutation

import (
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// maxSteps bounds a script: more edits than this only hide which one matters.
const maxSteps = 16

// Apply edits the model as the script says, four bytes a step. Steps that do not apply are left out.
func Apply(m *onnx.Model, script []byte) {
	for range maxSteps {
		if len(script) < 4 {
			return
		}
		step(m, script[0], int(script[1]), int(script[2]), int(script[3]))
		script = script[4:]
	}
}

// step makes one edit.
func step(m *onnx.Model, kind byte, a, b, c int) {
	g := m.Graph
	nodes, inits := g.Nodes(), g.Initializers()
	if len(nodes) == 0 {
		return
	}
	n := nodes[a%len(nodes)]
	switch kind % 8 {
	case 0:
		setAttr(n, b, number(c))
	case 1:
		if vs := values(g); len(n.Inputs()) > 0 {
			n.SetInput(b%(len(n.Inputs())+1), vs[c%len(vs)])
		}
	case 2:
		if len(inits) > 0 {
			setElement(inits[a%len(inits)], b, number(c))
		}
	case 3:
		if len(inits) > 0 {
			// The error of a tensor that fits no storage leaves the constant as it was.
			_ = inits[a%len(inits)].SetConst(constant(b, c))
		}
	case 4:
		if attrs := n.Attrs(); len(attrs) > 0 {
			n.RemoveAttr(attrs[b%len(attrs)].Name())
		}
	case 5:
		vs := values(g)
		retype(vs[a%len(vs)], b, c)
	case 6:
		insert(g, n, b, c)
	case 7:
		m.SetOpset("", int64(a%30))
	}
}

// setAttr puts a number into an integer attribute, or where there is none of the kind, adds an axis.
func setAttr(n *onnx.Node, which int, v int64) {
	attrs := n.Attrs()
	if len(attrs) == 0 {
		n.SetAttr(onnx.IntAttr("axis", v))
		return
	}
	switch a := attrs[which%len(attrs)]; a.Kind() {
	case "INT":
		n.SetAttr(onnx.IntAttr(a.Name(), v))
	case "INTS":
		list := n.Ints(a.Name())
		if len(list) > 0 {
			list[which%len(list)] = v
		} else {
			list = []int64{v}
		}
		n.SetAttr(onnx.IntsAttr(a.Name(), list))
	default: // of the wrong kind
		n.SetAttr(onnx.IntsAttr(a.Name(), []int64{v, v}))
	}
}

// setElement changes one element of a constant.
func setElement(v *onnx.Value, at int, x int64) {
	t := v.Const()
	if t == nil || t.Shape.Numel() == 0 {
		return
	}
	at %= t.Shape.Numel()
	switch t.DType {
	case tensor.Int64:
		list, err := tensor.Values[int64](t)
		if err == nil {
			list[at] = x
			_ = v.SetConst(tensor.From(t.Shape, list))
		}
	case tensor.Float32:
		list, err := tensor.Values[float32](t)
		if err == nil {
			list[at] = math.Float32frombits(uint32(x) << 16) // NaN and infinities among them
			_ = v.SetConst(tensor.From(t.Shape, list))
		}
	default:
	}
}

// constant is a small tensor of some type and shape.
func constant(kind, size int) *tensor.Tensor {
	shape := []tensor.Shape{{}, {0}, {1}, {size % 5}, {1, size % 5}, {size % 3, 2}, {2, 0, 3}, {1, 1, 1, 1}}[size/5%8]
	n := shape.Numel()
	switch kind % 6 {
	case 0:
		return tensor.From(shape, make([]float32, n))
	case 1:
		return &tensor.Tensor{DType: tensor.Bool, Shape: shape, Raw: make([]byte, n)}
	case 2:
		return &tensor.Tensor{DType: tensor.Uint4, Shape: shape, Raw: make([]byte, (n+1)/2)}
	case 3:
		return tensor.From(shape, make([]uint8, n))
	default:
		list := make([]int64, n)
		for i := range list {
			list[i] = number(kind/6 + i)
		}
		return tensor.From(shape, list)
	}
}

// retype changes what the document says of a value.
func retype(v *onnx.Value, b, c int) {
	shape, known := v.Shape()
	shape = shape.Clone()
	switch d := number(c); {
	case !known || b%4 == 0:
		shape = append(shape, int(max(d, -1)))
	case len(shape) > 0:
		shape[b%len(shape)] = int(max(d, -1))
	}
	dtype := v.DType()
	if b > 200 {
		dtype = tensor.DType(c % 24)
	}
	v.SetType(dtype, shape)
}

// insert puts an operator before a node, which reads its result.
func insert(g *onnx.Graph, n *onnx.Node, b, c int) {
	ops := operators()
	vs := values(g)
	in := []*onnx.Value{n.Input(0), vs[c%len(vs)]}
	if b >= 128 {
		in = append(in, vs[(b+c)%len(vs)])
	}
	added, err := g.AddNode(onnx.NodeSpec{Op: ops[b%len(ops)], Inputs: in, Outputs: []string{g.FreshName("mutation")}}, n)
	if err == nil {
		n.SetInput(0, added.Output(0))
	}
}

func operators() []string {
	return []string{
		"Add", "Mul", "Div", "Mod", "Max", "Where", "Concat", "Slice", "Gather", "Reshape", "Transpose", "Expand", "Tile", "Range", "Pad",
		"ConstantOfShape", "Shape", "Squeeze", "Unsqueeze", "Flatten", "Split", "Cast", "Identity", "ReduceMean", "ReduceProd", "MatMul", "Gemm",
		"Conv", "BatchNormalization", "MaxPool", "AveragePool", "GlobalAveragePool", "Softmax", "Einsum", "Resize", "Clip", "Relu", "Constant",
		"InstanceNormalization", "GroupNormalization", "LayerNormalization", "DepthToSpace", "Sqrt", "Not", "Equal", "Size", "ConvTranspose",
	}
}

// values lists inputs, constants and results in document order.
func values(g *onnx.Graph) []*onnx.Value {
	vs := append(g.Inputs(), g.Initializers()...)
	for _, n := range g.Nodes() {
		for _, v := range n.Outputs() {
			if v != nil && g.Value(v.Name()) == v {
				vs = append(vs, v)
			}
		}
	}
	return vs
}

// number is one of those that arithmetic of shapes trips over.
func number(i int) int64 {
	list := []int64{
		0, 1, -1, 2, 3, 4, -2, 5, 7, 16, 64, 1000, 65536, 1 << 24, 1 << 31, -1 << 31, 1 << 32, 1 << 40, 1 << 62, -1 << 62, math.MaxInt64,
		math.MinInt64, math.MinInt64 + 1, 0x7fc0, 0x7f80, 0xff80, 0x3f80,
	}
	return list[i%len(list)]
}
