package kernel

// convPass is a forward or data-gradient pass: which images and groups there are, and the correlations that make y of
// x.
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
	return source{
		abreast: 1, h: s.H, w: s.W, top: s.PadT, left: s.PadL, strideH: s.StrideH, strideW: s.StrideW,
		rows: lastY/s.StrideH + s.OH, cols: lastX/s.StrideW + s.OW,
		phaseH: min(s.StrideH, lastY+1), phaseW: min(s.StrideW, lastX+1),
	}
}

// newForward plans the forward pass of a shape.
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

// newBackwardData sees dx as a correlation of dy: with stride 1, of all of dy with the flipped filter. With a stride,
// the dx of equal remainder (a, b) read the same subset of taps, and form a correlation each.
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
