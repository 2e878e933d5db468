package pass

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
	"github.com/mpqc/mpqc/onnx/shape"
)

// FreeBatch opens the batch of a model that was exported for one sample at a time, as newer exporters do unless they
// are told otherwise: the leading 1 of its input becomes unknown, and with it the targets of Reshapes and constants
// that are concatenated to samples. It leaves a model alone in which some operator does anything else with that
// dimension.
type FreeBatch struct{ always }

// Name names the pass.
func (FreeBatch) Name() string { return "batch" }

// Apply tries on a copy first, so that a model that cannot be opened stays whole.
func (FreeBatch) Apply(m *onnx.Model) (bool, error) {
	if FixedBatch(m) == nil {
		return false, nil
	}
	if WhyFixedBatch(m) != nil {
		return false, nil //nolint:nilerr // the model stays as it is; who needs the reason asks for it
	}
	return true, openBatch(m)
}

// FixedBatch is the one input of a model whose leading dimension is 1, nil where it is open or there are several
// inputs.
func FixedBatch(m *onnx.Model) *onnx.Value {
	var found *onnx.Value
	for _, v := range m.Graph.Inputs() {
		if v.Const() != nil {
			continue
		}
		if s, known := v.Shape(); found != nil || !known || len(s) < 2 || s[0] != 1 || v.DType() != tensor.Float32 {
			return nil
		}
		found = v
	}
	return found
}

// WhyFixedBatch is why the batch of a model cannot be opened: the operator that is in the way.
func WhyFixedBatch(m *onnx.Model) error { return openBatch(m.Clone()) }

// openBatch rewrites the model; after an error it is in between.
func openBatch(m *onnx.Model) error {
	in := FixedBatch(m)
	if in == nil {
		return fmt.Errorf("open batch: the model has no single float input with a leading 1")
	}
	o := batchOpener{graph: m.Graph, input: in, open: map[*onnx.Value]bool{in: true}}
	for _, n := range m.Graph.Nodes() {
		if err := o.node(n); err != nil {
			return fmt.Errorf("open batch: node %q (%s): %w", n.Name(), n.Op(), err)
		}
	}
	s, _ := in.Shape()
	s = s.Clone()
	s[0] = -1
	in.SetType(tensor.Float32, s)
	for _, n := range m.Graph.Nodes() {
		for _, v := range n.Outputs() {
			if o.open[v] {
				if s, known := v.Shape(); known && len(s) > 0 {
					s = s.Clone()
					s[0] = -1
					v.SetType(v.DType(), s)
				}
			}
		}
	}
	return shape.Infer(m.Graph)
}

// batchOpener follows the batch through the graph.
type batchOpener struct {
	graph *onnx.Graph
	input *onnx.Value
	open  map[*onnx.Value]bool // values whose leading dimension is the batch
}

func (o *batchOpener) node(n *onnx.Node) error {
	if !slices.ContainsFunc(n.Inputs(), func(v *onnx.Value) bool { return v != nil && o.open[v] }) {
		return nil
	}
	for _, v := range n.Outputs() {
		if v == nil {
			continue
		}
		if s, known := v.Shape(); !known || len(s) == 0 || s[0] != 1 {
			return fmt.Errorf("its output %q does not begin with the batch", v.Name())
		}
	}
	switch n.Op() {
	case "Reshape":
		if err := o.reshape(n); err != nil {
			return err
		}
	case "Concat":
		if err := o.concat(n); err != nil {
			return err
		}
	case "MatMul", "Gemm":
		if err := o.product(n); err != nil {
			return err
		}
	default:
		if !keepsBatch(n) && !o.keepsToo(n) {
			return fmt.Errorf("it may use the leading dimension for something else")
		}
	}
	for _, v := range n.Outputs() {
		if v != nil {
			o.open[v] = true
		}
	}
	return nil
}

// keepsToo knows operators that keepsBatch does not need for shape arithmetic.
func (o *batchOpener) keepsToo(n *onnx.Node) bool {
	switch n.Traits().Batch {
	case op.BatchOpened:
		return true
	case op.BatchByAxis:
		return o.otherAxis(n, n.Int("axis", -1))
	case op.BatchByAxes, op.BatchOpenedByAxes:
		axes := axesOf(n, map[bool]int{true: 3, false: 1}[n.Op() == "Slice"])
		return len(axes) > 0 && n.Op() != "Unsqueeze" && !slices.ContainsFunc(axes, func(a int64) bool { return a <= 0 && !o.beforeLast(n, a) })
	default:
		return n.Op() == "Resize" && firstIsOne(n.Input(2)) && n.Input(3) == nil
	}
}

// otherAxis reports whether a node reads the batch and works along another dimension.
func (o *batchOpener) otherAxis(n *onnx.Node, axis int64) bool {
	if s, known := n.Input(0).Shape(); known && axis < 0 {
		axis += int64(len(s))
	}
	return axis > 0 && o.open[n.Input(0)]
}

// beforeLast reports whether a negative axis counts to another dimension than the first.
func (o *batchOpener) beforeLast(n *onnx.Node, axis int64) bool {
	s, known := n.Input(0).Shape()
	return known && axis < 0 && int64(len(s))+axis > 0
}

func firstIsOne(v *onnx.Value) bool {
	if v == nil || v.Const() == nil {
		return false
	}
	f, err := tensor.Floats(v.Const())
	return err == nil && len(f) > 0 && f[0] == 1
}

// reshape opens the leading 1 of a constant target. The count of elements decides a -1 there; where there is one
// already a 0 copies the dimension.
func (o *batchOpener) reshape(n *onnx.Node) error {
	target := slices.Clone(constInts(n.Input(1)))
	if len(target) == 0 || !o.open[n.Input(0)] {
		return fmt.Errorf("its target is not constant")
	}
	s, _ := n.Input(0).Shape()
	out, _ := n.Output(0).Shape()
	if s[1:].Numel() != out[1:].Numel() {
		return fmt.Errorf("it mixes samples")
	}
	if target[0] == 0 && n.Int("allowzero", 0) == 0 || target[0] == -1 {
		return nil
	}
	for k := range target { // 0 stands for a dimension of the input, which need not be at this place any more
		if target[k] == 0 || target[k] == -1 {
			target[k] = int64(out[k])
		}
	}
	target[0] = -1
	c, err := o.graph.AddInitializer(o.graph.FreshName(n.Input(1).Name()+"/open"), tensor.From(tensor.Shape{len(target)}, target))
	if err != nil {
		return err
	}
	n.SetInput(1, c)
	return nil
}

// concat repeats what is concatenated to samples for each of them.
func (o *batchOpener) concat(n *onnx.Node) error {
	out, _ := n.Output(0).Shape()
	if axis := n.Int("axis", 0); axis == 0 || axis == -int64(len(out)) {
		return fmt.Errorf("it concatenates samples")
	}
	for i, v := range n.Inputs() {
		if o.open[v] {
			continue
		}
		x, err := perSample(o.graph, o.input, v, n)
		if err != nil {
			return err
		}
		n.SetInput(i, x)
	}
	return nil
}

// product keeps the batch where it leads the first operand, and the second too if there are rows per sample.
func (o *batchOpener) product(n *onnx.Node) error {
	a, _ := n.Input(0).Shape()
	switch {
	case !o.open[n.Input(0)] || n.Op() == "Gemm" && (n.Int("transA", 0) != 0 || o.open[n.Input(1)]):
		return fmt.Errorf("its first operand does not begin with the batch alone")
	case o.open[n.Input(1)]:
		if b, _ := n.Input(1).Shape(); len(a) != len(b) || len(a) < 3 {
			return fmt.Errorf("it multiplies samples with each other")
		}
	}
	return nil
}

// perSample repeats a float value with a leading 1 for every sample of an input, before a node: the first pixel of
// each sample times zero is added.
func perSample(g *onnx.Graph, input, v *onnx.Value, before *onnx.Node) (*onnx.Value, error) {
	shape, known := v.Shape()
	in, _ := input.Shape()
	if !known || len(shape) == 0 || shape[0] != 1 || v.DType() != tensor.Float32 {
		return nil, fmt.Errorf("%q cannot be repeated for every sample", v.Name())
	}
	k := len(in) - 1 // dimensions of a pixel's place
	starts, ends, axes := make([]int64, k), slices.Repeat([]int64{1}, k), make([]int64, k)
	for i := range axes {
		axes[i] = int64(i + 1)
	}
	target := slices.Repeat([]int64{1}, len(shape))
	target[0] = -1
	var consts []*onnx.Value
	for _, c := range []struct {
		name   string
		values []int64
	}{{"starts", starts}, {"ends", ends}, {"axes", axes}, {"target", target}} {
		x, err := addInts(g, v.Name()+"/"+c.name, c.values...)
		if err != nil {
			return nil, err
		}
		consts = append(consts, x)
	}
	zero, err := g.AddInitializer(g.FreshName(v.Name()+"/zero"), tensor.Scalar(float32(0)))
	if err != nil {
		return nil, err
	}
	batched := func(s tensor.Shape) tensor.Shape {
		s = s.Clone()
		s[0] = in[0]
		return s
	}
	ones := func(rank int) tensor.Shape { return batched(slices.Repeat(tensor.Shape{1}, rank)) }
	return chain(g, before, input, v.Name()+"/repeat", v.Name()+"/repeated", []step{
		{"Slice", consts[:3], ones(len(in)), nil},
		{"Reshape", consts[3:], ones(len(shape)), nil},
		{"Mul", []*onnx.Value{zero}, ones(len(shape)), nil},
		{"Add", []*onnx.Value{v}, batched(shape), nil},
	})
}
