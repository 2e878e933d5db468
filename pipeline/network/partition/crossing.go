package partition

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// CheckCrossing is an error if the core mixes the samples of a batch, or moves the batch away from dimension 0.
// Statistics and scores treat samples one by one, and another batch size would give other results.
func CheckCrossing(m *onnx.Model) error {
	batched := map[*onnx.Value]bool{}
	for _, v := range m.Graph.Inputs() {
		batched[v] = v.Const() == nil
	}
	for _, n := range m.Graph.Nodes() {
		for i, v := range n.Inputs() {
			if v == nil || !batched[v] || v.DType() != tensor.Float32 {
				continue
			}
			if s, known := v.Shape(); known && crosses(n, i, s) {
				return fmt.Errorf("node %q (%s) computes across the samples of a batch: export the model so that the first dimension "+
					"is the batch everywhere, or leave out the layers behind the node with --exclude", n.Name(), n.Op())
			}
		}
		for _, v := range n.Outputs() {
			if v != nil {
				batched[v] = slices.ContainsFunc(reads(n), func(x *onnx.Value) bool { return batched[x] })
			}
		}
	}
	return nil
}

// crosses reports whether node n mixes samples or moves the batch. It reads a batch of shape s as input i.
func crosses(n *onnx.Node, i int, s tensor.Shape) bool {
	if n.Domain() != "" || len(s) == 0 || s[0] >= 0 {
		return false
	}
	first := func(axes []int64) bool {
		return slices.ContainsFunc(axes, func(a int64) bool { return a == 0 || a == -int64(len(s)) })
	}
	switch row := n.Traits(); {
	case row.Has(op.AlongAxis):
		return (i == 0 || row.Max == op.Any) && first([]int64{n.Int("axis", row.Axis)})
	case row.Form == op.Reduced:
		axes, given := axesOf(n, 1)
		if !given {
			return n.Int("noop_with_empty_axes", 0) == 0
		}
		return first(axes)
	}
	switch n.Op() {
	case "Flatten":
		return first([]int64{n.Int("axis", 1)})
	case "Transpose":
		perm := n.Ints("perm")
		return len(s) > 1 && (perm == nil || perm[0] != 0)
	case "Squeeze":
		axes, given := axesOf(n, 1)
		return given && first(axes)
	case "Unsqueeze":
		axes, _ := axesOf(n, 1)
		return slices.ContainsFunc(axes, func(a int64) bool { return a == 0 || a == -int64(len(s)+len(axes)) })
	case "Slice":
		axes, given := axesOf(n, 3)
		return i == 0 && (!given || first(axes)) && !wholeBatch(n)
	case "Pad":
		p, _ := axesOf(n, 1)
		return i == 0 && len(p) == 2*len(s) && (p[0] != 0 || p[len(s)] != 0)
	case "MatMul":
		return len(s) < 2 || i == 1 && len(s) == 2
	}
	return false
}

// wholeBatch reports whether a Slice leaves dimension 0 as it is.
func wholeBatch(n *onnx.Node) bool {
	starts, _ := axesOf(n, 1)
	ends, _ := axesOf(n, 2)
	axes, given := axesOf(n, 3)
	steps, stepped := axesOf(n, 4)
	for k := range starts {
		if given && k < len(axes) && axes[k] != 0 || !given && k > 0 {
			continue
		}
		if starts[k] != 0 || k >= len(ends) || ends[k] < 1<<31-1 || stepped && k < len(steps) && steps[k] != 1 {
			return false
		}
	}
	return true
}

// axesOf returns the integers of the attribute "axes", else of a constant input; false if there are none.
func axesOf(n *onnx.Node, input int) ([]int64, bool) {
	if n.Has("axes") {
		return n.Ints("axes"), true
	}
	v := n.Input(input)
	if v == nil || v.Const() == nil {
		return nil, false
	}
	x, err := tensor.Ints(v.Const())
	return x, err == nil
}
