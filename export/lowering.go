package export

import (
	"fmt"
	"math"

	"github.com/mpqc/mpqc/export/internal/qdq"
	"github.com/mpqc/mpqc/export/metadata"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// lowering is the state of one Standard.
type lowering struct {
	model *onnx.Model
	graph *onnx.Graph
	codes map[string]string // quantized float value to the value that holds its codes
}

// constant quantizes weights by what a scale of the given shape says, signed.
func (l *lowering) constant(name string, x *onnx.Value, scale []float32, shape tensor.Shape, bits int) (*onnx.Value, error) {
	w := qdq.Floats(x)
	dims := x.Const().Shape
	axis := -1
	for d, n := range shape {
		if n > 1 {
			axis = d
		}
	}
	inner, channels := 1, 1
	if axis >= 0 {
		if len(shape) != len(dims) || dims[axis] != len(scale) {
			return nil, fmt.Errorf("scale of shape %s does not fit %s", shape, dims)
		}
		inner, channels = dims[axis+1:].Numel(), len(scale)
	}
	top := float64(int(1)<<(bits-1) - 1)
	codes := make([]int8, len(w))
	for i, v := range w {
		codes[i] = int8(max(-top-1, min(top, math.RoundToEven(float64(v/scale[i/inner%channels])))))
	}
	per := tensor.Shape{}
	if axis >= 0 {
		per = tensor.Shape{len(scale)}
	}
	return l.dequantize(name, []*tensor.Tensor{
		tensor.From(dims, codes), tensor.From(per, scale), tensor.From(per, make([]int8, per.Numel())),
	}, max(axis, 0))
}

// dequantize adds codes, scale and zero point of weights. As plain floats onnxruntime would quantize them once more, to
// 8 bits of its own.
func (l *lowering) dequantize(name string, parts []*tensor.Tensor, axis int) (*onnx.Value, error) {
	var in []*onnx.Value
	for i, t := range parts {
		v, err := l.graph.AddInitializer(l.graph.FreshName(fmt.Sprintf("%s/%d", name, i)), t)
		if err != nil {
			return nil, err
		}
		in = append(in, v)
	}
	n, err := l.graph.AddNode(onnx.NodeSpec{
		Name: l.graph.FreshName(name + "/DequantizeLinear"), Op: "DequantizeLinear", Inputs: in,
		Outputs: []string{l.graph.FreshName(name)}, Attrs: []onnx.Attr{onnx.IntAttr("axis", int64(axis))},
	}, nil)
	if err != nil {
		return nil, err
	}
	n.Output(0).SetType(tensor.Float32, parts[0].Shape)
	return n.Output(0), nil
}

// apart keeps a quantizer and the one before it from being merged by onnxruntime: see exporter.separate.
func (l *lowering) apart(x *onnx.Value, name string) (*onnx.Value, error) {
	if p := x.Producer(); p == nil || p.Op() != "DequantizeLinear" && p.Op() != "Identity" {
		return x, nil
	}
	n, err := l.graph.AddNode(onnx.NodeSpec{
		Name: l.graph.FreshName(name + "/keep"), Op: "LeakyRelu", Inputs: []*onnx.Value{x},
		Outputs: []string{l.graph.FreshName(name + "/kept")}, Attrs: []onnx.Attr{onnx.FloatAttr("alpha", 1)},
	}, nil)
	if err != nil {
		return nil, err
	}
	n.Output(0).SetType(tensor.Float32, nil)
	return n.Output(0), nil
}

// place is where b-bit codes lie in uint8: lo to hi, with the code of zero.
type place struct{ zero, lo, hi int }

// placeOf is the place of the codes of an encoding.
func placeOf(x metadata.Encoding) place {
	if x.Symmetric || x.Offset[0] == 0 {
		return placed(x.Bits, x.Symmetric)
	}
	return place{-x.Offset[0], 0, 1<<x.Bits - 1}
}

// placed is the place of codes without a zero point of their own, as quantize.Grid has it.
func placed(bits int, signed bool) place {
	if signed {
		return place{128, 128 - 1<<(bits-1), 127 + 1<<(bits-1)}
	}
	return place{0, 0, 1<<bits - 1}
}

// absorbed is what a Clip reads whose bounds the codes have anyway, else x. onnxruntime 1.28 takes an upper bound that
// is by a rounding below the value of the highest code for redundant in one place and not in another, and writes two
// nodes of one name.
func absorbed(x *onnx.Value, scale float32, at place) *onnx.Value {
	n := x.Producer()
	if n == nil || n.Op() != "Clip" || n.Domain() != "" || n.Input(0) == nil {
		return x
	}
	g := quantize.Grid{Scale: scale, Zero: uint8(at.zero), Lo: uint8(at.lo), Hi: uint8(at.hi)}
	for i, code := range []uint8{g.Lo, g.Hi} {
		if v := n.Input(1 + i); v != nil {
			if bound := qdq.Floats(v); len(bound) != 1 || g.Quantize(bound[0]) != code {
				return x
			}
		}
	}
	return n.Input(0)
}

// activation adds QuantizeLinear, Clip and DequantizeLinear in uint8.
func (l *lowering) activation(x *onnx.Value, name string, scale []float32, bits int, at place) (*onnx.Value, error) {
	if len(scale) != 1 || at.lo < 0 || at.hi > 255 || at.zero < 0 || at.zero > 255 {
		return nil, fmt.Errorf("%d scales for an activation of %d bits with codes %d..%d, zero %d", len(scale), bits, at.lo, at.hi, at.zero)
	}
	var consts []*onnx.Value
	for _, c := range []struct {
		name string
		t    *tensor.Tensor
	}{
		{"/scale", tensor.Scalar(scale[0])},
		{"/zero", tensor.Scalar(uint8(at.zero))},
		{"/lo", tensor.Scalar(uint8(at.lo))},
		{"/hi", tensor.Scalar(uint8(at.hi))},
	} {
		v, err := l.graph.AddInitializer(l.graph.FreshName(name+c.name), c.t)
		if err != nil {
			return nil, err
		}
		consts = append(consts, v)
	}
	v, err := l.apart(absorbed(x, scale[0], at), name)
	if err != nil {
		return nil, err
	}
	for _, n := range []struct {
		op    string
		in    []*onnx.Value
		dtype tensor.DType
	}{
		{"QuantizeLinear", consts[:2], tensor.Uint8},
		{"Clip", consts[2:], tensor.Uint8},
		{"DequantizeLinear", consts[:2], tensor.Float32},
	} {
		node, err := l.graph.AddNode(onnx.NodeSpec{
			Name: l.graph.FreshName(name + "/" + n.op), Op: n.op, Inputs: append([]*onnx.Value{v}, n.in...),
			Outputs: []string{l.graph.FreshName(name + "/" + n.op)},
		}, nil)
		if err != nil {
			return nil, err
		}
		if v = node.Output(0); n.op == "Clip" {
			l.codes[name] = v.Name()
		}
		v.SetType(n.dtype, nil)
	}
	return v, nil
}
