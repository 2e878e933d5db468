package drawn

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// rows multiplies all rows of a batch by one matrix, with samples and rows in one axis meanwhile, as exporters write
// it.
func (d *drawer) rows(v *onnx.Value) *onnx.Value {
	s := shapeOf(v)
	if len(s) != 3 {
		return nil
	}
	flat := d.node("Reshape", []*onnx.Value{v, d.ints(-1, int64(s[2]))})
	out := d.gemm(flat)
	if out == nil {
		return nil
	}
	if d.one(2) {
		out = d.node("Relu", []*onnx.Value{out})
	}
	return d.node("Reshape", []*onnx.Value{out, d.ints(-1, int64(s[1]), int64(shapeOf(out)[1]))})
}

// crossing computes across the samples of a batch, which no network does that is run on batches of any size: it is
// refused.
func (d *drawer) crossing(v *onnx.Value) *onnx.Value {
	in := []*onnx.Value{v}
	rank := len(shapeOf(v))
	switch d.below(8) {
	case 0:
		list, attrs := d.listed("axes", 18, []int64{0})
		return d.node("ReduceMean", append(in, list...), append(attrs, onnx.IntAttr("keepdims", int64(d.below(2))))...)
	case 1:
		return d.node("Softmax", in, onnx.IntAttr("axis", 0))
	case 2:
		if rank < 2 {
			return nil
		}
		perm := []int64{1, 0}
		for a := 2; a < rank; a++ {
			perm = append(perm, int64(a))
		}
		return d.node("Transpose", in, onnx.IntsAttr("perm", perm))
	case 3:
		if d.opset < 11 {
			return nil
		}
		pads := make([]int64, 2*rank)
		pads[rank] = int64(d.between(-1, 1))
		return d.node("Pad", append(in, d.ints(pads...)))
	case 4:
		if d.opset < 10 {
			return nil
		}
		return d.node("Slice", append(in, d.ints(0), d.ints(1), d.ints(0)))
	case 5:
		return d.node("Concat", []*onnx.Value{v, v}, onnx.IntAttr("axis", 0))
	case 6:
		return d.node("Gather", append(in, d.constant(tensor.From(tensor.Shape{2}, []int64{0, 0}))), onnx.IntAttr("axis", 0))
	default:
		list, attrs := d.listed("axes", 13, []int64{0})
		return d.node("Unsqueeze", append(in, list...), attrs...)
	}
}
