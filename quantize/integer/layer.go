package integer

import (
	"fmt"

	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// layerNode compiles layer i: an exact integer product, its bias, and what the runtime makes of it. For codes that is
// rint(float32(acc) * ((sx*sw)/sy)) + zero, in float32 (QLinearConv, QGemm); for a float output float32(acc) * (sx*sw).
func (b *builder) layerNode(n *onnx.Node, i int) error {
	l := &b.plan.Layers[i]
	x, err := b.layerInput(n, i)
	if err != nil {
		return err
	}
	w, a := b.plan.Bits(b.policy, i)
	folded, err := quantize.Fold(*l, b.supernet, w, a, x.grid.Scale)
	if err != nil {
		return err
	}
	out := b.graph.Value(l.Output)
	if out == nil {
		return fmt.Errorf("output %q is not in the model", l.Output)
	}
	shape, err := b.sample(out)
	if err != nil {
		return err
	}
	p, err := newProduct(n, l, x, shape, folded.Codes)
	if err != nil {
		return err
	}
	b.net.sums = max(b.net.sums, x.shape.Numel(), shape.Numel())
	b.net.scratch = max(b.net.scratch, p.scratch())
	scale := make([]float32, l.OutChannels)
	for k, s := range folded.Scale {
		scale[k] = x.grid.Scale * s
	}
	bias := folded.Bias
	if bias == nil {
		bias = make([]int32, l.OutChannels)
	}
	e := epilogue{bias: bias, scale: scale, inner: 1}
	if l.Kind.Spatial() {
		e.inner = shape[2:].Numel()
	}
	if root, point, ok := b.target(out); ok {
		to, err := b.rootSlot(point, root)
		if err != nil {
			return err
		}
		b.emit(e.codes(x, p, to))
		return nil
	}
	if l.Kind.Spatial() {
		b.inexact(n)
	}
	slot := b.floatSlot(shape)
	b.raw[out] = slot
	b.emit(e.floats(x, p, slot))
	return b.quantizeRaw(out)
}

// layerInput is the codes that layer i reads: those of the value, or narrower ones made from a stream.
func (b *builder) layerInput(n *onnx.Node, i int) (coded, error) {
	l := &b.plan.Layers[i]
	v := n.Input(0)
	c, ok := b.coded[v]
	if !ok {
		return coded{}, fmt.Errorf("input %q has no codes", v.Name())
	}
	grid, stream, err := b.plan.Read(b.supernet, b.policy, i)
	if err != nil {
		return coded{}, err
	}
	if !b.plan.Points[l.Point].Stream || stream {
		return c, nil
	}
	_, a := b.plan.Bits(b.policy, i)
	key := quantize.CodesKey(v.Name(), a, false)
	if r, ok := b.requantized[key]; ok {
		return r, nil
	}
	r := b.codeSlot(c.shape, grid)
	b.convert(c, r)
	b.requantized[key] = r
	b.net.taps = append(b.net.taps, tap{key, r.slot, r.shape})
	return r, nil
}

// epilogue is what follows the product, per output channel; element i of a sample is of channel i/inner mod channels.
type epilogue struct {
	bias  []int32
	scale []float32
	inner int
}

func (e epilogue) codes(x coded, p product, to coded) step {
	m := make([]float32, len(e.scale))
	for k, s := range e.scale {
		m[k] = s / to.grid.Scale
	}
	return func(w *worker) {
		acc, y := p.run(w, x), w.codes[to.slot]
		e.each(len(y), func(k, first, last int) {
			to.grid.Codes(acc[first:last], e.bias[k], m[k], y[first:last])
		})
	}
}

func (e epilogue) floats(x coded, p product, slot int) step {
	return func(w *worker) {
		acc, y := p.run(w, x), w.floats[slot]
		e.each(len(y), func(k, first, last int) {
			for i := first; i < last; i++ {
				y[i] = float32(acc[i]+e.bias[k]) * e.scale[k]
			}
		})
	}
}

// each calls f with every run of elements of one channel.
func (e epilogue) each(n int, f func(k, first, last int)) {
	for i, k := 0, 0; i < n; i += e.inner {
		f(k, i, i+e.inner)
		if k++; k == len(e.bias) {
			k = 0
		}
	}
}

// magnitude is the largest distance of a grid's codes from its zero point.
func magnitude(g quantize.Grid) int64 {
	return max(int64(g.Zero)-int64(g.Lo), int64(g.Hi)-int64(g.Zero))
}

// channelSums adds up |weight| per output channel.
func channelSums(codes []int8, shape tensor.Shape, axis int) []int64 {
	inner := shape[axis+1:].Numel()
	sums := make([]int64, shape[axis])
	for i, c := range codes {
		sums[i/inner%len(sums)] += abs(int64(c))
	}
	return sums
}

func abs(v int64) int64 {
	if v < 0 {
		return -v
	}
	return v
}
