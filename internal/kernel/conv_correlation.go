package kernel

// correlation is a set of output planes that are one matrix product over a source: rows output channels, k products
// each. A convolution's forward pass is one of them; its data gradient is one for each remainder modulo the strides.
type correlation struct {
	rows, k  int
	pack     func(dst, w []float32, lo, hi int) // lays out the weights of rows [lo, hi) for tile
	off      []int32
	src, dst []int32 // of each segment, a multiple of what a tile takes
	ldc      int     // between output channels
	// Outputs that cannot be written in place (narrower than a segment, or strided) go through a buffer with rows of
	// bufCols, and are copied to y[(i*stepH+y0)*width + j*stepW+x0].
	buffered           bool
	bufCols            int
	outH, outW         int // outW, width and out count floats
	stepH, stepW       int
	y0, x0, width, out int // width of an output row and size of an output plane
	abreast            int
	bufAt, packedAt    int
	join               *correlation // of the odd columns, if this is the one of the even columns and they can be joined
	joined             bool         // this is somebody's join
}

// place lays the segments of an outH x outW result over the source. step is strideH, strideW, y0, x0 of where they go.
func (c *correlation) place(p *convPass, outH, outW int, step [4]int, width int) {
	outW *= p.abreast
	c.outH, c.outW, c.abreast = outH, outW, p.abreast
	c.stepH, c.stepW, c.y0, c.x0, c.width, c.out = step[0], step[1], step[2], step[3]*p.abreast, width*p.abreast, p.outPlane*p.abreast
	cols := p.src.cols * p.abreast
	c.buffered = outW < segWidth || c.stepH*c.stepW != 1
	c.ldc, c.bufCols = c.out, outW
	add := func(src, dst int) {
		c.src, c.dst = append(c.src, int32(src)), append(c.dst, int32(dst))
	}
	if outW < segWidth {
		// The result with the source's row length, the columns between them garbage.
		n := roundUp((outH-1)*cols+outW, segWidth)
		for at := 0; at < n; at += segWidth {
			add(at, at)
		}
		c.ldc, c.bufCols = n, cols
	} else {
		for y := range outH {
			for x := 0; x < outW; x += segWidth {
				x := min(x, outW-segWidth) // the last overlaps its neighbour and writes the same values
				add(y*cols+x, y*outW+x)
			}
		}
		if c.buffered {
			c.ldc = outH * outW
		}
	}
	_, segs := p.isa.tileShape()
	if p.singleRow() {
		segs = 8
	}
	for len(c.src)%segs != 0 {
		last := len(c.src) - 1
		c.src, c.dst = append(c.src, c.src[last]), append(c.dst, c.dst[last])
	}
}

// packTaps writes dst[(k*len(taps)+t)*(hi-lo)+c-lo] = w[(k*channels+c)*filter+taps[t]] for all k that dst has room for.
func packTaps(dst, w []float32, lo, hi, channels, filter int, taps []int) {
	m := hi - lo
	if filter == 1 && len(taps) == 1 {
		copyRows(dst, m, w[lo:], channels, len(dst)/m, m)
		return
	}
	for at, k := 0, 0; at < len(dst); k++ {
		from := w[(k*channels+lo)*filter:]
		if len(taps) == filter {
			transpose(dst[at:], m, from, filter, m, filter)
			at += m * filter
			continue
		}
		for _, t := range taps {
			for c := range m {
				dst[at] = from[c*filter+t]
				at++
			}
		}
	}
}

// panels is the range of panels of one split of the output channels.
func (c *correlation) panels(p *convPass, split int) (pn panels, first, last int) {
	rows, _ := p.isa.tileShape()
	pn = cutPanels(c.rows, rows)
	return pn, split * pn.count / p.splits, (split + 1) * pn.count / p.splits
}

// run computes one split of the output channels of one image.
func (c *correlation) run(p *convPass, split int, weights, in, out, buffer []float32) {
	_, segs := p.isa.tileShape()
	target := out
	if c.buffered {
		target = buffer[c.bufAt:]
	}
	if p.singleRow() && c.k > 0 {
		tileRowArch(c.k, weights, in, c.off, c.src, target, c.dst)
		return
	}
	pn, first, last := c.panels(p, split)
	for panel := first; panel < last; panel++ {
		lo, hi := pn.bounds(panel)
		if c.k == 0 { // a stride larger than the filter leaves dx that nothing reads
			clear(target[lo*c.ldc : hi*c.ldc])
			continue
		}
		for q := 0; q < len(c.src); q += segs {
			tile(p.isa, hi-lo, c.k, weights[lo*c.k:], in, c.off, c.src[q:], target[lo*c.ldc:], c.dst[q:], c.ldc, false)
		}
	}
}

// deliver copies one split of a buffered result to where it belongs.
func (c *correlation) deliver(p *convPass, split int, out, buffer []float32) {
	if !c.buffered || c.joined {
		return
	}
	pn, first, last := c.panels(p, split)
	if first == last {
		return
	}
	lo, _ := pn.bounds(first)
	_, hi := pn.bounds(last - 1)
	for ch := lo; ch < hi; ch++ {
		plane, from := out[ch*c.out:(ch+1)*c.out], buffer[c.bufAt+ch*c.ldc:]
		start := c.y0*c.width + c.x0
		switch {
		case c.join != nil:
			c.joinColumns(plane[start:], from, buffer[c.join.bufAt+ch*c.join.ldc:])
		case c.stepW == 1:
			copyRows(plane[start:], c.stepH*c.width, from, c.bufCols, c.outH, c.outW)
		default:
			c.scatter(plane[start:], from)
		}
	}
}

// joinColumns writes this correlation's columns and those of its join alternately. It may have one column more.
func (c *correlation) joinColumns(plane, even, odd []float32) {
	n, stride := c.join.outW, c.stepH*c.width
	if n == c.outW {
		joinRows(plane, stride, even, odd, n, c.outH, n)
		return
	}
	for i := range c.outH {
		joinRows(plane[i*stride:], stride, even[i*c.outW:], odd[i*n:], n, 1, n)
		plane[i*stride+2*n] = even[i*c.outW+n]
	}
}

// scatter writes the columns stepW apart.
func (c *correlation) scatter(plane, from []float32) {
	for i := range c.outH {
		at := i * c.stepH * c.width
		if n := c.abreast; n > 1 {
			for j := 0; j < c.outW; j += n {
				copy(plane[at:at+n], from[i*c.bufCols+j:])
				at += c.stepW * n
			}
			continue
		}
		for _, v := range from[i*c.bufCols : i*c.bufCols+c.outW] {
			plane[at] = v
			at += c.stepW
		}
	}
}
