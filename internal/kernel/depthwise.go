package kernel

import "github.com/mpqc/mpqc/internal/par"

// span is the range of outputs [lo, hi) whose tap at shift reads inside [0, n): o*stride+shift.
func span(outputs, stride, shift, n int) (lo, hi int) {
	if shift < 0 {
		lo = (-shift + stride - 1) / stride
	}
	hi = outputs
	if last := n - 1 - shift; last < 0 {
		hi = 0
	} else {
		hi = min(hi, last/stride+1)
	}
	return min(lo, hi), hi
}

// taps calls f for every filter tap t and output row oy that reads input row iy, with the outputs [lo, hi) of that row
// that lie inside, and the input column of output lo.
func (s ConvShape) taps(f func(t, oy, iy, lo, hi, ix int)) {
	for r := range s.R {
		y0, y1 := span(s.OH, s.StrideH, r*s.DilH-s.PadT, s.H)
		for q := range s.S {
			lo, hi := span(s.OW, s.StrideW, q*s.DilW-s.PadL, s.W)
			if lo == hi {
				continue
			}
			for oy := y0; oy < y1; oy++ {
				f(r*s.S+q, oy, oy*s.StrideH-s.PadT+r*s.DilH, lo, hi, lo*s.StrideW-s.PadL+q*s.DilW)
			}
		}
	}
}

// depthwiseForwardGo is [ConvForward] for K = C = Groups: every channel has a filter of its own. In assembly the
// general pass does this with a tile of one row; in Go, row-wise loops without a padded copy are faster.
func depthwiseForwardGo(pool *par.Pool, s ConvShape, x, w, y []float32) {
	in, out, filter := s.H*s.W, s.OH*s.OW, s.R*s.S
	runRows(pool, s.N*s.C, in+out, func(p int) {
		wc := w[p%s.C*filter : (p%s.C+1)*filter]
		xp, yp := x[p*in:(p+1)*in], y[p*out:(p+1)*out]
		clear(yp)
		s.taps(func(t, oy, iy, lo, hi, ix int) {
			row := yp[oy*s.OW+lo : oy*s.OW+hi]
			if s.StrideW == 1 {
				Axpy(wc[t], xp[iy*s.W+ix:iy*s.W+ix+len(row)], row)
				return
			}
			at := iy*s.W + ix
			for i := range row {
				row[i] += float32(wc[t] * xp[at])
				at += s.StrideW
			}
		})
	})
}

// depthwiseBackwardDataGo is [ConvBackwardData] for K = C = Groups.
func depthwiseBackwardDataGo(pool *par.Pool, s ConvShape, w, dy, dx []float32) {
	in, out, filter := s.H*s.W, s.OH*s.OW, s.R*s.S
	runRows(pool, s.N*s.C, in+out, func(p int) {
		wc := w[p%s.C*filter : (p%s.C+1)*filter]
		xp, yp := dx[p*in:(p+1)*in], dy[p*out:(p+1)*out]
		clear(xp)
		s.taps(func(t, oy, iy, lo, hi, ix int) {
			row := yp[oy*s.OW+lo : oy*s.OW+hi]
			if s.StrideW == 1 {
				Axpy(wc[t], row, xp[iy*s.W+ix:iy*s.W+ix+len(row)])
				return
			}
			at := iy*s.W + ix
			for _, v := range row {
				xp[at] += float32(wc[t] * v)
				at += s.StrideW
			}
		})
	})
}
