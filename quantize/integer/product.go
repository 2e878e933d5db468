package integer

import (
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
	"github.com/mpqc/mpqc/quantize"
)

// product is the sum of products of a layer, exact: float32 holds every integer up to 2^24, so where no partial sum can
// exceed that, the float kernels compute it, fused or not and in any order. Wider layers are split into the high and
// the low half of the weight codes; where even that is too wide plain integer loops do it.
type product struct {
	conv  kernel.ConvShape // of a Conv; K = 0 for matrices
	rows  int              // of a matrix product
	cols  int              // output channels
	depth int              // input channels
	trans bool             // weights are cols x depth

	parts  []part
	direct []int8 // weights of the plain loops, nil where the parts are exact
}

// part is weights as floats, to be multiplied by factor.
type part struct {
	weights []float32
	factor  int32
}

// exact is the number of consecutive integers that float32 holds.
const exact = 1 << 24

func newProduct(n *onnx.Node, l *quantize.Layer, x coded, out tensor.Shape, codes []int8) (product, error) {
	p := product{cols: l.OutChannels}
	if l.Kind.Spatial() {
		s, err := convShape(n, x.shape, l.Shape, out)
		if err != nil {
			return p, err
		}
		p.conv = s
	} else {
		p.trans = l.Axis < l.InputAxis
		p.depth = l.Terms()
		if x.shape[len(x.shape)-1] != p.depth {
			return p, fmt.Errorf("input %s does not fit weights %s", x.shape, l.Shape)
		}
		p.rows = x.shape.Numel() / p.depth
	}
	p.split(codes, l, magnitude(x.grid))
	return p, nil
}

// split chooses the parts for inputs of at most so much magnitude.
func (p *product) split(codes []int8, l *quantize.Layer, most int64) {
	fits := func(c []int8) bool { return slices.Max(channelSums(c, l.Shape, l.Axis))*most < exact }
	if len(codes) > 0 && fits(codes) {
		p.parts = []part{{floats(codes), 1}}
		return
	}
	high, low := make([]int8, len(codes)), make([]int8, len(codes))
	for i, c := range codes {
		high[i] = int8((int(c) + 8) >> 4)
		low[i] = c - high[i]<<4
	}
	if len(codes) > 0 && fits(high) && fits(low) {
		p.parts = []part{{floats(high), 16}, {floats(low), 1}}
		return
	}
	p.direct = codes
}

func floats(codes []int8) []float32 {
	f := make([]float32, len(codes))
	for i, c := range codes {
		f[i] = float32(c)
	}
	return f
}

func (p product) scratch() int {
	if p.conv.K == 0 {
		return 0
	}
	return kernel.ConvScratch(p.conv, 1)
}

// run computes the product of the codes of x, less their zero point. The result lies in the worker.
func (p product) run(w *worker, x coded) []int32 {
	codes := w.codes[x.slot]
	if p.direct != nil {
		return p.loops(w, codes, int32(x.grid.Zero))
	}
	in := w.x[:len(codes)]
	for i, c := range codes {
		in[i] = float32(int32(c) - int32(x.grid.Zero))
	}
	n := p.rows * p.cols
	if p.conv.K > 0 {
		n = p.conv.N * p.conv.K * p.conv.OH * p.conv.OW
	}
	acc, sum := w.acc[:n], w.sum[:n]
	for i, part := range p.parts {
		if p.conv.K > 0 {
			w.conv(p.conv).Forward(nil, in, part.weights, sum, w.scratch)
		} else {
			ldb := p.cols
			if p.trans {
				ldb = p.depth
			}
			kernel.Gemm(nil, false, p.trans, p.rows, p.cols, p.depth, 1, in, p.depth, part.weights, ldb, 0, sum, p.cols)
		}
		if i == 0 {
			for j, v := range sum {
				acc[j] = int32(v) * part.factor
			}
			continue
		}
		for j, v := range sum {
			acc[j] += int32(v) * part.factor
		}
	}
	return acc
}

// convShape reads the geometry of a Conv for one sample.
func convShape(n *onnx.Node, x, w, y tensor.Shape) (kernel.ConvShape, error) {
	if len(x) != 4 || len(w) != 4 || len(y) != 4 {
		return kernel.ConvShape{}, fmt.Errorf("shapes %s, %s, %s are not those of a 2-D Conv", x, w, y)
	}
	if auto := n.Str("auto_pad", "NOTSET"); auto != "NOTSET" {
		return kernel.ConvShape{}, fmt.Errorf("auto_pad %s; normalise the model first", auto)
	}
	strides, pads, dil := spatial(n, "strides", 2, 1), spatial(n, "pads", 4, 0), spatial(n, "dilations", 2, 1)
	s := kernel.ConvShape{
		N: x[0], C: x[1], H: x[2], W: x[3], K: w[0], R: w[2], S: w[3],
		StrideH: strides[0], StrideW: strides[1], DilH: dil[0], DilW: dil[1],
		PadT: pads[0], PadL: pads[1], PadB: pads[2], PadR: pads[3],
		Groups: int(n.Int("group", 1)), OH: y[2], OW: y[3],
	}
	if s.Groups < 1 || s.C%s.Groups != 0 || s.K%s.Groups != 0 || w[1]*s.Groups != s.C || slices.Min(strides) < 1 || slices.Min(dil) < 1 || slices.Min(pads) < 0 {
		return s, fmt.Errorf("input %s, weights %s and %d groups do not fit", x, w, s.Groups)
	}
	if oh, ow := s.OutputSize(); oh != s.OH || ow != s.OW || y[1] != s.K || oh < 1 || ow < 1 {
		return s, fmt.Errorf("output %s does not follow from input %s and weights %s", y, x, w)
	}
	return s, nil
}

// spatial reads a list attribute of exactly n integers, def where it is absent or of another length.
func spatial(n *onnx.Node, name string, count, def int) []int {
	out := make([]int, count)
	v := n.Ints(name)
	for i := range out {
		out[i] = def
		if len(v) == count {
			out[i] = int(v[i])
		}
	}
	return out
}
