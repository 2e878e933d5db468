package kernel

import (
	"math"

	"github.com/mpqc/mpqc/internal/par"
)

// IntConv is the forward pass of a convolution whose operands lie on grids, in exact integer arithmetic:
//
//	y[n,k,oy,ox] = float32(Σ X[n,c,iy,ix] * W[k,c,r,q]) * float32(stepX*stepW[k])
//
// with the whole numbers X = x/stepX and W = w/stepW[k], the sum over what [ConvForward] sums over, in int32. X lies in
// 0..255 for unsigned and in -128..127 for signed x, W in -128..127. All instruction sets agree to the bit. An image
// with an element off its range, NaN included, has NaN outputs, and so has a channel with such a weight.
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
