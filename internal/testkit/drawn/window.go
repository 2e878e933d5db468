package drawn

import (
	"math"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// geometry draws strides, dilations and padding of a window over a plane.
func (d *drawer) geometry(kernel []int64, plane tensor.Shape, dilated bool) []onnx.Attr {
	var attrs []onnx.Attr
	dil := []int64{1, 1}
	if dilated && d.one(4) {
		dil = []int64{int64(d.between(1, 2)), int64(d.between(1, 2))}
		attrs = append(attrs, onnx.IntsAttr("dilations", dil))
	}
	if d.one(2) {
		attrs = append(attrs, onnx.IntsAttr("strides", []int64{int64(d.between(1, 3)), int64(d.between(1, 3))}))
	}
	fits := func(i int, pads int64) bool { return int64(plane[i])+pads >= dil[i]*(kernel[i]-1)+1 }
	switch {
	case dil[0]*dil[1] == 1 && d.one(5): // onnxruntime computes no other
		return append(attrs, onnx.StringAttr("auto_pad", pick(d.dice, "SAME_UPPER", "SAME_LOWER")))
	case fits(0, 0) && fits(1, 0) && d.one(6):
		return append(attrs, onnx.StringAttr("auto_pad", pick(d.dice, "VALID", "NOTSET")))
	case !fits(0, 0) || !fits(1, 0) || d.below(3) > 0:
		pads := make([]int64, 4)
		for i := range pads {
			pads[i] = int64(d.below(int(kernel[i%2])))
		}
		for i := range 2 {
			if !fits(i, pads[i]+pads[i+2]) {
				pads[i], pads[i+2] = kernel[i]-1, kernel[i]-1
			}
			if !fits(i, pads[i]+pads[i+2]) {
				return nil
			}
		}
		attrs = append(attrs, onnx.IntsAttr("pads", pads))
	}
	return attrs
}

// window is a pooling.
func (d *drawer) window(v *onnx.Value) *onnx.Value {
	s := shapeOf(v)
	if len(s) != 4 {
		return nil
	}
	in := []*onnx.Value{v}
	op := pick(d.dice, "MaxPool", "MaxPool", "AveragePool", "AveragePool", "GlobalAveragePool")
	if op == "GlobalAveragePool" {
		return d.node(op, in)
	}
	kernel := []int64{int64(d.between(1, min(4, s[2]))), int64(d.between(1, min(4, s[3])))}
	dilated := op == "MaxPool" && d.opset >= 10 || d.opset >= 19
	attrs := append(d.geometry(kernel, s[2:], dilated), onnx.IntsAttr("kernel_shape", kernel))
	ceil := d.opset >= 10 && d.one(3)
	if ceil {
		attrs = append(attrs, onnx.IntAttr("ceil_mode", 1))
	}
	// Before opset 19 versions of onnxruntime differ in what both together mean.
	if op == "AveragePool" && (!ceil || d.opset >= 19) && d.one(2) {
		attrs = append(attrs, onnx.IntAttr("count_include_pad", 1))
	}
	return d.node(op, in, attrs...)
}

// pad surrounds or crops, in front of a MaxPool once in a while.
func (d *drawer) pad(v *onnx.Value) *onnx.Value {
	s := shapeOf(v)
	if len(s) < 2 {
		return nil
	}
	axes := make([]int64, 0, len(s))
	for a := 1; a < len(s); a++ {
		if a >= 2 || d.one(4) {
			axes = append(axes, int64(a))
		}
	}
	if len(axes) == 0 {
		return nil
	}
	pads := make([]int64, 2*len(axes))
	for i := range pads {
		pads[i] = int64(d.below(3))
		if d.one(6) && s[axes[i%len(axes)]] > 4 {
			pads[i] = -1
		}
	}
	value := pick(d.dice, 0, 0, 0.5, -0.7, 1, -1e4, 3, float32(math.Inf(-1)), -math.MaxFloat32)
	if axes[0] == 1 && value < -100 { // of whole channels: no sum would be left
		value = -0.7
	}
	out := d.padNode(v, axes, pads, value)
	if out == nil || value >= -100 && !d.one(3) {
		return out
	}
	if len(s) != 4 { // else infinities would be all that there is
		return d.node("Max", []*onnx.Value{out, d.scalar(-1)})
	}
	kernel := make([]int64, 2)
	for i := range kernel {
		kernel[i] = int64(min(3, shapeOf(out)[2+i]))
	}
	attrs := d.some(onnx.IntsAttr("strides", []int64{2, 2}))
	if d.opset >= 10 && d.one(5) {
		attrs = []onnx.Attr{onnx.IntAttr("ceil_mode", 1)}
	}
	return d.node("MaxPool", []*onnx.Value{out}, append(attrs, onnx.IntsAttr("kernel_shape", kernel))...)
}

// padNode adds a Pad in the form of the operator set.
func (d *drawer) padNode(v *onnx.Value, axes, pads []int64, value float32) *onnx.Value {
	rank := len(shapeOf(v))
	var mode []onnx.Attr
	if d.one(12) {
		mode = append(mode, onnx.StringAttr("mode", pick(d.dice, "reflect", "edge")))
		for i, a := range axes { // a reflection is shorter than what it is of
			most := int64(shapeOf(v)[a]) - 1
			pads[i], pads[i+len(axes)] = min(max(pads[i], 0), most), min(max(pads[i+len(axes)], 0), most)
		}
	} else if d.one(3) {
		mode = append(mode, onnx.StringAttr("mode", "constant"))
	}
	all := make([]int64, 2*rank)
	for i, a := range axes {
		all[a], all[int(a)+rank] = pads[i], pads[i+len(axes)]
	}
	switch {
	case d.opset < 11:
		return d.node("Pad", []*onnx.Value{v}, append(mode, onnx.IntsAttr("pads", all), onnx.FloatAttr("value", value))...)
	case d.opset >= 18 && d.one(2):
		in := []*onnx.Value{v, d.ints(pads...), nil, nil}
		if value != 0 || d.one(2) {
			in[2] = d.constant(tensor.Scalar(value))
		}
		for i := range axes {
			if d.one(3) {
				axes[i] -= int64(rank)
			}
		}
		in[3] = d.ints(axes...)
		return d.node("Pad", in, mode...)
	case value == 0 && d.one(2):
		return d.node("Pad", []*onnx.Value{v, d.ints(all...)}, mode...)
	default:
		return d.node("Pad", []*onnx.Value{v, d.ints(all...), d.scalar(value)}, mode...)
	}
}

// resize scales the plane.
func (d *drawer) resize(v *onnx.Value) *onnx.Value {
	s := shapeOf(v)
	if len(s) != 4 || d.opset < 11 {
		return nil
	}
	attrs := d.some(
		onnx.StringAttr("coordinate_transformation_mode", pick(d.dice, "half_pixel", "asymmetric", "align_corners", "pytorch_half_pixel")),
		onnx.StringAttr("nearest_mode", pick(d.dice, "floor", "round_prefer_floor", "ceil", "round_prefer_ceil")),
	)
	attrs = append(attrs, onnx.StringAttr("mode", pick(d.dice, "nearest", "nearest", "linear")))
	factor := func() float32 { return pick[float32](d.dice, 2, 1, 0.5, 1.5, 3) }
	roi := (*onnx.Value)(nil)
	if d.opset < 13 { // required, if empty, until then
		roi = d.constant(tensor.From(tensor.Shape{0}, []float32{}))
	}
	if d.opset >= 18 && d.one(3) {
		in := []*onnx.Value{v, nil, d.constant(tensor.From(tensor.Shape{2}, []float32{factor(), factor()}))}
		return d.node("Resize", in, append(attrs, onnx.IntsAttr("axes", []int64{2, 3}))...)
	}
	scales := d.constant(tensor.From(tensor.Shape{4}, []float32{1, 1, factor(), factor()}))
	return d.node("Resize", []*onnx.Value{v, roi, scales}, attrs...)
}
