package kernel

import "github.com/mpqc/mpqc/internal/par"

// PoolShape describes a pooling: windows of R x S over the H x W planes of N*C channels.
type PoolShape struct {
	N, C, H, W             int
	R, S                   int
	StrideH, StrideW       int
	PadT, PadL, PadB, PadR int
	DilH, DilW             int
	OH, OW                 int
	CountPad               bool // AveragePool divides by R*S even where the window hangs over (count_include_pad)
}

func (s PoolShape) check(name string, x, y []float32) {
	if s.R < 1 || s.S < 1 || s.StrideH < 1 || s.StrideW < 1 || s.DilH < 1 || s.DilW < 1 {
		panic("kernel: " + name + ": window, strides and dilations must be positive")
	}
	if len(x) < s.N*s.C*s.H*s.W || len(y) < s.N*s.C*s.OH*s.OW {
		panic("kernel: " + name + ": short slice")
	}
}

// window calls f with the input index of every tap of output (oy, ox) that lies inside the plane.
func (s PoolShape) window(oy, ox int, f func(at int)) {
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

// MaxPoolForward computes y = max over the window of x, and the position of that maximum in its input plane in index
// (N*C*OH*OW; nil if no backward follows). The first of equal maxima counts, and NaN counts as larger than anything.
// A window without a tap gives -Inf and index -1.
func MaxPoolForward(pool *par.Pool, s PoolShape, x, y []float32, index []int32) {
	s.check("MaxPoolForward", x, y)
	in, out := s.H*s.W, s.OH*s.OW
	runRows(pool, s.N*s.C, in, func(p int) {
		plane := x[p*in : (p+1)*in]
		for o := range out {
			best, arg := -inf, int32(-1)
			s.window(o/s.OW, o%s.OW, func(at int) {
				if v := plane[at]; arg < 0 || v > best || (v != v && best == best) {
					best, arg = v, int32(at)
				}
			})
			y[p*out+o] = best
			if index != nil {
				index[p*out+o] = arg
			}
		}
	})
}

// MaxPoolBackward computes dx[index] += dy after clearing dx; H*W of s gives the plane size.
func MaxPoolBackward(pool *par.Pool, s PoolShape, dy []float32, index []int32, dx []float32) {
	s.check("MaxPoolBackward", dx, dy)
	in, out := s.H*s.W, s.OH*s.OW
	runRows(pool, s.N*s.C, in, func(p int) {
		plane := dx[p*in : (p+1)*in]
		clear(plane)
		for o, at := range index[p*out : (p+1)*out] {
			if at >= 0 {
				plane[at] += dy[p*out+o]
			}
		}
	})
}

// divisor is what the window of output (oy, ox) is divided by.
func (s PoolShape) divisor(oy, ox int) float32 {
	if s.CountPad {
		return float32(s.paddedTaps(oy, s.StrideH, s.DilH, s.R, s.PadT, s.H+s.PadB) * s.paddedTaps(ox, s.StrideW, s.DilW, s.S, s.PadL, s.W+s.PadR))
	}
	n := 0
	s.window(oy, ox, func(int) { n++ })
	return float32(max(n, 1))
}

// paddedTaps counts taps inside the padded axis: ceil_mode windows may reach beyond the padding, and those taps do not count.
func (s PoolShape) paddedTaps(o, stride, dil, taps, pad, end int) int {
	n := 0
	for t := range taps {
		if o*stride-pad+t*dil < end {
			n++
		}
	}
	return n
}

// AvgPoolForward computes y = Σ window of x / divisor, the divisor being the taps inside the plane, or with CountPad
// those inside the padded plane.
func AvgPoolForward(pool *par.Pool, s PoolShape, x, y []float32) {
	s.check("AvgPoolForward", x, y)
	in, out := s.H*s.W, s.OH*s.OW
	runRows(pool, s.N*s.C, in, func(p int) {
		plane := x[p*in : (p+1)*in]
		for o := range out {
			var sum float32
			s.window(o/s.OW, o%s.OW, func(at int) { sum += plane[at] })
			y[p*out+o] = sum / s.divisor(o/s.OW, o%s.OW)
		}
	})
}

// AvgPoolBackward computes dx = Σ over windows of dy / divisor.
func AvgPoolBackward(pool *par.Pool, s PoolShape, dy, dx []float32) {
	s.check("AvgPoolBackward", dx, dy)
	in, out := s.H*s.W, s.OH*s.OW
	runRows(pool, s.N*s.C, in, func(p int) {
		plane := dx[p*in : (p+1)*in]
		clear(plane)
		for o := range out {
			g := dy[p*out+o] / s.divisor(o/s.OW, o%s.OW)
			s.window(o/s.OW, o%s.OW, func(at int) { plane[at] += g })
		}
	})
}

// GlobalAvgPoolForward computes y[p] = Σ x[p*hw+i] / hw for each of the planes.
func GlobalAvgPoolForward(pool *par.Pool, x []float32, planes, hw int, y []float32) {
	checkPlanes("GlobalAvgPoolForward", planes, 1, hw, x)
	checkChannels("GlobalAvgPoolForward", planes, y)
	runRows(pool, planes, hw, func(p int) {
		y[p] = float32(Sum(x[p*hw:(p+1)*hw]) / float64(hw))
	})
}

// GlobalAvgPoolBackward computes dx[p*hw+i] = dy[p] / hw.
func GlobalAvgPoolBackward(pool *par.Pool, dy []float32, planes, hw int, dx []float32) {
	checkPlanes("GlobalAvgPoolBackward", planes, 1, hw, dx)
	checkChannels("GlobalAvgPoolBackward", planes, dy)
	runRows(pool, planes, hw, func(p int) {
		g := dy[p] / float32(hw)
		row := dx[p*hw : (p+1)*hw]
		for i := range row {
			row[i] = g
		}
	})
}
