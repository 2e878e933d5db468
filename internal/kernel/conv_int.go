package kernel

import (
	"math"
	"sync/atomic"
	"unsafe"

	"github.com/mpqc/mpqc/internal/par"
)

// IntConv is the forward pass of a convolution whose operands lie on grids, in exact integer arithmetic:
//
//	y[n,k,oy,ox] = float32(Σ X[n,c,iy,ix] * W[k,c,r,q]) * float32(stepX*stepW[k])
//
// with the whole numbers X = x/stepX and W = w/stepW[k], the sum over what [ConvForward] sums over, in int32. X lies in
// 0..255 for unsigned and in -128..127 for signed x, W in -128..127. All instruction sets agree to the bit. An image with
// an element off its range, NaN included, has NaN outputs, and so has a channel with such a weight.
//
// An IntConv keeps tables and packed weights between calls and allocates nothing in them. It belongs to one goroutine.
type IntConv struct {
	shape   ConvShape // as the caller has it
	pass    *convPass // of words, each as many channels of a pixel as the instruction set multiplies at once
	lanes   int
	cg, kg  int // channels per group
	plane   int // pixels of x, of all images abreast
	threads int
	shared  bool // words of x are made before all else, because several tasks read those of an image

	signed  bool    // x
	offset  int32   // what is added to a signed x so that it is not negative
	weights []int32 // packed
	sums    []int32 // of the weights per output channel, if x is signed
	invalid []bool  // weights off their range, per output channel

	rows, columns []int32 // working memory of Weights, per thread

	run                        intRun
	packTask, wordTask, unitIn func(worker, task int)
}

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

// MaxIntTerms is the number of products whose sum is certain to fit int32; NewIntConv wants no more.
const MaxIntTerms = math.MaxInt32 / (255 * 128)

// NewIntConv prepares the convolution of signed or unsigned x for at most that many threads. It computes with the
// instruction set that is active now.
func NewIntConv(s ConvShape, signed bool, threads int) *IntConv {
	if oh, ow := s.OutputSize(); s.Groups < 1 || s.C%s.Groups != 0 || s.K%s.Groups != 0 || s.OH != oh || s.OW != ow || s.C/s.Groups*s.R*s.S > MaxIntTerms {
		panic("kernel: NewIntConv: bad convolution shape")
	}
	isa := intISA()
	c := &IntConv{shape: s, signed: signed, offset: 128, lanes: isa.lanes(), cg: s.C / s.Groups, kg: s.K / s.Groups, threads: max(1, threads)}
	words := s
	words.N = max(1, s.N)
	words.C = s.Groups * ((c.cg + c.lanes - 1) / c.lanes)
	c.pass = newForward(words, isa)
	c.shared = c.pass.splits > 1
	c.plane = s.H * s.W * c.pass.abreast
	c.weights = alignedInts(s.Groups * c.pass.packed)
	c.sums, c.invalid = make([]int32, s.K), make([]bool, s.K)
	c.run.start, c.run.scale, c.run.seen = make([]int32, s.K), make([]float32, s.K), make([]int32, c.pass.n*s.Groups)
	c.prepareWeights()
	c.packTask, c.wordTask, c.unitIn = c.packPanel, c.imageWords, c.units
	return c
}

func alignedInts(n int) []int32 { return ints(newArena(nil, n+line).take(n)) }

// ints and floats view the same bits as the other type: the source of a convolution is copied as floats, whatever it holds.
func ints(x []float32) []int32 {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*int32)(unsafe.Pointer(&x[0])), len(x))
}

func floats(x []int32) []float32 {
	if len(x) == 0 {
		return nil
	}
	return unsafe.Slice((*float32)(unsafe.Pointer(&x[0])), len(x))
}

// wordsOf is the number of words of one group of an image.
func (c *IntConv) wordsOf() int { return c.pass.inC * c.plane }

// perWorker is the working memory of a task: words, padded words and the output buffer.
func (c *IntConv) perWorker() int {
	return roundUp(c.wordsOf(), line) + c.turnedX() + c.turnedY() + c.pass.src.size(c.pass.inC) + c.pass.buffer
}

// turnedX and turnedY are the floats of working memory for one word's channels of x, and for y, with images abreast.
func (c *IntConv) turnedX() int {
	if c.pass.abreast == 1 {
		return 0
	}
	return roundUp(c.lanes*c.plane, line)
}

func (c *IntConv) turnedY() int { return c.pass.turned() - c.pass.turnedIn() }

// Scratch is the number of floats of working memory that Forward wants.
func (c *IntConv) Scratch() int {
	n := c.threads*c.perWorker() + 2*line
	if c.shared {
		n += roundUp(c.pass.n*c.shape.Groups*c.wordsOf(), line)
	}
	return n
}

// Offset makes the range of a signed x -zero..255-zero in the following runs, with zero in 0..255. At first it is 128.
func (c *IntConv) Offset(zero int) { c.offset = int32(zero) }

// Forward computes y. Less scratch than asked for makes it allocate.
func (c *IntConv) Forward(pool *par.Pool, x []float32, stepX float32, y, scratch []float32) {
	s, r := c.shape, &c.run
	if len(x) < s.N*s.C*s.H*s.W || len(y) < s.N*s.K*s.OH*s.OW || len(r.stepW) != s.K || pool.Threads() > c.threads {
		panic("kernel: IntConv: short slice, no weights, or too many threads")
	}
	r.x, r.y, r.inverse, r.zero = x, y, 1/stepX, 0
	if c.signed {
		r.zero = c.offset
	}
	for k, step := range r.stepW {
		r.start[k] = -r.zero * c.sums[k]
		r.scale[k] = float32(float64(stepX) * float64(step))
		if c.invalid[k] {
			r.scale[k] = nan
		}
	}
	ar := newArena(scratch, c.Scratch())
	p, units := c.pass, c.tasks()
	r.work = ints(ar.take(c.threads * c.perWorker()))
	c.margins()
	clear(r.seen)
	if c.shared {
		r.words = ints(ar.take(p.n * s.Groups * c.wordsOf()))
		pool.RunWorker(units/p.splits*p.inC, c.wordTask)
	}
	r.group = max(1, blockFloats/(c.cg*c.plane+p.outC*p.outPlane*p.abreast)) // units so small that a task takes several
	pool.RunWorker((units+r.group-1)/r.group, c.unitIn)
	r.x, r.y, r.words, r.work = nil, nil, nil, nil
}

// tasks is the number of units.
func (c *IntConv) tasks() int {
	if c.shape.N == 0 {
		return 0
	}
	return c.pass.n * c.pass.groups * c.pass.splits
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

// planeWords makes plane j of the words of a group of an image, or of images abreast, and returns which bits occurred in
// codes.
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
