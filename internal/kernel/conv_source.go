package kernel

// source is a zero-padded copy of some planes, laid out so that every filter tap reads neighbours where the output has
// neighbours: with a stride, the rows and columns of equal remainder form a plane of their own (a phase), so a strided
// convolution reads contiguously too.
type source struct {
	h, w             int // of a plane as it lies in the tensor
	top, left        int // zeros before the first row and column
	strideH, strideW int
	rows, cols       int // of one phase
	phaseH, phaseW   int // phases kept: fewer than the strides if no tap reads the others
	direct           bool
}

// plane is the number of floats per channel.
func (s *source) plane() int { return s.phaseH * s.phaseW * s.rows * s.cols }

// size is the number of floats that hold c channels, and the reads of the last segment beyond them.
func (s *source) size(c int) int {
	if s.direct {
		return 0
	}
	return roundUp(c*s.plane()+2*segWidth, line)
}

// offset is where the tap at (y, x) of the padded image lies for output (0, 0).
func (s *source) offset(channel, y, x int) int {
	phase := y%s.strideH*s.phaseW + x%s.strideW
	return channel*s.plane() + phase*s.rows*s.cols + y/s.strideH*s.cols + x/s.strideW
}

// fill copies c planes of x.
func (s *source) fill(dst, x []float32, c int) {
	at := 0
	for ch := range c {
		plane := x[ch*s.h*s.w : (ch+1)*s.h*s.w]
		for py := range s.phaseH {
			for px := range s.phaseW {
				for r := range s.rows {
					row := dst[at : at+s.cols]
					at += s.cols
					if y := r*s.strideH + py - s.top; y >= 0 && y < s.h {
						s.fillRow(row, plane[y*s.w:(y+1)*s.w], px-s.left)
					} else {
						clear(row)
					}
				}
			}
		}
	}
	clear(dst[at:])
}

// fillRow writes row[j] = x[start+j*stride], zero outside x.
func (s *source) fillRow(row, x []float32, start int) {
	lo := 0
	if start < 0 {
		lo = min((-start+s.strideW-1)/s.strideW, len(row))
	}
	hi := lo
	if first := start + lo*s.strideW; first < len(x) {
		hi = min(len(row), lo+(len(x)-first+s.strideW-1)/s.strideW)
	}
	clear(row[:lo])
	if s.strideW == 1 {
		copy(row[lo:hi], x[start+lo:])
	} else {
		for j, at := lo, start+lo*s.strideW; j < hi; j, at = j+1, at+s.strideW {
			row[j] = x[at]
		}
	}
	clear(row[hi:])
}
