package pass

import (
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// MergePads moves zero padding of height and width into the Conv or AveragePool that reads it. It is exact only for a
// constant Pad of zeros and explicit padding; an AveragePool must count padded elements and round its size down.
type MergePads struct{ always }

// Name names the pass.
func (MergePads) Name() string { return "pads" }

// Apply merges every match; a Pad that nothing reads any more is removed.
func (MergePads) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		pads := spatialPads(n)
		if pads == nil {
			continue
		}
		y := n.Output(0)
		for _, u := range y.Uses() {
			if u.Index == 0 && merge(n, u.Node, pads) {
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

// spatialPads matches a Pad with constant zeros around the last axes of a picture: begins then ends, as Conv has them.
func spatialPads(n *onnx.Node) []int64 {
	if n.Op() != "Pad" || n.Domain() != "" || n.Str("mode", "constant") != "constant" || n.Input(3) != nil || n.Input(0) == nil || n.Output(0) == nil {
		return nil
	}
	p := constInts(n.Input(1))
	if v := n.Input(2); v != nil && !isZero(v) {
		return nil
	}
	rank := len(p) / 2
	if rank < 3 || slices.ContainsFunc(p, func(x int64) bool { return x < 0 }) {
		return nil
	}
	if p[0] != 0 || p[1] != 0 || p[rank] != 0 || p[rank+1] != 0 {
		return nil
	}
	return slices.Concat(p[2:rank], p[rank+2:])
}

func isZero(v *onnx.Value) bool {
	if v.Const() == nil {
		return false
	}
	f, err := tensor.Floats(v.Const())
	return err == nil && len(f) == 1 && f[0] == 0
}

// merge adds pads to a reader of the Pad, if that is exact.
func merge(pad, n *onnx.Node, pads []int64) bool {
	auto := n.Str("auto_pad", "NOTSET")
	if n.Domain() != "" || (auto != "NOTSET" && auto != "VALID") {
		return false
	}
	own := n.Ints("pads")
	switch n.Op() {
	case "Conv":
	case "AveragePool":
		if n.Int("ceil_mode", 0) != 0 {
			return false
		}
		if n.Int("count_include_pad", 0) == 0 && slices.ContainsFunc(own, func(x int64) bool { return x != 0 }) {
			return false
		}
	default:
		return false
	}
	if own == nil || auto == "VALID" {
		own = make([]int64, len(pads))
	}
	if len(own) != len(pads) {
		return false
	}
	if n.Op() == "AveragePool" {
		n.SetAttr(onnx.IntAttr("count_include_pad", 1))
	}
	for i := range own {
		own[i] += pads[i]
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
		switch n.Op() {
		case "Conv", "MaxPool", "AveragePool":
		default:
			continue
		}
		if n.Domain() != "" || !n.Has("auto_pad") {
			continue
		}
		pads, ok := explicitPads(n)
		if !ok {
			continue
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
