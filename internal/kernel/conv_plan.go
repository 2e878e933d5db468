package kernel

import "github.com/mpqc/mpqc/internal/par"

// correlation is a set of output planes that are one matrix product over a source: rows output channels, k products each.
// A convolution's forward pass is one of them; its data gradient is one for each remainder modulo the strides.
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

// convPass is a forward or data-gradient pass: which images and groups there are, and the correlations that make y of x.
type convPass struct {
	isa               ISA
	images, groups    int
	abreast           int // images that make one, see imagesAbreast
	n                 int // of those
	inC, outC         int // per group
	inPlane, outPlane int
	weights           int // per group
	src               source
	parts             []*correlation
	splits            int // pieces of the output channels, where images alone make too few tasks
	together          int // groups that are turned abreast at once
	srcSize           int // of the padded planes
	packed            int // floats of packed weights per group
	buffer            int // floats of the output buffer

	now      passRun
	packTask func(task int)
	unitTask func(worker, task int)
}

// wantTasks is how many tasks a pass tries to have: enough to keep many cores busy to the end.
const wantTasks = 32

// convSource is x as the forward pass and the weight gradient read it.
func convSource(s ConvShape) source {
	lastY, lastX := (s.R-1)*s.DilH, (s.S-1)*s.DilW
	return source{abreast: 1, h: s.H, w: s.W, top: s.PadT, left: s.PadL, strideH: s.StrideH, strideW: s.StrideW,
		rows: lastY/s.StrideH + s.OH, cols: lastX/s.StrideW + s.OW,
		phaseH: min(s.StrideH, lastY+1), phaseW: min(s.StrideW, lastX+1)}
}

func newForward(s ConvShape, isa ISA) *convPass {
	s = s.flat()
	cg, kg := s.C/s.Groups, s.K/s.Groups
	p := &convPass{isa: isa, images: s.N, groups: s.Groups, inC: cg, outC: kg, inPlane: s.H * s.W, outPlane: s.OH * s.OW, weights: kg * cg * s.R * s.S}
	p.src = convSource(s)
	p.layAbreast(s.OH, s.OW)
	p.src.direct = s.H == 1 && s.OW == s.W && s.OW*p.abreast >= segWidth && s.R == 1 && s.S == 1 && s.PadT+s.PadB == 0 && s.StrideH == 1
	k := cg * s.R * s.S
	c := &correlation{rows: kg, k: k, off: make([]int32, 0, k)}
	c.pack = func(dst, w []float32, lo, hi int) { packPanel(dst, w[lo*k:], hi-lo, k, k, 1) }
	for ch := range cg {
		for r := range s.R {
			for q := range s.S {
				c.off = append(c.off, int32(p.src.offset(ch, r*s.DilH, q*s.DilW)))
			}
		}
	}
	c.place(p, s.OH, s.OW, [4]int{1, 1, 0, 0}, s.OW)
	p.finish([]*correlation{c})
	return p
}

// newBackwardData sees dx as a correlation of dy: with stride 1, of all of dy with the flipped filter. With a stride, the
// dx of equal remainder (a, b) read the same subset of taps, and form a correlation each.
func newBackwardData(s ConvShape, isa ISA) *convPass {
	s = s.flat()
	cg, kg := s.C/s.Groups, s.K/s.Groups
	p := &convPass{isa: isa, images: s.N, groups: s.Groups, inC: kg, outC: cg, inPlane: s.OH * s.OW, outPlane: s.H * s.W, weights: kg * cg * s.R * s.S}
	// dy row o reaches dx row i*stride+a through tap r if o = i + (a+pad-r*dil)/stride.
	minY, maxY := shiftRange(s.R, s.StrideH, s.PadT, s.DilH)
	minX, maxX := shiftRange(s.S, s.StrideW, s.PadL, s.DilW)
	p.src = source{h: s.OH, w: s.OW, top: max(0, -minY), left: max(0, -minX), strideH: 1, strideW: 1, phaseH: 1, phaseW: 1}
	p.src.rows = p.src.top + max(0, maxY) + (s.H+s.StrideH-1)/s.StrideH
	p.src.cols = p.src.left + max(0, maxX) + (s.W+s.StrideW-1)/s.StrideW
	p.layAbreast((s.H+s.StrideH-1)/s.StrideH, (s.W+s.StrideW-1)/s.StrideW)
	p.src.direct = s.OH == 1 && s.OW == s.W && s.H == 1 && s.W*p.abreast >= segWidth && s.R == 1 && s.S == 1 && s.PadT+s.PadL == 0 && s.StrideW == 1
	var parts []*correlation
	for a := range min(s.StrideH, s.H) {
		for b := range min(s.StrideW, s.W) {
			parts = append(parts, p.dataPart(s, cg, kg, a, b))
		}
	}
	p.finish(parts)
	for i, c := range parts {
		if next := i + 1; p.abreast == 1 && s.StrideW == 2 && c.x0 == 0 && next < len(parts) && parts[next].x0 == 1 && parts[next].outW >= segWidth {
			c.join, parts[next].joined = parts[next], true
		}
	}
	return p
}

// dataPart is the correlation for dx rows i*StrideH+a and columns j*StrideW+b.
func (p *convPass) dataPart(s ConvShape, cg, kg, a, b int) *correlation {
	var taps []int // of the filter
	var offs []int // in the source, for channel 0
	for r := range s.R {
		for q := range s.S {
			y, x := a+s.PadT-r*s.DilH, b+s.PadL-q*s.DilW
			if y%s.StrideH == 0 && x%s.StrideW == 0 {
				taps = append(taps, r*s.S+q)
				offs = append(offs, p.src.offset(0, p.src.top+y/s.StrideH, p.src.left+x/s.StrideW))
			}
		}
	}
	c := &correlation{rows: cg, k: kg * len(taps), off: make([]int32, 0, kg*len(taps))}
	for k := range kg {
		for _, o := range offs {
			c.off = append(c.off, int32(k*p.src.plane()+o))
		}
	}
	c.pack = func(dst, w []float32, lo, hi int) { packTaps(dst, w, lo, hi, cg, s.R*s.S, taps) }
	c.place(p, (s.H-a+s.StrideH-1)/s.StrideH, (s.W-b+s.StrideW-1)/s.StrideW, [4]int{s.StrideH, s.StrideW, a, b}, s.W)
	return c
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

// shiftRange is the smallest and largest (a+pad-r*dil)/stride that is whole, over taps r and remainders a.
func shiftRange(taps, stride, pad, dil int) (lo, hi int) {
	for r := range taps {
		for a := range stride {
			if v := a + pad - r*dil; v%stride == 0 {
				lo, hi = min(lo, v/stride), max(hi, v/stride)
			}
		}
	}
	return lo, hi
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

// finish derives what all parts need together.
func (p *convPass) finish(parts []*correlation) {
	p.parts, p.packTask, p.unitTask = parts, p.packPanels, p.someUnits
	rows, _ := p.isa.tileShape()
	p.splits = 1
	if tasks := p.n * p.groups; tasks < wantTasks {
		p.splits = min(cutPanels(p.outC, rows).count, (wantTasks+tasks-1)/tasks)
	}
	p.together = 1
	if p.splits == 1 {
		p.together = min(p.groups, max(1, blockFloats/(p.abreast*(p.inC*p.inPlane+p.outC*p.outPlane))))
	}
	p.srcSize = p.src.size(p.inC)
	for _, c := range parts {
		c.packedAt = p.packed
		p.packed += roundUp(c.rows*c.k, line)
		if c.buffered {
			c.bufAt = p.buffer
			p.buffer += roundUp(c.rows*c.ldc, line)
		}
	}
}

// singleRow says that tileRowArch is used: one output channel per group, as in a depthwise convolution.
func (p *convPass) singleRow() bool { return p.outC == 1 && p.isa != Go }

func (p *convPass) perWorker() int { return p.turned() + p.src.size(p.inC) + p.buffer }

func (p *convPass) scratch(threads int) int {
	return p.groups*p.packed + threads*p.perWorker() + 4*line
}

// passRun is the call in progress.
type passRun struct {
	x, w, y      []float32
	packed, work []float32
	started      []bool // per worker
	units, group int    // group is units per task
}

// run computes y from x; for a data gradient these are dy and dx. It allocates nothing from the second call on.
func (p *convPass) run(pool *par.Pool, x, w, y, scratch []float32) {
	threads := pool.Threads()
	ar := newArena(scratch, p.scratch(threads))
	r := &p.now
	r.x, r.w, r.y = x, w, y
	r.packed = ar.take(p.groups * p.packed)
	r.work = ar.take(threads * p.perWorker())
	if len(r.started) < threads {
		r.started = make([]bool, threads)
	}
	clear(r.started)
	rows, _ := p.isa.tileShape()
	pool.Run(p.groups*cutPanels(p.outC, rows).count, p.packTask)
	r.units = p.n * p.groups * p.splits
	r.group = max(p.together, blockFloats/(p.abreast*(p.inC*p.inPlane+p.outC*p.outPlane))) // units so small that a task takes several
	pool.RunWorker((r.units+r.group-1)/r.group, p.unitTask)
	r.x, r.w, r.y, r.packed, r.work = nil, nil, nil, nil, nil
}

// someUnits computes the units of a task.
func (p *convPass) someUnits(worker, task int) {
	r := &p.now
	mine := r.work[worker*p.perWorker() : (worker+1)*p.perWorker()]
	if !r.started[worker] {
		clear(mine[p.turned():][:p.src.size(p.inC)])
		r.started[worker] = true
	}
	sizeIn, sizeOut := p.inC*p.inPlane*p.abreast, p.outC*p.outPlane*p.abreast
	turnedIn, turned := p.turnedIn(), p.turned()
	for unit, end := task*r.group, min((task+1)*r.group, r.units); unit < end; {
		split, image := unit%p.splits, unit/p.splits
		group := image % p.groups
		groups := min(p.together, end-unit, p.groups-group) // more than one only where there are no splits
		in, out := mine, mine[turnedIn:]
		if p.abreast == 1 {
			in, out = r.x[image*sizeIn:], r.y[image*sizeOut:]
		} else {
			p.turnIn(in, r.x, image, groups)
		}
		for i := range groups {
			p.unit(split, group+i, in[i*sizeIn:], out[i*sizeOut:], mine[turned:])
		}
		if p.abreast > 1 {
			p.turnOut(r.y, out, image, groups, split)
		}
		unit += groups
	}
}

// unit computes one split of the output channels of one group of one image, or of images abreast.
func (p *convPass) unit(split, group int, in, out, mine []float32) {
	if !p.src.direct {
		p.src.fill(mine[:p.srcSize], in, p.inC)
		in, mine = mine, mine[p.srcSize:]
	}
	weights := p.now.packed[group*p.packed:]
	for _, c := range p.parts {
		c.run(p, split, weights[c.packedAt:], in, out, mine)
	}
	for _, c := range p.parts {
		c.deliver(p, split, out, mine)
	}
}

// packPanels lays out one panel of the weights of one group, for all parts.
func (p *convPass) packPanels(task int) {
	rows, _ := p.isa.tileShape()
	pn := cutPanels(p.outC, rows)
	group, panel := task/pn.count, task%pn.count
	dst, from := p.now.packed[group*p.packed:(group+1)*p.packed], p.now.w[group*p.weights:(group+1)*p.weights]
	lo, hi := pn.bounds(panel)
	for _, c := range p.parts {
		c.pack(dst[lo*c.k:hi*c.k], from, lo, hi)
		dst = dst[roundUp(c.rows*c.k, line):]
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
