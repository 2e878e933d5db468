package pass

import (
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/onnx/op"
)

// linear is a Conv, ConvTranspose, Gemm or MatMul with constant weights, with the order that the weights have.
type linear struct {
	node          *onnx.Node
	kind          op.Kind
	shape         tensor.Shape // of the weights
	rank          int          // of what is read and of the result
	axis          int          // of channels, in both
	ins, outs     int          // channels
	input, output func(i int) int
}

// linearOf matches a layer whose input's rank is known; nil where it is none. A Gemm has no other settings than transB.
func linearOf(n *onnx.Node) *linear {
	x, v := n.Input(0), n.Input(1)
	if n.Domain() != "" || x == nil || v == nil || !single(n) || x.Const() != nil {
		return nil
	}
	s, known := x.Shape()
	t := v.Const()
	if !known || t == nil || t.DType != tensor.Float32 || t.Shape.Numel() < 1 {
		return nil
	}
	l := &linear{node: n, kind: n.Traits().Kind, shape: t.Shape, rank: len(s)}
	if !l.order() {
		return nil
	}
	if b := n.Input(2); b != nil && (b.Const() == nil || b.Const().DType != tensor.Float32 || b.Const().Shape.Numel() != l.outs) {
		return nil
	}
	return l
}

// order says which channels an element of the weights belongs to.
func (l *linear) order() bool {
	s, group := l.shape, int(l.node.Int("group", 1))
	switch l.kind {
	case op.Conv, op.ConvTranspose:
		if len(s) < 3 || l.rank != len(s) || group < 1 || s[0]%group != 0 {
			return false
		}
		plane := s[2:].Numel()
		first := func(i int) int { return i / plane / s[1] }
		second := func(i int) int { return first(i)/(s[0]/group)*s[1] + i/plane%s[1] }
		l.axis = 1
		if l.outs, l.ins, l.output, l.input = s[0], s[1]*group, first, second; l.kind == op.ConvTranspose {
			l.outs, l.ins, l.output, l.input = l.ins, l.outs, second, first
		}
		return true
	case op.Gemm, op.MatMul:
		if len(s) != 2 || l.rank < 2 || l.kind == op.Gemm && !plainGemm(l.node) {
			return false
		}
		row, column := func(i int) int { return i / s[1] }, func(i int) int { return i % s[1] }
		l.axis = l.rank - 1
		if l.ins, l.outs, l.input, l.output = s[0], s[1], row, column; l.kind == op.Gemm && l.node.Int("transB", 0) != 0 {
			l.ins, l.outs, l.input, l.output = s[1], s[0], column, row
		}
		return true
	}
	return false
}

// plainGemm reports whether a Gemm multiplies and adds only.
func plainGemm(n *onnx.Node) bool {
	return n.Int("transA", 0) == 0 && n.Float("alpha", 1) == 1 && (n.Input(2) == nil || n.Float("beta", 1) == 1)
}

// padded reports whether zeros may be read where the input ends, or an output depends on where it stands.
func (l *linear) padded() bool {
	n := l.node
	if l.kind != op.Conv {
		return l.kind == op.ConvTranspose
	}
	for _, p := range n.Ints("pads") {
		if p != 0 {
			return true
		}
	}
	auto := n.Str("auto_pad", "NOTSET")
	return auto != "NOTSET" && auto != "VALID"
}

// weights are the layer's, which are decoded only where something is done to them.
func (l *linear) weights() []float32 {
	f, _ := tensor.Floats(l.node.Input(1).Const()) // linearOf has seen the type
	return f
}

// bias is the layer's, of zeros where it has none.
func (l *linear) bias() []float64 {
	out := make([]float64, l.outs)
	if v := l.node.Input(2); v != nil {
		f, _ := tensor.Floats(v.Const()) // linearOf has seen the type
		for c := range out {
			out[c] = float64(f[c])
		}
	}
	return out
}

// multiplied are the weights times a factor per channel.
func (l *linear) multiplied(by []float64, channel func(int) int) []float64 {
	weights := l.weights()
	out := make([]float64, len(weights))
	for i, w := range weights {
		out[i] = float64(w) * channelAt(by, channel(i))
	}
	return out
}

// constantTerm is what the weights make of the same input in every place: one number per output channel.
func (l *linear) constantTerm(x []float64) []float64 {
	out := make([]float64, l.outs)
	for i, w := range l.weights() {
		out[l.output(i)] += float64(w) * channelAt(x, l.input(i))
	}
	return out
}

// setInput makes a constant the input of a node, under the name of the one that only this node reads, else under a
// fresh one.
func setInput(g *onnx.Graph, n *onnx.Node, i int, name string, t *tensor.Tensor) error {
	if v := n.Input(i); v != nil {
		if onlyReader(v) == n && v.IsInitializer() {
			return v.SetConst(t)
		}
		name = v.Name()
	}
	v, err := g.AddInitializer(g.FreshName(name), t)
	if err != nil {
		return err
	}
	n.SetInput(i, v)
	return nil
}
