package pass

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// FoldAffine moves what is added to and multiplied with the input or the result of a layer, by one constant or one per
// channel, into its weights and its bias, and behind a BatchNormalization into gamma and beta. A factor per channel
// behind a two-dimensional Conv becomes a BatchNormalization, as in ScaleToNorm. What is added in front of padding
// stays: padding adds zeros to the sum.
type FoldAffine struct{ always }

// Name names the pass.
func (FoldAffine) Name() string { return "factors and addends" }

// Apply folds every match.
func (FoldAffine) Apply(m *onnx.Model) (bool, error) {
	modified := false
	for _, n := range m.Graph.Nodes() {
		for _, fold := range []func(*onnx.Graph, *onnx.Node) (bool, error){foldBehind, foldBefore, foldIntoNorm} {
			done, err := fold(m.Graph, n)
			if err != nil {
				return modified, fmt.Errorf("%s: %w", n, err)
			}
			modified = modified || done
		}
	}
	return modified, nil
}

// foldBehind folds what stands behind a layer.
func foldBehind(g *onnx.Graph, n *onnx.Node) (bool, error) {
	l := linearOf(n)
	if l == nil {
		return false, nil
	}
	a, nodes := affineBehind(n.Output(0), l.rank, l.axis, l.outs)
	if len(nodes) == 0 || n.Op() == "MatMul" && !a.scales() && isBias(l, nodes) {
		return false, nil
	}
	if n.Op() == "Conv" && l.rank == 4 && !a.uniform() {
		v := func(x []float64) *tensor.Tensor { return tensor.From(tensor.Shape{l.outs}, narrow64(x, l.outs)) }
		return true, scaleToNorm(g, n.Output(0), nodes, v(a.factor), v(a.addend))
	}
	w, b := l.multiplied(a.factor, l.output), both(both(l.bias(), a.factor, times), a.addend, plus)
	if !finite64(w) || !finite64(b) {
		return false, nil
	}
	y, err := l.set(g, w, b, a.scales())
	if err != nil {
		return false, err
	}
	return true, replaceChain(g, nodes, y)
}

// isBias reports whether what is added to a product is all that can be done about it: one addend, and of a matrix one
// per column, which FuseBias takes.
func isBias(l *linear, nodes []*onnx.Node) bool {
	if len(nodes) > 1 {
		return false
	}
	size := func(v *onnx.Value) int { return elements(v.Const()) }
	return l.rank > 2 || nodes[0].Op() == "Add" && max(size(nodes[0].Input(0)), size(nodes[0].Input(1))) == l.outs
}

// foldBefore folds what stands in front of a layer. An addend that has to stay is divided by the factor, which leaves
// the channels' ranges to each other as they are if all have the same.
func foldBefore(g *onnx.Graph, n *onnx.Node) (bool, error) {
	l := linearOf(n)
	if l == nil {
		return false, nil
	}
	x, a, nodes := affineBefore(n.Input(0), l.rank, l.axis, l.ins, false)
	kept := a.shifts() && (l.padded() || n.Op() == "MatMul" && l.rank > 2)
	if kept && (!a.scales() || !a.uniform()) {
		x, a, nodes = affineBefore(n.Input(0), l.rank, l.axis, l.ins, true)
		kept = false
	}
	if len(nodes) == 0 {
		return false, nil
	}
	w, b := l.multiplied(a.factor, l.input), l.bias()
	var rest []float64
	if kept {
		rest = both(a.addend, a.factor, func(x, y float64) float64 { return x / y })
	} else {
		b = both(b, l.constantTerm(a.addend), plus)
	}
	if !finite64(w) || !finite64(b) || !finite64(rest) {
		return false, nil
	}
	if rest != nil {
		var err error
		if x, err = addConstant(g, nodes[0], nodes[0].Name(), x, perAxis(rest, l.rank-l.axis-1)); err != nil {
			return false, err
		}
	}
	n.SetInput(0, x)
	if err := removeChain(g, nodes); err != nil {
		return false, err
	}
	_, err := l.set(g, w, b, a.scales())
	return true, err
}

// set gives a layer other weights, where they are others, and a bias, where it is not zero or there was one. It returns
// the result, which is a MatMul's with an Add behind it.
func (l *linear) set(g *onnx.Graph, w, b []float64, scaled bool) (*onnx.Value, error) {
	n, y := l.node, l.node.Output(0)
	if scaled {
		if err := setInput(g, n, 1, "", tensor.From(l.shape, narrow64(w, len(w)))); err != nil {
			return nil, err
		}
	}
	t := tensor.From(tensor.Shape{l.outs}, narrow64(b, l.outs))
	switch old := n.Input(2); {
	case old == nil && all64(b, 0):
		return y, nil
	case n.Op() == "MatMul":
		return addBehind(g, n, t)
	case old != nil:
		t.Shape = old.Const().Shape
	}
	return y, setInput(g, n, 2, n.Name()+"/bias", t)
}

// addBehind puts an Add of a constant behind a node and returns the sum, which takes over all readers of the result.
func addBehind(g *onnx.Graph, n *onnx.Node, t *tensor.Tensor) (*onnx.Value, error) {
	y := n.Output(0)
	sum, err := addConstant(g, next(g, n), n.Name(), y, t)
	if err != nil {
		return nil, err
	}
	return sum, handOver(g, y, sum)
}

// addConstant adds x + t in front of a node, called after another.
func addConstant(g *onnx.Graph, before *onnx.Node, name string, x *onnx.Value, t *tensor.Tensor) (*onnx.Value, error) {
	c, err := g.AddInitializer(g.FreshName(name+"/addend"), t)
	if err != nil {
		return nil, err
	}
	s, _ := x.Shape()
	return chain(g, before, x, name, x.Name(), []step{{op: "Add", in: []*onnx.Value{c}, shape: s}})
}

// replaceChain puts a value in the place of the result of nodes that each alone read the one before.
func replaceChain(g *onnx.Graph, nodes []*onnx.Node, y *onnx.Value) error {
	last := len(nodes) - 1
	if err := takeOver(g, nodes[last], y); err != nil {
		return err
	}
	return removeChain(g, nodes[:last])
}

// removeChain removes nodes that nothing behind them reads any more, from the last to the first.
func removeChain(g *onnx.Graph, nodes []*onnx.Node) error {
	for _, n := range slices.Backward(nodes) {
		if err := g.Remove(n); err != nil {
			return err
		}
	}
	return nil
}

// perAxis is a constant for channels with so many axes behind theirs.
func perAxis(v []float64, behind int) *tensor.Tensor {
	if len(v) == 1 {
		return tensor.Scalar(float32(v[0]))
	}
	s := tensor.Shape{len(v)}
	for range behind {
		s = append(s, 1)
	}
	return tensor.From(s, narrow64(v, len(v)))
}

// foldIntoNorm folds what stands behind a BatchNormalization into gamma and beta.
func foldIntoNorm(g *onnx.Graph, n *onnx.Node) (bool, error) {
	if n.Op() != "BatchNormalization" || n.Domain() != "" || !single(n) || n.Int("training_mode", 0) != 0 || n.Input(0) == nil {
		return false, nil
	}
	s, known := n.Input(0).Shape()
	var params [2][]float64
	for i := range params {
		v := n.Input(1 + i)
		if v == nil || v.Const() == nil || len(v.Const().Shape) != 1 {
			return false, nil
		}
		if params[i] = alongAxis(v.Const(), 1, 0, v.Const().Shape[0]); params[i] == nil {
			return false, nil
		}
	}
	channels := len(params[0])
	if !known || len(s) < 2 || len(params[1]) != channels {
		return false, nil
	}
	a, nodes := affineBehind(n.Output(0), len(s), 1, channels)
	gamma, beta := both(params[0], a.factor, times), both(both(params[1], a.factor, times), a.addend, plus)
	if len(nodes) == 0 || !finite64(gamma) || !finite64(beta) {
		return false, nil
	}
	for i, p := range [][]float64{gamma, beta} {
		if err := setInput(g, n, 1+i, "", tensor.From(tensor.Shape{channels}, narrow64(p, channels))); err != nil {
			return false, err
		}
	}
	return true, replaceChain(g, nodes, n.Output(0))
}
