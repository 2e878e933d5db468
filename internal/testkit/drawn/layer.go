package drawn

import (
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// layer is a Conv, Gemm or MatMul with constant weights, with a norm behind a Conv once in a while.
func (d *drawer) layer(v *onnx.Value) *onnx.Value {
	s := shapeOf(v)
	var out *onnx.Value
	switch {
	case len(s) == 4 && d.below(5) > 0:
		out = d.conv(v)
	case len(s) == 2 && d.below(3) > 0:
		out = d.gemm(v)
	case len(s) >= 2 && (len(s) != 4 || d.one(3)):
		out = d.product(v)
	case len(s) > 2:
		out = d.gemm(d.node("Flatten", []*onnx.Value{v}))
	}
	if out == nil || d.err != nil || !d.fits(out) {
		return v
	}
	d.pool = append(d.pool, out)
	return out
}

// conv draws a Conv.
func (d *drawer) conv(v *onnx.Value) *onnx.Value {
	s := shapeOf(v)
	groups := 1
	if d.one(3) {
		groups = pick(d.dice, s[1], 2, 1)
		if s[1]%groups != 0 {
			groups = 1
		}
	}
	filters := groups * d.between(1, max(1, 6/groups))
	kernel := []int64{int64(d.between(1, min(3, s[2]))), int64(d.between(1, min(3, s[3])))}
	attrs := d.geometry(kernel, s[2:], true)
	if groups > 1 || d.one(3) {
		attrs = append(attrs, onnx.IntAttr("group", int64(groups)))
	}
	if d.one(3) {
		attrs = append(attrs, onnx.IntsAttr("kernel_shape", kernel))
	}
	depth := s[1] / groups
	in := []*onnx.Value{v, d.floats(1/math.Sqrt(float64(depth)*float64(kernel[0]*kernel[1])), filters, depth, int(kernel[0]), int(kernel[1]))}
	if d.one(2) {
		in = append(in, d.floats(0.3, filters))
	}
	out := d.node("Conv", in, attrs...)
	if out != nil && d.one(4) {
		return d.batchNorm(out)
	}
	return out
}

// gemm draws a Gemm.
func (d *drawer) gemm(v *onnx.Value) *onnx.Value {
	if v == nil {
		return nil
	}
	depth, k := shapeOf(v)[1], d.between(1, 10)
	attrs := []onnx.Attr{}
	shape := []int{depth, k}
	if d.one(2) {
		shape = []int{k, depth}
		attrs = append(attrs, onnx.IntAttr("transB", 1))
	}
	if d.one(5) {
		attrs = append(attrs, onnx.FloatAttr("alpha", pick[float32](d.dice, 0.5, 2)))
	}
	in := []*onnx.Value{v, d.floats(1/math.Sqrt(float64(depth)), shape...)}
	if d.opset < 11 || d.below(3) > 0 { // the addend was required until then
		in = append(in, d.floats(0.3, pick(d.dice, []int{k}, []int{k}, []int{1}, []int{1, k})...))
		if d.one(5) {
			attrs = append(attrs, onnx.FloatAttr("beta", pick[float32](d.dice, 0.5, 2)))
		}
	}
	return d.node("Gemm", in, attrs...)
}

// product is a MatMul by a constant, of one matrix or of one for each of a leading dimension.
func (d *drawer) product(v *onnx.Value) *onnx.Value {
	s := shapeOf(v)
	if len(s) < 2 {
		return nil
	}
	depth, k := s[len(s)-1], d.between(1, 8)
	shape := []int{depth, k}
	if len(s) > 2 && d.one(4) {
		shape = []int{1, depth, k}
	}
	if len(s) > 3 && d.one(3) {
		shape = []int{s[len(s)-3], depth, k}
	}
	return d.node("MatMul", []*onnx.Value{v, d.floats(1/math.Sqrt(float64(depth)), shape...)})
}

// attention is the product of a value with itself, transposed.
func (d *drawer) attention(v *onnx.Value) *onnx.Value {
	rank := len(shapeOf(v))
	if rank < 3 {
		return nil
	}
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(i)
	}
	perm[rank-1], perm[rank-2] = perm[rank-2], perm[rank-1]
	t := d.node("Transpose", []*onnx.Value{v}, onnx.IntsAttr("perm", perm))
	return d.node("MatMul", []*onnx.Value{v, t})
}

func (d *drawer) batchNorm(v *onnx.Value) *onnx.Value {
	c := shapeOf(v)[1]
	variance := make([]float32, c)
	for k := range variance {
		variance[k] = float32(math.Abs(d.normal()))
	}
	in := []*onnx.Value{v, d.floats(1, c), d.floats(0.5, c), d.floats(0.5, c), d.constant(tensor.From(tensor.Shape{c}, variance))}
	return d.node("BatchNormalization", in, d.some(onnx.FloatAttr("epsilon", pick[float32](d.dice, 1e-3, 1e-2)))...)
}

// norm is a BatchNormalization or LayerNormalization anywhere.
func (d *drawer) norm(v *onnx.Value) *onnx.Value {
	s := shapeOf(v)
	if len(s) < 2 {
		return nil
	}
	if d.opset < 17 || d.one(2) {
		return d.batchNorm(v)
	}
	axis := d.between(1, len(s)-1)
	shape := append([]int(nil), s[axis:]...)
	in := []*onnx.Value{v, d.floats(1, shape...)}
	if d.one(2) {
		in = append(in, d.floats(0.5, shape...))
	}
	at := int64(axis)
	if d.one(2) {
		at -= int64(len(s))
	}
	return d.node("LayerNormalization", in, append(d.some(onnx.FloatAttr("epsilon", 1e-3)), onnx.IntAttr("axis", at))...)
}

// softmax is Softmax or LogSoftmax along any axis of a sample; before operator set 13 along all of them from one on.
func (d *drawer) softmax(v *onnx.Value) *onnx.Value {
	rank := len(shapeOf(v))
	if rank < 2 {
		return nil
	}
	axis := int64(d.between(1, rank-1))
	if d.one(2) {
		axis = int64(rank) - 1
	}
	if d.one(2) && d.opset >= 11 {
		axis -= int64(rank)
	}
	return d.node(pick(d.dice, "Softmax", "LogSoftmax"), []*onnx.Value{v}, onnx.IntAttr("axis", axis))
}
