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
	abreast          int // floats per column, of as many images
	direct           bool
}

// plane is the number of floats per channel.
func (s *source) plane() int { return s.phaseH * s.phaseW * s.rows * s.cols * s.abreast }

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
	return channel*s.plane() + (phase*s.rows*s.cols+y/s.strideH*s.cols+x/s.strideW)*s.abreast
}

// fill copies c planes of x into dst, whose margins are zero already: everything but the elements of x stays as it was.
func (s *source) fill(dst, x []float32, c int) {
	a := s.abreast
	if s.strideH == 1 && s.strideW == 1 && s.top+s.h <= s.rows && s.left+s.w <= s.cols { // the usual case, one block
		at, size, width, cols := (s.top*s.cols+s.left)*a, s.h*s.w*a, s.w*a, s.cols*a
		for ch := range c {
			copyRows(dst[at+ch*s.rows*cols:], cols, x[ch*size:(ch+1)*size], width, s.h, width)
		}
		return
	}
	for ch := range c {
		plane := x[ch*s.h*s.w*a : (ch+1)*s.h*s.w*a]
		for py := range s.phaseH {
			first, rows := inside(s.strideH, py, s.top, s.h, s.rows)
			if rows == 0 {
				continue
			}
			at := ((ch*s.phaseH+py)*s.phaseW*s.rows*s.cols + first*s.cols) * a
			from := plane[(first*s.strideH+py-s.top)*s.w*a:]
			if s.strideW == 2 && a == 1 && s.split(dst[at:], from, rows) {
				continue
			}
			for px := range s.phaseW {
				s.fillRows(dst[at+px*s.rows*s.cols*a:], from, rows, px)
			}
		}
	}
}

// inside is the range of i < n whose i*stride+phase-pad lies in [0, size).
func inside(stride, phase, pad, size, n int) (first, count int) {
	lo := max(0, (pad-phase+stride-1)/stride)
	hi := min(n, (size-1+pad-phase)/stride+1)
	if size-1+pad < phase || hi <= lo {
		return 0, 0
	}
	return lo, hi - lo
}

// fillRows copies the columns of one phase.
func (s *source) fillRows(dst, from []float32, rows, px int) {
	first, cols := inside(s.strideW, px, s.left, s.w, s.cols)
	if cols == 0 {
		return
	}
	start, a := first*s.strideW+px-s.left, s.abreast
	if s.strideW == 1 {
		copyRows(dst[first*a:], s.cols*a, from[start*a:], s.strideH*s.w*a, rows, cols*a)
		return
	}
	if a > 1 {
		for i := range rows {
			row, at := dst[(i*s.cols+first)*a:], (i*s.strideH*s.w+start)*a
			for j := range cols {
				copy(row[j*a:(j+1)*a], from[at:])
				at += s.strideW * a
			}
		}
		return
	}
	for i := range rows {
		row, at := dst[i*s.cols+first:i*s.cols+first+cols], i*s.strideH*s.w+start
		for j := range row {
			row[j] = from[at]
			at += s.strideW
		}
	}
}

// split copies both phases of a stride of 2 at once, and says whether it could. Columns of x that are even belong to
// the phase of the left margin's parity.
func (s *source) split(dst, from []float32, rows int) bool {
	phase := s.rows * s.cols
	evenPhase, evenAt := s.left%2, s.left/2
	oddPhase, oddAt := 1-evenPhase, (s.left+1)/2
	n := min(s.w/2, s.cols-evenAt, s.cols-oddAt)
	if n < segWidth || evenPhase >= s.phaseW {
		return false
	}
	even, odd := dst[evenPhase*phase+evenAt:], dst[evenPhase*phase+evenAt:]
	if oddPhase < s.phaseW {
		odd = dst[oddPhase*phase+oddAt:]
	}
	splitRows(even, odd, s.cols, from, s.strideH*s.w, rows, n)
	for j := 2 * n; j < s.w; j++ {
		to, at, p := even, evenAt, evenPhase
		if j%2 == 1 {
			to, at, p = odd, oddAt, oddPhase
		}
		if p >= s.phaseW || at+j/2 >= s.cols {
			continue
		}
		for i := range rows {
			to[i*s.cols+j/2] = from[i*s.strideH*s.w+j]
		}
	}
	return true
}
