package drawn

import (
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// listed gives a list to a node as an attribute, or since an operator set as an input.
func (d *drawer) listed(name string, since int64, v []int64) (in []*onnx.Value, attrs []onnx.Attr) {
	if d.opset >= since {
		return []*onnx.Value{d.ints(v...)}, nil
	}
	return nil, []onnx.Attr{onnx.IntsAttr(name, v)}
}

// move changes the layout of a value.
func (d *drawer) move(v *onnx.Value) *onnx.Value {
	s := shapeOf(v)
	in := []*onnx.Value{v}
	rank := len(s)
	switch d.below(5) {
	case 0:
		return d.node("Reshape", append(in, d.ints(d.newShape(s)...)))
	case 1:
		return d.node("Flatten", in, d.some(onnx.IntAttr("axis", 1))...)
	case 2:
		return d.transpose(v)
	case 3:
		if rank > 4 {
			return nil
		}
		axis := int64(d.between(1, rank))
		if d.one(3) && d.opset >= 11 {
			axis -= int64(rank) + 1
		}
		list, attrs := d.listed("axes", 13, []int64{axis})
		return d.node("Unsqueeze", append(in, list...), attrs...)
	default:
		at := slices.Index(s[min(1, rank):], 1) + 1
		if at == 0 || rank < 3 {
			return nil
		}
		list, attrs := d.listed("axes", 13, []int64{int64(at)})
		return d.node("Squeeze", append(in, list...), attrs...)
	}
}

// newShape puts neighbouring dimensions together or takes one apart.
func (d *drawer) newShape(s tensor.Shape) []int64 {
	dims := make([]int64, len(s))
	for i, n := range s {
		dims[i] = int64(n)
	}
	dims[0] = pick[int64](d.dice, 0, -1)
	switch {
	case len(dims) > 2 && d.one(2):
		at := d.between(1, len(dims)-2)
		dims = slices.Replace(dims, at, at+2, dims[at]*dims[at+1])
	case len(dims) > 1 && len(dims) < 5:
		at := d.between(1, len(dims)-1)
		for _, f := range []int64{2, 3, 5} {
			if dims[at]%f == 0 {
				dims = slices.Replace(dims, at, at+1, f, dims[at]/f)
				break
			}
		}
	}
	if dims[0] == 0 && len(dims) > 1 && d.one(2) {
		dims[d.between(1, len(dims)-1)] = -1
	}
	return dims
}

func (d *drawer) transpose(v *onnx.Value) *onnx.Value {
	rank := len(shapeOf(v))
	perm := make([]int64, rank)
	for i := range perm {
		perm[i] = int64(i)
	}
	for i := rank - 1; i > 1; i-- { // the batch stays in front
		j := d.between(1, i)
		perm[i], perm[j] = perm[j], perm[i]
	}
	return d.node("Transpose", []*onnx.Value{v}, onnx.IntsAttr("perm", perm))
}

// cut takes a part of a value.
func (d *drawer) cut(v *onnx.Value) *onnx.Value {
	s := shapeOf(v)
	if len(s) < 2 {
		return nil
	}
	axis := d.between(1, len(s)-1)
	if s[axis] < 2 {
		return nil
	}
	switch d.below(3) {
	case 0:
		return d.slice(v, axis)
	case 1:
		return d.split(v, axis)
	default:
		index := []int64{int64(d.below(s[axis])), -1}
		if d.one(2) {
			return d.node("Gather", []*onnx.Value{v, d.ints(index...)}, onnx.IntAttr("axis", int64(axis)))
		}
		return d.node("Gather", []*onnx.Value{v, d.constant(tensor.Scalar(index[0]))}, onnx.IntAttr("axis", int64(axis)))
	}
}

// slice draws a Slice along an axis.
func (d *drawer) slice(v *onnx.Value, axis int) *onnx.Value {
	n := shapeOf(v)[axis]
	start, end, step := int64(d.below(n)), int64(1)<<40, int64(1)
	if d.one(2) {
		start -= int64(n)
	}
	if d.one(3) {
		start, end = 0, -1
	}
	if d.opset < 10 {
		return d.node("Slice", []*onnx.Value{v}, onnx.IntsAttr("starts", []int64{start}), onnx.IntsAttr("ends", []int64{end}), onnx.IntsAttr("axes", []int64{int64(axis)}))
	}
	if d.one(3) {
		step = int64(pick(d.dice, 2, 3, -1, -2))
		if step < 0 {
			start, end = -1, -(int64(1) << 40)
		}
	}
	in := []*onnx.Value{v, d.ints(start), d.ints(end), d.ints(int64(axis))}
	if step != 1 || d.one(2) {
		in = append(in, d.ints(step))
	}
	return d.node("Slice", in)
}

// split takes one part, or puts two of them together anew.
func (d *drawer) split(v *onnx.Value, axis int) *onnx.Value {
	n := shapeOf(v)[axis]
	first := d.between(1, n-1)
	in, attrs := []*onnx.Value{v}, []onnx.Attr{onnx.IntAttr("axis", int64(axis))}
	switch {
	case n%2 == 0 && d.one(2) && d.opset < 18:
	case d.one(3) && d.opset >= 18:
		attrs = append(attrs, onnx.IntAttr("num_outputs", 2))
	default:
		list, more := d.listed("split", 13, []int64{int64(first), int64(n - first)})
		in, attrs = append(in, list...), append(attrs, more...)
	}
	parts := d.nodes("Split", in, 2, attrs...)
	if parts == nil {
		return nil
	}
	if shapeOf(parts[0]).Equal(shapeOf(parts[1])) && d.one(2) {
		return d.node(pick(d.dice, "Add", "Mul"), parts)
	}
	if d.one(2) {
		return d.node("Concat", []*onnx.Value{parts[1], parts[0]}, onnx.IntAttr("axis", int64(axis)))
	}
	return parts[d.below(2)]
}

// reduce is a mean or a sum.
func (d *drawer) reduce(v *onnx.Value) *onnx.Value {
	s := shapeOf(v)
	if len(s) < 2 {
		return nil
	}
	op, since := "ReduceMean", int64(18)
	if d.one(2) {
		op, since = "ReduceSum", 13
	}
	axes := []int64{int64(d.between(1, len(s)-1))}
	if len(s) == 4 && d.one(2) {
		axes = pick(d.dice, []int64{2, 3}, []int64{-1, -2}, []int64{1, 2})
	}
	keep := d.some(onnx.IntAttr("keepdims", int64(d.below(2))))
	in, attrs := d.listed("axes", since, axes)
	return d.node(op, append([]*onnx.Value{v}, in...), append(attrs, keep...)...)
}
