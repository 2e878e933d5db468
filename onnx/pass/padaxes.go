package pass

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// SpreadPads writes a Pad or Resize of chosen axes, as opset 18 has them, as one of all axes, which means the same.
// Everything behind reads one form then, and onnxruntime (seen with 1.28) moves a Transpose past them without looking
// at their axes.
type SpreadPads struct{ always }

// Name names the pass.
func (SpreadPads) Name() string { return "pad axes" }

// Apply rewrites every Pad and Resize with constant counts and axes whose input has a known rank.
func (SpreadPads) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		if scales := allScales(n); scales != nil {
			v, err := m.Graph.AddInitializer(m.Graph.FreshName(n.Name()+"/scales"), tensor.From(tensor.Shape{len(scales)}, scales))
			if err != nil {
				return modified, err
			}
			n.SetInput(2, v)
			if n.Input(3) != nil {
				n.SetInput(3, nil)
			}
			n.RemoveAttr("axes")
			modified = true
		}
		pads := allPads(n)
		if pads == nil {
			continue
		}
		v, err := m.Graph.AddInitializer(m.Graph.FreshName(n.Name()+"/pads"), tensor.From(tensor.Shape{len(pads)}, pads))
		if err != nil {
			return modified, err
		}
		n.SetInput(1, v)
		n.SetInput(3, nil)
		modified = true
	}
	return modified, nil
}

// allPads are the counts of a Pad for all axes, nil where it names none or they do not fit.
func allPads(n *onnx.Node) []int64 {
	if n.Op() != "Pad" || n.Domain() != "" || n.Input(0) == nil || n.Input(3) == nil || n.Input(3).Const() == nil {
		return nil
	}
	shape, known := n.Input(0).Shape()
	pads, axes := constInts(n.Input(1)), constInts(n.Input(3))
	if !known || len(pads) != 2*len(axes) {
		return nil
	}
	rank := len(shape)
	all, seen := make([]int64, 2*rank), make([]bool, rank)
	for i, axis := range axes {
		a, err := tensor.Axis(axis, rank)
		if err != nil || seen[a] { // the standard leaves a repeated axis open
			return nil
		}
		seen[a] = true
		all[a], all[a+rank] = pads[i], pads[i+len(axes)]
	}
	return all
}

// allScales are the scales of a Resize for all axes, nil where it names none, they do not fit, or no scale gives its
// sizes.
func allScales(n *onnx.Node) []float32 {
	axes := n.Ints("axes")
	if n.Op() != "Resize" || n.Domain() != "" || len(axes) == 0 || n.Input(0) == nil || n.Str("keep_aspect_ratio_policy", "stretch") != "stretch" ||
		n.Str("coordinate_transformation_mode", "half_pixel") == "tf_crop_and_resize" {
		return nil
	}
	shape, known := n.Input(0).Shape()
	sizes := constInts(n.Input(3))
	given := constFloats(n.Input(2))
	if !known || len(sizes) != len(axes) && len(given) != len(axes) {
		return nil
	}
	all, seen := make([]float32, len(shape)), make([]bool, len(shape))
	for i := range all {
		all[i] = 1
	}
	for i, axis := range axes {
		a, err := tensor.Axis(axis, len(shape))
		if err != nil || seen[a] {
			return nil
		}
		seen[a] = true
		if len(sizes) == 0 {
			all[a] = given[i]
			continue
		}
		if shape[a] < 1 {
			return nil
		}
		all[a] = float32(sizes[i]) / float32(shape[a])
		if int64(float32(shape[a])*all[a]) != sizes[i] {
			return nil
		}
	}
	return all
}

// constFloats reads a constant vector of numbers, nil where it is not one.
func constFloats(v *onnx.Value) []float32 {
	if v == nil || v.Const() == nil {
		return nil
	}
	f, err := tensor.Floats(v.Const())
	if err != nil {
		return nil
	}
	return f
}
