package quantize

import (
	"cmp"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// IsView reports whether a node only moves or selects elements of its first input (or adds zeros), so that it runs on
// integer codes unchanged and shares the quantization point of what it reads.
func IsView(n *onnx.Node) bool {
	switch n.Op() {
	case "MaxPool":
		return n.Traits().Has(op.View) && len(n.Outputs()) == 1 && !overConstant(n.Input(0))
	case "Pad":
		return n.Traits().Has(op.View) && n.Str("mode", "constant") == "constant" && zeroOrAbsent(n.Input(2))
	default:
		return n.Traits().Has(op.View)
	}
}

// overConstant reports whether a MaxPool reads a plane with a constant around it that is not zero. That may be far
// below all values, so that only the maxima tell what range the codes need: the quantizer belongs behind the MaxPool.
func overConstant(v *onnx.Value) bool {
	for v != nil {
		p := v.Producer()
		switch {
		case p == nil:
			return false
		case p.Op() == "Pad":
			if p.Domain() == "" && !IsView(p) {
				return true
			}
		case p.Op() == "MaxPool" || !IsView(p):
			return false
		}
		v = p.Input(0)
	}
	return false
}

func zeroOrAbsent(v *onnx.Value) bool {
	if v == nil {
		return true
	}
	f, ok := scalar(v)
	return ok && f == 0
}

// scalar reads a constant of one element.
func scalar(v *onnx.Value) (float32, bool) {
	if v == nil || v.Const() == nil || v.Const().Shape.Numel() != 1 {
		return 0, false
	}
	f, err := tensor.Floats(v.Const())
	if err != nil {
		return 0, false
	}
	return f[0], true
}

// root follows views back to the value that carries the quantizer.
func root(v *onnx.Value) *onnx.Value {
	for p := v.Producer(); p != nil && IsView(p) && p.Input(0) != nil; p = v.Producer() {
		v = p.Inputs()[0]
	}
	return v
}

// streamInputs lists the inputs of an operator that can compute between streams; nil for other operators.
func streamInputs(n *onnx.Node) []*onnx.Value {
	if n.Input(0) == nil || n.Output(0) == nil {
		return nil
	}
	switch n.Traits().Stream {
	case op.Joins:
		return n.Inputs()
	case op.Averages:
		return n.Inputs()[:1]
	default:
		return nil
	}
}

// streams finds the operators between quantized layers and the values that derive from quantized layers.
func (b *planner) streams() error {
	for _, n := range b.graph.Nodes() {
		_, isLayer := b.layer[n]
		in := streamInputs(n)
		switch {
		case isLayer || b.norm[n]:
		case len(n.Inputs()) == 0:
			continue
		case IsView(n), n.Traits().Has(op.Absorbed):
			if v := n.Input(0); v == nil || !b.domain[v] {
				continue
			}
		case b.options.Streams && b.options.Outputs && !b.excluded[n] && isActivation(n) && b.domain[n.Input(0)]:
			b.plan.Outputs = true
		case in != nil && !b.excluded[n] && anyOf(in, b.domain) && !b.anyConstant(in):
			b.stream[n] = true
		default:
			continue
		}
		for _, v := range n.Outputs() {
			b.domain[v] = true
		}
	}
	return nil
}

func (b *planner) anyConstant(values []*onnx.Value) bool {
	return slices.ContainsFunc(values, b.constant)
}

// constant reports whether a value is the same for all samples: a constant, or what is computed from constants alone by
// an operator that folding does not know. It has no batch axis, and no codes of its own.
func (b *planner) constant(v *onnx.Value) bool {
	if v == nil || v.Const() != nil {
		return true
	}
	if b.varies == nil {
		b.varies = map[*onnx.Value]bool{}
		for _, x := range b.graph.Inputs() {
			b.varies[x] = true
		}
		for _, n := range b.graph.Nodes() {
			if anyOf(n.Inputs(), b.varies) {
				for _, y := range n.Outputs() {
					b.varies[y] = true
				}
			}
		}
	}
	return !b.varies[v]
}

// points collects the quantization points of layers and streams and sorts them by document order.
func (b *planner) points() error {
	found := map[*onnx.Value]*Point{}
	at := func(v *onnx.Value) *Point {
		v = root(v)
		if found[v] == nil {
			found[v] = &Point{Tensor: v.Name()}
		}
		return found[v]
	}
	for i := range b.plan.Layers {
		l := &b.plan.Layers[i]
		p := at(b.graph.Value(l.Input))
		p.Layers = append(p.Layers, i)
		p.Fixed = p.Fixed || l.Fixed
	}
	if b.options.Streams {
		for _, n := range b.graph.Nodes() {
			if !b.stream[n] {
				continue
			}
			for _, v := range streamInputs(n) {
				at(v).Stream = true
			}
			if out := activated(n.Outputs()[0]); n.Op() == "Add" && len(out.Uses()) > 0 {
				at(out).Stream = true
			}
		}
		if b.options.Outputs {
			b.outputs(found)
		}
	}
	return b.place(found)
}

// activated steps over a Relu or Clip that alone reads a value: the quantizer belongs behind it, where runtimes fuse
// it.
func activated(v *onnx.Value) *onnx.Value {
	uses := v.Uses()
	if v.IsOutput() || len(uses) != 1 || uses[0].Index != 0 {
		return v
	}
	if uses[0].Node.Traits().Has(op.Absorbed) {
		return uses[0].Node.Outputs()[0]
	}
	return v
}

func (b *planner) place(found map[*onnx.Value]*Point) error {
	order := b.order()
	values := make([]*onnx.Value, 0, len(found))
	for v := range found {
		values = append(values, v)
	}
	slices.SortFunc(values, func(x, y *onnx.Value) int { return cmp.Compare(order[x], order[y]) })
	for i, v := range values {
		p := found[v]
		if err := b.describe(v, p); err != nil {
			return err
		}
		b.plan.Roots[p.Tensor] = i
		for _, l := range p.Layers {
			b.plan.Layers[l].Point = i
		}
		b.plan.Points = append(b.plan.Points, *p)
	}
	for _, n := range b.graph.Nodes() {
		if !IsView(n) || n.Input(0) == nil || n.Output(0) == nil {
			continue
		}
		if i, ok := b.plan.Roots[n.Inputs()[0].Name()]; ok {
			b.plan.Roots[n.Outputs()[0].Name()] = i
		}
	}
	return nil
}

// order numbers values as the document lists them: inputs, then outputs of the nodes.
func (b *planner) order() map[*onnx.Value]int {
	order := map[*onnx.Value]int{}
	for _, v := range b.graph.Inputs() {
		order[v] = len(order)
	}
	for _, n := range b.graph.Nodes() {
		for _, v := range n.Outputs() {
			order[v] = len(order)
		}
	}
	return order
}

func (b *planner) describe(v *onnx.Value, p *Point) error {
	shape, known := v.Shape()
	if !known {
		return fmt.Errorf("tensor %s: shape is unknown", v.Name())
	}
	n, ok := perSample(shape)
	if !ok {
		return fmt.Errorf("tensor %s: shape %s has unknown dimensions besides the batch", v.Name(), shape)
	}
	p.Elements, p.Signed, p.Int8 = n, b.signed(v), b.options.Int8
	p.Asymmetric = b.options.ZeroPoints && !p.Int8 && b.oneSided(v)
	if producer := v.Producer(); producer != nil && producer.Op() == "Clip" {
		if hi, ok := scalar(producer.Input(2)); ok {
			p.ClipMax = hi
		}
	}
	p.Candidates = b.activationBits
	if !p.Searched() {
		p.Candidates = []int{fixedBits}
	}
	return nil
}

// signed reports whether a value may be negative, by what produces it.
func (b *planner) signed(v *onnx.Value) bool {
	if s, ok := b.sign[v]; ok {
		return s
	}
	s := b.producesSigned(v)
	b.sign[v] = s
	return s
}

func (b *planner) producesSigned(v *onnx.Value) bool {
	n := v.Producer()
	if n == nil {
		return true
	}
	switch row := n.Traits(); {
	case row.Has(op.Unsigned):
		return false
	case n.Op() == "Clip":
		if lo, ok := scalar(n.Input(1)); ok && lo >= 0 {
			return false
		}
		return n.Input(0) == nil || b.signed(n.Inputs()[0])
	case row.Stream != op.NoStream:
		return slices.ContainsFunc(streamInputs(n), func(x *onnx.Value) bool { return x == nil || b.signed(x) })
	case n.Op() == "Pad":
		if v, constant := scalar(n.Input(2)); constant && v > 0 && n.Input(0) != nil {
			return b.signed(n.Input(0))
		}
	}
	return !IsView(n) || n.Input(0) == nil || b.signed(n.Inputs()[0])
}
