package pass

import (
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// trace records whose batch the leading dimension of the output is, for operators that keep it.
func (f *batchFolder) trace(n *onnx.Node) {
	if n.Output(0) == nil {
		return
	}
	for _, v := range n.Inputs() {
		if v == nil {
			continue
		}
		if r := f.batchOf(v); r != nil && keepsBatch(n) {
			f.root[n.Output(0)] = r
			return
		}
	}
}

// batchOf is the graph input whose unknown leading dimension is also that of v, or nil.
func (f *batchFolder) batchOf(v *onnx.Value) *onnx.Value {
	s, known := v.Shape()
	if !known || len(s) == 0 || s[0] >= 0 {
		return nil
	}
	if v.IsInput() {
		return v
	}
	return f.root[v]
}

// keepsBatch reports whether an operator passes the leading dimension of its input on.
func keepsBatch(n *onnx.Node) bool {
	switch n.Op() {
	case "Flatten":
		return n.Int("axis", 1) == 1
	case "Gemm":
		return n.Int("transA", 0) == 0
	case "Concat":
		return n.Int("axis", 0) > 0
	case "Transpose":
		p := n.Ints("perm")
		return len(p) > 0 && p[0] == 0
	case "Pad":
		p := constInts(n.Input(1))
		return len(p) > 0 && n.Input(3) == nil && p[0] == 0 && p[len(p)/2] == 0
	case "Slice":
		axes := constInts(n.Input(3))
		return axes != nil && !slices.ContainsFunc(axes, func(a int64) bool { return a <= 0 })
	case "Reshape":
		return reshapeKeepsBatch(n)
	}
	switch n.Traits().Batch {
	case op.BatchKept:
		return true
	case op.BatchByAxes:
		axes := axesOf(n, 1)
		return axes != nil && !slices.ContainsFunc(axes, func(a int64) bool { return a <= 0 })
	default:
		return false
	}
}

// reshapeKeepsBatch reports whether a constant target copies the leading dimension, or infers it while the elements of
// one sample stay together.
func reshapeKeepsBatch(n *onnx.Node) bool {
	target := constInts(n.Input(1))
	if len(target) == 0 || n.Input(0) == nil {
		return false
	}
	if target[0] == 0 && n.Int("allowzero", 0) == 0 {
		return true
	}
	s, known := n.Input(0).Shape()
	rest := int64(1)
	for _, d := range target[1:] {
		rest *= d
	}
	return target[0] == -1 && known && len(s) > 0 && rest > 0 && rest == int64(s[1:].Numel())
}

// axesOf are the axes of a node: an attribute, or in newer operator sets a constant input; nil where neither says.
func axesOf(n *onnx.Node, input int) []int64 {
	if axes := n.Ints("axes"); axes != nil {
		return axes
	}
	return constInts(n.Input(input))
}

// constInts reads a constant vector of integers, nil where it is not one.
func constInts(v *onnx.Value) []int64 {
	if v == nil || v.Const() == nil {
		return nil
	}
	x, err := tensor.Ints(v.Const())
	if err != nil {
		return nil
	}
	return x
}
