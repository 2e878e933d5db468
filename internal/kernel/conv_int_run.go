package kernel

import "sync/atomic"

// intRun is the call in progress.
type intRun struct {
	x, y, w, stepW    []float32
	rowStride, stride int // of w: between output channels, between input channels
	inverse           float32
	zero              int32 // what is added to X so that it is not negative
	start             []int32
	scale             []float32
	words, work       []int32
	seen              []int32 // per image and group, bits that occurred in codes
	group             int     // units per task
}

// margins fills the padded words of all workers with codes of zero; what is no margin is overwritten for every image.
func (c *IntConv) margins() {
	var zero int32
	for range c.lanes {
		zero = zero<<(32/c.lanes%32) | c.run.zero
	}
	per := c.perWorker()
	for w := range c.threads {
		padded := c.run.work[w*per+c.turnedX()+c.turnedY()+roundUp(c.wordsOf(), line):][:c.pass.src.size(c.pass.inC)]
		for i := range padded {
			padded[i] = zero
		}
	}
}

// imageWords makes one plane of words, where all are made first.
func (c *IntConv) imageWords(worker, task int) {
	unit, j := task/c.pass.inC, task%c.pass.inC
	seen := c.planeWords(c.run.words[task*c.plane:(task+1)*c.plane], c.run.work[worker*c.perWorker():], unit, j)
	if seen&^0xff != 0 {
		atomic.OrInt32(&c.run.seen[unit], seen)
	}
}

// planeWords makes plane j of the words of a group of an image, or of images abreast, and returns which bits occurred
// in codes.
func (c *IntConv) planeWords(dst, work []int32, unit, j int) (seen int32) {
	first := j * c.lanes
	n := min(c.lanes, c.cg-first)
	from := floats(work)
	if c.pass.abreast == 1 {
		from = c.run.x[(unit*c.cg+first)*c.plane:]
	} else {
		c.turnIn(from, unit, first, n)
	}
	var rows [maxLanes][]float32
	for l := range c.lanes {
		at := min(l, n-1) * c.plane // lanes beyond the channels meet weights of zero
		rows[l] = from[at : at+c.plane]
	}
	return codes(c.pass.isa, dst, &rows, c.run.inverse, c.run.zero)
}

// turnIn lays n channels of x abreast.
func (c *IntConv) turnIn(dst []float32, unit, channel, n int) {
	p := c.pass
	first, images, group := p.block(unit)
	pixels := c.shape.H * c.shape.W
	if images < p.abreast {
		clear(dst[:n*c.plane])
	}
	transpose(dst, p.abreast, c.run.x[(first*c.shape.C+group*c.cg+channel)*pixels:], c.shape.C*pixels, images, n*pixels)
}

// units computes the units of one task.
func (c *IntConv) units(worker, task int) {
	per, n := c.perWorker(), c.tasks()
	for unit := task * c.run.group; unit < min((task+1)*c.run.group, n); unit++ {
		c.unit(unit, c.run.work[worker*per:(worker+1)*per])
	}
}

// unit computes one split of the output channels of one group of one image, or of images abreast.
func (c *IntConv) unit(unit int, mine []int32) {
	p, r := c.pass, &c.run
	split, image := unit%p.splits, unit/p.splits
	turned, mine := mine[:c.turnedX()], mine[c.turnedX():]
	out := floats(mine[:c.turnedY()])
	if p.abreast == 1 {
		out = r.y[image*p.outC*p.outPlane:]
	}
	mine = mine[c.turnedY():]
	words := mine[:c.wordsOf()]
	mine = mine[roundUp(c.wordsOf(), line):]
	var seen int32
	if c.shared {
		words = r.words[image*c.wordsOf() : (image+1)*c.wordsOf()]
		seen = r.seen[image]
	} else {
		for j := range p.inC {
			seen |= c.planeWords(words[j*c.plane:(j+1)*c.plane], turned, image, j)
		}
	}
	if !p.src.direct {
		size := p.src.size(p.inC)
		p.src.fill(floats(mine[:size]), floats(words), p.inC)
		words, mine = mine[:size], mine[size:]
	}
	c.multiply(split, image%p.groups, words, out, floats(mine))
	p.parts[0].deliver(p, split, out, floats(mine))
	if p.abreast > 1 {
		p.turnOut(r.y, out, image, 1, split)
	}
	if seen&^0xff != 0 {
		c.spoil(image, split)
	}
}

// multiply computes one split of the output channels of a group.
func (c *IntConv) multiply(split, group int, words []int32, out, buffer []float32) {
	p, r := c.pass, &c.run
	part := p.parts[0]
	if part.buffered {
		out = buffer[part.bufAt:]
	}
	_, segs := p.isa.tileShape()
	weights := c.weights[group*p.packed:]
	pn, first, last := part.panels(p, split)
	for panel := first; panel < last; panel++ {
		lo, hi := pn.bounds(panel)
		at := group*c.kg + lo
		for q := 0; q < len(part.src); q += segs {
			tileInt(p.isa, hi-lo, part.k, weights[lo*part.k:], words, part.off, part.src[q:], out[lo*part.ldc:], part.dst[q:], part.ldc, r.start[at:], r.scale[at:])
		}
	}
}

// spoil makes NaN of one split of the outputs of those images of a unit that have elements off their range.
func (c *IntConv) spoil(unit, split int) {
	p, s := c.pass, c.shape
	first, images, group := p.block(unit)
	pn, from, to := p.parts[0].panels(p, split)
	for image := first; image < first+images; image++ {
		size := c.cg * s.H * s.W
		if at := (image*s.Groups + group) * size; c.onGrid(c.run.x[at : at+size]) {
			continue
		}
		at := (image*s.Groups + group) * p.outC
		for panel := from; panel < to; panel++ {
			lo, hi := pn.bounds(panel)
			for i := (at + lo) * p.outPlane; i < (at+hi)*p.outPlane; i++ {
				c.run.y[i] = nan
			}
		}
	}
}

// onGrid reports whether all codes lie in 0..255.
func (c *IntConv) onGrid(x []float32) bool {
	for _, v := range x {
		if q := nearest(v, c.run.inverse) + c.run.zero; q&^0xff != 0 {
			return false
		}
	}
	return true
}
