package integer

import (
	"math"

	"github.com/mpqc/mpqc/onnx"
)

// integerNode compiles an operator whose inputs and output all carry codes, where onnxruntime has a kernel for that;
// false leaves it to float arithmetic.
func (b *builder) integerNode(n *onnx.Node) (bool, error) {
	var compile func(n *onnx.Node, in []coded, to coded) (step, bool)
	switch n.Op() {
	case "Add":
		compile = addStep
	case "Mul":
		compile = mulStep
	case "Concat":
		compile = concatStep
	case "GlobalAveragePool", "AveragePool":
		compile = poolStep
	case "LeakyRelu":
		compile = leakyStep
	default:
		return false, nil
	}
	root, point, ok := b.target(n.Output(0))
	if !ok {
		return false, nil
	}
	var in []coded
	for _, v := range n.Inputs() {
		c, ok := b.coded[v]
		if !ok {
			return false, nil
		}
		in = append(in, c)
	}
	grid, err := b.plan.Root(b.supernet, b.policy, point)
	if err != nil {
		return false, err
	}
	shape, err := b.sample(n.Output(0))
	if err != nil {
		return false, err
	}
	if _, ok := compile(n, in, coded{grid: grid, shape: shape}); !ok {
		return false, nil
	}
	to, err := b.rootSlot(point, root)
	if err != nil {
		return false, err
	}
	s, _ := compile(n, in, to)
	b.emit(s)
	return true, nil
}

// addStep is QLinearAdd on x86-64 with FMA: rint(fma(a, sa/sc, fma(b, sb/sc, zc - ((sa/sc)*za + (sb/sc)*zb)))) with raw
// codes a and b.
func addStep(_ *onnx.Node, in []coded, to coded) (step, bool) {
	if len(in) != 2 || !in[0].shape.Equal(in[1].shape) {
		return nil, false
	}
	a, b, g := in[0], in[1], to.grid
	ra, rb := a.grid.Scale/g.Scale, b.grid.Scale/g.Scale
	// The conversions keep the compiler from fusing what the runtime rounds.
	zeros := float32(ra*float32(a.grid.Zero)) + float32(rb*float32(b.grid.Zero))
	fixed := float32(g.Zero) - zeros
	var second [256]float64
	for c := range second {
		second[c] = fma(float32(c), rb, fixed)
	}
	return func(w *worker) {
		x, y, out := w.codes[a.slot], w.codes[b.slot], w.codes[to.slot]
		for i, c := range x {
			v := float32(float64(c)*float64(ra) + second[y[i]])
			out[i] = clampRound(v, g.Lo, g.Hi)
		}
	}, true
}

// fma is x*y + z with one rounding to float32. The product of two float32 is exact in float64, and the sum is unless z
// is 2^20 times smaller, where it does not matter.
func fma(x, y, z float32) float64 {
	return float64(float32(float64(x)*float64(y) + float64(z)))
}

// clampRound rounds half to even into lo..hi a value that already includes its zero point, without branches that depend
// on the data. Sums of codes stay far below 2^63.
func clampRound(v float32, lo, hi uint8) uint8 {
	return uint8(min(max(int64(math.RoundToEven(float64(v))), int64(lo)), int64(hi)))
}

// mulStep is QLinearMul: rint(float32((a-za)*(b-zb)) * ((sa*sb)/sc) + zc), product and sum rounded apart.
func mulStep(_ *onnx.Node, in []coded, to coded) (step, bool) {
	if len(in) != 2 || !in[0].shape.Equal(in[1].shape) {
		return nil, false
	}
	a, b, g := in[0], in[1], to.grid
	product := a.grid.Scale * b.grid.Scale
	m := product / g.Scale
	za, zb, zero := int32(a.grid.Zero), int32(b.grid.Zero), float32(g.Zero)
	return func(w *worker) {
		x, y, out := w.codes[a.slot], w.codes[b.slot], w.codes[to.slot]
		for i, c := range x {
			v := float32(float32((int32(c)-za)*(int32(y[i])-zb)) * m)
			out[i] = clampRound(v+zero, g.Lo, g.Hi)
		}
	}, true
}

// leakyStep is QLinearLeakyRelu, a table over the codes: v, or alpha*v below zero, of the value of each code,
// quantized.
func leakyStep(n *onnx.Node, in []coded, to coded) (step, bool) {
	f := unary(n, nil)
	if len(in) != 1 || f == nil {
		return nil, false
	}
	x := in[0]
	var table [256]uint8
	for c := range table {
		table[c] = to.grid.Quantize(f(x.grid.Value(uint8(c))))
	}
	return func(w *worker) {
		out := w.codes[to.slot]
		for i, c := range w.codes[x.slot] {
			out[i] = table[c]
		}
	}, true
}

// concatStep is QLinearConcat: each input by way of its value to the grid of the output.
func concatStep(n *onnx.Node, in []coded, to coded) (step, bool) {
	axis := int(n.Int("axis", 0))
	if axis < 0 {
		axis += len(to.shape)
	}
	if axis < 1 || axis >= len(to.shape) {
		return nil, false
	}
	tables := make([]*[256]uint8, len(in))
	for i, c := range in {
		tables[i] = c.grid.Convert(to.grid)
	}
	outer, inner := to.shape[:axis].Numel(), to.shape[axis+1:].Numel()
	return func(w *worker) {
		out := w.codes[to.slot]
		at := 0
		for o := range outer {
			for i, c := range in {
				run := c.shape[axis] * inner
				for _, code := range w.codes[c.slot][o*run : (o+1)*run] {
					out[at] = tables[i][code]
					at++
				}
			}
		}
	}, true
}
