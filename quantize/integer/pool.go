package integer

import (
	"math"

	"github.com/mpqc/mpqc/internal/kernel"
	"github.com/mpqc/mpqc/internal/tensor"
	"github.com/mpqc/mpqc/onnx"
)

// poolStep is QLinearGlobalAveragePool, rint(float32(sum(x - zx)) * (sx/(sy*HW))) + zy, also for an AveragePool over
// the whole plane, or else QLinearAveragePool, rint((sum of values)/count/sy + zy) with a float32 sum in window order.
func poolStep(n *onnx.Node, in []coded, to coded) (step, bool) {
	x := in[0]
	if len(x.shape) != 4 || len(to.shape) != 4 {
		return nil, false
	}
	s := poolShape(n, x.shape, to.shape)
	if n.Op() == "GlobalAveragePool" || (s.R == s.H && s.S == s.W && s.PadT+s.PadL+s.PadB+s.PadR == 0) {
		return globalPool(x, to), true
	}
	if n.Str("auto_pad", "NOTSET") != "NOTSET" || s.DilH != 1 || s.DilW != 1 {
		return nil, false
	}
	return averagePool(s, x, to), true
}

func globalPool(x, to coded) step {
	plane := x.shape[2] * x.shape[3]
	area := to.grid.Scale * float32(plane)
	m := x.grid.Scale / area
	zeros := int32(x.grid.Zero) * int32(plane)
	return func(w *worker) {
		in, out := w.codes[x.slot], w.codes[to.slot]
		for c := range out {
			sum := -zeros
			for _, v := range in[c*plane : (c+1)*plane] {
				sum += int32(v)
			}
			out[c] = to.grid.Code(float32(sum) * m)
		}
	}
}

func averagePool(s kernel.PoolShape, x, to coded) step {
	g := to.grid
	return func(w *worker) {
		in, out := w.codes[x.slot], w.codes[to.slot]
		for i := range out {
			plane := in[i/(s.OH*s.OW)*s.H*s.W:]
			var sum float32
			count := 0
			window(s, i/s.OW%s.OH, i%s.OW, func(at int) {
				sum += x.grid.Value(plane[at])
				count++
			})
			if s.CountPad {
				count = s.R * s.S
			}
			mean := sum / float32(count)
			out[i] = clampRound(float32(mean/g.Scale)+float32(g.Zero), g.Lo, g.Hi)
		}
	}
}

// poolShape reads the geometry of a pooling for one sample; a global one covers the plane.
func poolShape(n *onnx.Node, x, y tensor.Shape) kernel.PoolShape {
	window, strides := spatial(n, "kernel_shape", 2, 0), spatial(n, "strides", 2, 1)
	pads, dil := spatial(n, "pads", 4, 0), spatial(n, "dilations", 2, 1)
	s := kernel.PoolShape{
		N: x[0], C: x[1], H: x[2], W: x[3], R: window[0], S: window[1], StrideH: strides[0], StrideW: strides[1],
		PadT: pads[0], PadL: pads[1], PadB: pads[2], PadR: pads[3], DilH: dil[0], DilW: dil[1],
		OH: y[2], OW: y[3], CountPad: n.Int("count_include_pad", 0) != 0,
	}
	if n.Op() == "GlobalAveragePool" {
		s.R, s.S = s.H, s.W
	}
	return s
}

// window calls f with the index in the plane of every tap that output (oy, ox) has inside it.
func window(s kernel.PoolShape, oy, ox int, f func(at int)) {
	for r := range s.R {
		iy := oy*s.StrideH - s.PadT + r*s.DilH
		if iy < 0 || iy >= s.H {
			continue
		}
		for c := range s.S {
			if ix := ox*s.StrideW - s.PadL + c*s.DilW; ix >= 0 && ix < s.W {
				f(iy*s.W + ix)
			}
		}
	}
}

// maxPool takes the largest element of every window; low where a window has none.
func maxPool[T uint8 | float32](s kernel.PoolShape, x, y []T, low T) {
	for i := range y {
		plane, best := x[i/(s.OH*s.OW)*s.H*s.W:], low
		window(s, i/s.OW%s.OH, i%s.OW, func(at int) { best = max(best, plane[at]) })
		y[i] = best
	}
}

// lowest is the identity of max for floats.
var lowest = float32(math.Inf(-1))
