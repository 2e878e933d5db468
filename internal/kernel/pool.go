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

// taps is ConvShape.taps for the windows of a pooling.
func (s PoolShape) taps(f func(t, oy, iy, lo, hi, ix int)) {
	ConvShape{H: s.H, W: s.W, R: s.R, S: s.S, StrideH: s.StrideH, StrideW: s.StrideW, PadT: s.PadT, PadL: s.PadL,
		DilH: s.DilH, DilW: s.DilW, OH: s.OH, OW: s.OW}.taps(f)
}

// MaxPoolForward computes y = max over the window of x, and the position of that maximum in its input plane in index
// (N*C*OH*OW; nil if no backward follows). The first of equal maxima counts, and NaN counts as larger than anything.
// A window without a tap gives -Inf and index -1.
func MaxPoolForward(pool *par.Pool, s PoolShape, x, y []float32, index []int32) {
	s.check("MaxPoolForward", x, y)
	in, out := s.H*s.W, s.OH*s.OW
	runRows(pool, s.N*s.C, in, func(p int) {
		best := y[p*out : (p+1)*out]
		for i := range best {
			best[i] = -inf
		}
		if index == nil {
			s.maxValues(x[p*in:(p+1)*in], best)
			return
		}
		arg := index[p*out : (p+1)*out]
		for i := range arg {
			arg[i] = -1
		}
		s.maxIndices(x[p*in:(p+1)*in], best, arg)
	})
}

func (s PoolShape) maxValues(x, best []float32) {
	s.taps(func(_, oy, iy, lo, hi, ix int) {
		row, at := best[oy*s.OW+lo:oy*s.OW+hi], iy*s.W+ix
		for i, b := range row {
			row[i] = max(b, x[at]) // NaN if either is
			at += s.StrideW
		}
	})
}

func (s PoolShape) maxIndices(x, best []float32, arg []int32) {
	s.taps(func(_, oy, iy, lo, hi, ix int) {
		row, args, at := best[oy*s.OW+lo:oy*s.OW+hi], arg[oy*s.OW+lo:oy*s.OW+hi], iy*s.W+ix
		for i, b := range row {
			if v := x[at]; v > b || args[i] < 0 || v != v && b == b {
				row[i], args[i] = v, int32(at)
			}
			at += s.StrideW
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

// factors are 1/divisor of every output of a plane. The divisor is the number of taps inside the plane, or with CountPad
// inside the padded plane: ceil_mode windows may reach beyond the padding, and those taps never count.
func (s PoolShape) factors() []float32 {
	top, bottom, left, right := 0, s.H, 0, s.W
	if s.CountPad {
		top, bottom, left, right = -s.PadT, s.H+s.PadB, -s.PadL, s.W+s.PadR
	}
	count := func(o, stride, pad, taps, dil, lo, hi int) int {
		n := 0
		for t := range taps {
			if at := o*stride - pad + t*dil; at >= lo && at < hi {
				n++
			}
		}
		return n
	}
	f := make([]float32, 0, s.OH*s.OW)
	for oy := range s.OH {
		rows := count(oy, s.StrideH, s.PadT, s.R, s.DilH, top, bottom)
		for ox := range s.OW {
			f = append(f, 1/float32(max(1, rows*count(ox, s.StrideW, s.PadL, s.S, s.DilW, left, right))))
		}
	}
	return f
}

// AvgPoolForward computes y = (Σ window of x) * (1 / divisor), the divisor being the taps inside the plane, or with
// CountPad those inside the padded plane.
func AvgPoolForward(pool *par.Pool, s PoolShape, x, y []float32) {
	s.check("AvgPoolForward", x, y)
	in, out, factors := s.H*s.W, s.OH*s.OW, s.factors()
	runRows(pool, s.N*s.C, in, func(p int) {
		from, to := x[p*in:(p+1)*in], y[p*out:(p+1)*out]
		clear(to)
		s.taps(func(_, oy, iy, lo, hi, ix int) {
			row, at := to[oy*s.OW+lo:oy*s.OW+hi], iy*s.W+ix
			for i := range row {
				row[i] += from[at]
				at += s.StrideW
			}
		})
		Mul(to, factors, to)
	})
}

// AvgPoolBackward computes dx = Σ over windows of dy * (1 / divisor).
func AvgPoolBackward(pool *par.Pool, s PoolShape, dy, dx []float32) {
	s.check("AvgPoolBackward", dx, dy)
	in, out, factors := s.H*s.W, s.OH*s.OW, s.factors()
	runRows(pool, s.N*s.C, in, func(p int) {
		from, to := dy[p*out:(p+1)*out], dx[p*in:(p+1)*in]
		clear(to)
		s.taps(func(_, oy, iy, lo, hi, ix int) {
			row, f, at := from[oy*s.OW+lo:oy*s.OW+hi], factors[oy*s.OW+lo:], iy*s.W+ix
			for i, g := range row {
				to[at] += float32(g * f[i])
				at += s.StrideW
			}
		})
	})
}

// GlobalAvgPoolForward computes y[p] = Σ x[p*hw+i] / hw for each of the planes.
func GlobalAvgPoolForward(x []float32, planes, hw int, y []float32) {
	checkPlanes("GlobalAvgPoolForward", planes, 1, hw, x)
	checkChannels("GlobalAvgPoolForward", planes, y)
	for p := range planes {
		y[p] = float32(Sum(x[p*hw:(p+1)*hw]) / float64(hw))
	}
}

// GlobalAvgPoolBackward computes dx[p*hw+i] = dy[p] / hw.
func GlobalAvgPoolBackward(dy []float32, planes, hw int, dx []float32) {
	checkPlanes("GlobalAvgPoolBackward", planes, 1, hw, dx)
	checkChannels("GlobalAvgPoolBackward", planes, dy)
	for p := range planes {
		fill(dx[p*hw:(p+1)*hw], dy[p]/float32(hw))
	}
}

// fill sets all elements to v.
func fill(x []float32, v float32) {
	if len(x) == 0 {
		return
	}
	x[0] = v
	for n := 1; n < len(x); n *= 2 {
		copy(x[n:], x[:n])
	}
}
