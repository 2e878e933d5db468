package pass

import (
	"github.com/mpqc/mpqc/onnx"
)

// KeepPads keeps a Pad of zeros and the MaxPool behind it apart where they are not one: onnxruntime up to 1.28 merges
// them whatever the values, though its MaxPool pads with less than any, and fails where the padding is as wide as the
// window. A LeakyRelu of slope 1 between them changes no value. It may go once the oldest onnxruntime that files are
// for merges no more.
type KeepPads struct{ always }

// Name names the pass.
func (KeepPads) Name() string { return "pads of maxima" }

// Apply separates every such pair.
func (KeepPads) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		if !zeroPad(n) {
			continue
		}
		pads, _ := spatialPads(n)
		for _, u := range n.Output(0).Uses() {
			if u.Index != 0 || u.Node.Op() != "MaxPool" || u.Node.Domain() != "" || merges(n, u.Node, pads) {
				continue
			}
			x := n.Output(0)
			keep, err := m.Graph.AddNode(onnx.NodeSpec{
				Name: m.Graph.FreshName(u.Node.Name() + "/keep"), Op: "LeakyRelu", Inputs: []*onnx.Value{x},
				Outputs: []string{m.Graph.FreshName(x.Name() + "/kept")}, Attrs: []onnx.Attr{onnx.FloatAttr("alpha", 1)},
			}, u.Node)
			if err != nil {
				return modified, err
			}
			if s, known := x.Shape(); known {
				keep.Output(0).SetType(x.DType(), s)
			}
			u.Node.SetInput(0, keep.Output(0))
			modified = true
		}
	}
	return modified, nil
}

// zeroPad matches a Pad of zeros, of any axes and cropping too.
func zeroPad(n *onnx.Node) bool {
	if n.Op() != "Pad" || n.Domain() != "" || n.Str("mode", "constant") != "constant" || n.Input(0) == nil || n.Output(0) == nil {
		return false
	}
	value, constant := number(n.Input(2))
	return n.Input(2) == nil || constant && value == 0
}

// merges reports whether a MaxPool with the padding of a Pad of zeros computes the same.
func merges(pad, pool *onnx.Node, pads []int64) bool {
	low, bounded := atLeast(pad.Input(0))
	own := pool.Ints("pads")
	if own == nil {
		own = make([]int64, len(pads))
	}
	if pads == nil || !bounded || low < 0 || len(own) != len(pads) {
		return false
	}
	for i := range own {
		own[i] += pads[i]
	}
	return everyWindow(pad.Input(0), pool, own)
}
