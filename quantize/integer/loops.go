package integer

// loops computes the product with int32 arithmetic. It is the definition that the float kernels are tested against.
func (p product) loops(w *worker, x []uint8, zero int32) []int32 {
	if p.conv.K == 0 {
		return p.matrixLoops(w, x, zero)
	}
	s := p.conv
	out, in := s.K*s.OH*s.OW, s.C*s.H*s.W
	for i := range s.N {
		p.planeLoops(x[i*in:(i+1)*in], zero, w.acc[i*out:(i+1)*out])
	}
	return w.acc[:s.N*out]
}

// planeLoops is a convolution of one sample.
func (p product) planeLoops(x []uint8, zero int32, acc []int32) {
	s := p.conv
	perGroup, filters := s.C/s.Groups, s.K/s.Groups
	for k := range s.K {
		for o := range s.OH * s.OW {
			top, left := o/s.OW*s.StrideH-s.PadT, o%s.OW*s.StrideW-s.PadL
			var sum int32
			for c := range perGroup {
				plane := x[(k/filters*perGroup+c)*s.H*s.W:][:s.H*s.W]
				weights := p.direct[(k*perGroup+c)*s.R*s.S:]
				for t := range s.R * s.S {
					iy, ix := top+t/s.S*s.DilH, left+t%s.S*s.DilW
					if iy >= 0 && iy < s.H && ix >= 0 && ix < s.W {
						sum += int32(weights[t]) * (int32(plane[iy*s.W+ix]) - zero)
					}
				}
			}
			acc[k*s.OH*s.OW+o] = sum
		}
	}
}

func (p product) matrixLoops(w *worker, x []uint8, zero int32) []int32 {
	acc := w.acc[:p.rows*p.cols]
	row, column := 1, p.cols
	if p.trans {
		row, column = p.depth, 1
	}
	for r := range p.rows {
		in := x[r*p.depth:][:p.depth]
		for c := range p.cols {
			var sum int32
			for d, v := range in {
				sum += int32(p.direct[c*row+d*column]) * (int32(v) - zero)
			}
			acc[r*p.cols+c] = sum
		}
	}
	return acc
}
