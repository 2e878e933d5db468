package drawn

import (
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// activation is an operator of one element.
func (d *drawer) activation(v *onnx.Value) *onnx.Value {
	in := []*onnx.Value{v}
	simple := []string{"Relu", "Relu", "Relu", "Sigmoid", "Tanh", "Softplus", "Erf", "Exp", "Abs", "Neg", "Identity", "Reciprocal"}
	if d.opset >= 14 {
		simple = append(simple, "HardSwish")
	}
	if d.opset >= 18 {
		simple = append(simple, "Mish")
	}
	switch d.below(11) {
	case 10: // of what is positive, as a rule
		if d.below(6) > 0 {
			in = []*onnx.Value{d.node("Softplus", in)} // not Sigmoid, which onnxruntime takes for 0 from -18 down
		}
		return d.node(pick(d.dice, "Log", "Sqrt"), in)
	case 0:
		return d.clip(v)
	case 1:
		return d.node("LeakyRelu", in, d.some(onnx.FloatAttr("alpha", pick[float32](d.dice, 0.1, 0.3, 1, 0, 1.5, -0.2)))...)
	case 2:
		return d.node("HardSigmoid", in, d.some(onnx.FloatAttr("alpha", pick[float32](d.dice, 1.0/6, 0.5, -0.2)), onnx.FloatAttr("beta", pick[float32](d.dice, 0.5, 0, 0.7)))...)
	case 3:
		return d.node("Elu", in, d.some(onnx.FloatAttr("alpha", pick[float32](d.dice, 1, 0.5, 2)))...)
	case 4:
		return d.prelu(v)
	case 5:
		if d.opset < 20 {
			return d.node("Relu", in)
		}
		return d.node("Gelu", in, d.some(onnx.StringAttr("approximate", pick(d.dice, "none", "tanh")))...)
	case 6: // SiLU and its kin
		gate := d.node(pick(d.dice, "Sigmoid", "HardSigmoid", "Tanh"), in)
		return d.node("Mul", pick(d.dice, []*onnx.Value{v, gate}, []*onnx.Value{gate, v}))
	default:
		return d.node(pick(d.dice, simple...), in)
	}
}

// some keeps each attribute or leaves it to its default.
func (d *drawer) some(attrs ...onnx.Attr) []onnx.Attr {
	var out []onnx.Attr
	for _, a := range attrs {
		if d.below(3) > 0 {
			out = append(out, a)
		}
	}
	return out
}

// clip draws a Clip with one bound or two.
func (d *drawer) clip(v *onnx.Value) *onnx.Value {
	lo, hi := pick[float32](d.dice, 0, -1, -0.5, 0.25, float32(math.Inf(-1))), pick[float32](d.dice, 6, 1, 0.75, 0, float32(math.Inf(1)))
	low, high := d.below(4) > 0, d.below(4) > 0
	if d.opset < 11 {
		var attrs []onnx.Attr
		if low {
			attrs = append(attrs, onnx.FloatAttr("min", max(lo, -math.MaxFloat32)))
		}
		if high {
			attrs = append(attrs, onnx.FloatAttr("max", min(hi, math.MaxFloat32)))
		}
		return d.node("Clip", []*onnx.Value{v}, attrs...)
	}
	in := []*onnx.Value{v}
	if low || high {
		in = append(in, nil)
	}
	if low {
		in[1] = d.constant(tensor.Scalar(lo))
	}
	if high {
		in = append(in, d.constant(tensor.Scalar(hi)))
	}
	return d.node("Clip", in)
}

func (d *drawer) prelu(v *onnx.Value) *onnx.Value {
	s := shapeOf(v)
	slope := []int{1}
	if len(s) > 1 && d.below(3) > 0 { // one slope a channel
		slope = ones(len(s) - 1)
		slope[0] = s[1]
	}
	return d.node("PRelu", []*onnx.Value{v, d.floats(0.3, slope...)})
}

func ones(n int) []int {
	s := make([]int, n)
	for i := range s {
		s[i] = 1
	}
	return s
}

// withConstant is arithmetic with a constant that broadcasts.
func (d *drawer) withConstant(v *onnx.Value) *onnx.Value {
	op := pick(d.dice, "Add", "Mul", "Sub", "Div", "Max", "Min", "Sum", "Mean")
	var c *onnx.Value
	if d.one(3) {
		c = d.scalar(pick[float32](d.dice, 0.5, 2, -1, 0, 1, -0.25, 1e-3))
	} else {
		c = d.floats(1, d.broadcast(v)...)
	}
	if d.below(3) == 0 {
		return d.node(op, []*onnx.Value{c, v})
	}
	return d.node(op, []*onnx.Value{v, c})
}

// broadcast is the shape of a constant that broadcasts to a value without changing its shape.
func (d *drawer) broadcast(v *onnx.Value) []int {
	s := shapeOf(v)
	out := make([]int, d.between(0, len(s)))
	for i := range out {
		at := len(s) - len(out) + i
		out[i] = 1
		if at > 0 && d.below(2) == 0 {
			out[i] = s[at]
		}
	}
	return out
}

// withValue joins the value with another one of the network.
func (d *drawer) withValue(v *onnx.Value) *onnx.Value {
	op := pick(d.dice, "Add", "Add", "Mul", "Concat", "Sub", "Div", "Max", "Min", "Sum", "Mean", "MatMul")
	w := d.partner(v)
	if op == "Concat" {
		axis := int64(d.between(1, max(1, len(shapeOf(v))-1)))
		if len(shapeOf(v)) < 2 {
			return nil
		}
		if d.one(3) {
			axis -= int64(len(shapeOf(v)))
		}
		return d.node(op, d.order(v, w), onnx.IntAttr("axis", axis))
	}
	if op == "MatMul" {
		return d.attention(v)
	}
	in := d.order(v, w)
	if (op == "Sum" || op == "Mean") && d.one(2) {
		in = append(in, v)
	}
	return d.node(op, in)
}

func (d *drawer) order(v, w *onnx.Value) []*onnx.Value {
	if d.one(2) {
		return []*onnx.Value{w, v}
	}
	return []*onnx.Value{v, w}
}

// partner is another value of the same shape: an earlier one, or something made of v.
func (d *drawer) partner(v *onnx.Value) *onnx.Value {
	for i := len(d.pool) - 1; i >= 0; i-- {
		if w := d.pool[i]; w != v && shapeOf(w).Equal(shapeOf(v)) && d.below(3) > 0 {
			return w
		}
	}
	if d.one(4) {
		return v
	}
	if w := d.activation(v); w != nil {
		return w
	}
	return v
}

// power is a Pow whose exponent is constant.
func (d *drawer) power(v *onnx.Value) *onnx.Value {
	if d.below(3) > 0 { // of what is not negative
		v = d.node(pick(d.dice, "Abs", "Relu", "Softplus"), []*onnx.Value{v})
	}
	if d.opset >= 12 && d.one(4) { // other types came with 12
		return d.node("Pow", []*onnx.Value{v, d.constant(tensor.From(tensor.Shape{}, []int64{int64(d.between(-2, 3))}))})
	}
	e := pick[float32](d.dice, 2, 3, 1, 0.5, -1, -2, 0, -0.5, 1.5)
	return d.node("Pow", []*onnx.Value{v, d.scalar(e)})
}
