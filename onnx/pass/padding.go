package pass

import (
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// MergePads moves padding of height and width into the Conv or pooling that reads it. It is exact only with explicit
// padding, for Conv and AveragePool of zeros, for MaxPool of a constant that no window takes: see neverTaken. An
// AveragePool must count padded elements, and poolings must round their size down.
type MergePads struct{ always }

// Name names the pass.
func (MergePads) Name() string { return "pads" }

// Apply merges every match; a Pad that nothing reads any more is removed.
func (MergePads) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		pads, value := spatialPads(n)
		if pads == nil {
			continue
		}
		y := n.Output(0)
		for _, u := range y.Uses() {
			if u.Index == 0 && merge(n, u.Node, pads, value) {
				modified = true
			}
		}
		if len(y.Uses()) == 0 && !y.IsOutput() {
			if err := m.Graph.Remove(n); err != nil {
				return modified, err
			}
			modified = true
		}
	}
	return modified, nil
}

// spatialPads matches a Pad with a constant around the last axes of a sample: begins then ends, as Conv has them, and
// the constant.
func spatialPads(n *onnx.Node) (pads []int64, value float32) {
	if n.Op() != "Pad" || n.Domain() != "" || n.Str("mode", "constant") != "constant" || n.Input(3) != nil || n.Input(0) == nil || n.Output(0) == nil {
		return nil, 0
	}
	p := constInts(n.Input(1))
	if v := n.Input(2); v != nil {
		var constant bool
		if value, constant = number(v); !constant {
			return nil, 0
		}
	}
	rank := len(p) / 2
	if rank < 3 || slices.ContainsFunc(p, func(x int64) bool { return x < 0 }) {
		return nil, 0
	}
	if p[0] != 0 || p[1] != 0 || p[rank] != 0 || p[rank+1] != 0 {
		return nil, 0
	}
	return slices.Concat(p[2:rank], p[rank+2:]), value
}

// number reads a constant of one element.
func number(v *onnx.Value) (float32, bool) {
	if v == nil || v.Const() == nil {
		return 0, false
	}
	f, err := tensor.Floats(v.Const())
	if err != nil || len(f) != 1 {
		return 0, false
	}
	return f[0], true
}

// merge adds pads to a reader of the Pad, if that is exact.
func merge(pad, n *onnx.Node, pads []int64, value float32) bool {
	auto := n.Str("auto_pad", "NOTSET")
	if n.Domain() != "" || (auto != "NOTSET" && auto != "VALID") {
		return false
	}
	own := n.Ints("pads")
	switch n.Op() {
	case "Conv":
		if value != 0 {
			return false
		}
	case "AveragePool":
		if value != 0 || n.Int("ceil_mode", 0) != 0 {
			return false
		}
		if n.Int("count_include_pad", 0) == 0 && slices.ContainsFunc(own, func(x int64) bool { return x != 0 }) {
			return false
		}
	case "MaxPool":
	default:
		return false
	}
	if own == nil || auto == "VALID" {
		own = make([]int64, len(pads))
	}
	if len(own) != len(pads) {
		return false
	}
	for i := range own {
		own[i] += pads[i]
	}
	switch n.Op() {
	case "MaxPool":
		if !neverTaken(pad.Input(0), n, own, value) {
			return false
		}
	case "AveragePool":
		n.SetAttr(onnx.IntAttr("count_include_pad", 1))
	}
	n.RemoveAttr("auto_pad")
	n.SetAttr(onnx.IntsAttr("pads", own))
	n.SetInput(0, pad.Input(0))
	return true
}

// ResolvePads replaces auto_pad of Conv and pooling by explicit pads. SAME needs known heights and widths; where they
// are unknown the node stays.
type ResolvePads struct{ always }

// Name names the pass.
func (ResolvePads) Name() string { return "auto_pad" }

// Apply resolves every node it can.
func (ResolvePads) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		if !n.Traits().Has(op.Window) || !n.Has("auto_pad") {
			continue
		}
		pads, ok := explicitPads(n)
		if !ok {
			continue
		}
		if auto := n.Str("auto_pad", ""); auto == "SAME_UPPER" || auto == "SAME_LOWER" {
			n.RemoveAttr("ceil_mode") // these pads make a size that needs no rounding
		}
		n.RemoveAttr("auto_pad")
		if pads != nil {
			n.SetAttr(onnx.IntsAttr("pads", pads))
		}
		modified = true
	}
	return modified, nil
}

// explicitPads computes what auto_pad stands for; nil leaves the pads attribute alone (NOTSET).
func explicitPads(n *onnx.Node) ([]int64, bool) {
	auto := n.Str("auto_pad", "NOTSET")
	if auto == "NOTSET" {
		return nil, true
	}
	x := n.Input(0)
	if x == nil {
		return nil, false
	}
	shape, known := x.Shape()
	kernel := n.Ints("kernel_shape")
	if w := n.Input(1); kernel == nil && w != nil && w.Const() != nil && len(w.Const().Shape) > 2 {
		for _, d := range w.Const().Shape[2:] {
			kernel = append(kernel, int64(d))
		}
	}
	if kernel == nil {
		return nil, false
	}
	pads := make([]int64, 2*len(kernel))
	if auto == "VALID" {
		return pads, true
	}
	if (auto != "SAME_UPPER" && auto != "SAME_LOWER") || !known || len(shape) != len(kernel)+2 {
		return nil, false
	}
	for i, k := range kernel {
		in, stride := int64(shape[i+2]), at(n.Ints("strides"), i)
		if in < 0 || stride <= 0 {
			return nil, false
		}
		out := (in + stride - 1) / stride
		total := max((out-1)*stride+(k-1)*at(n.Ints("dilations"), i)+1-in, 0)
		pads[i], pads[i+len(kernel)] = total/2, total-total/2
		if auto == "SAME_LOWER" {
			pads[i], pads[i+len(kernel)] = total-total/2, total/2
		}
	}
	return pads, true
}

// at is element i of an optional list whose default is all ones.
func at(v []int64, i int) int64 {
	if i < len(v) {
		return v[i]
	}
	return 1
}
