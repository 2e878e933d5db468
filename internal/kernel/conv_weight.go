package kernel

import "github.com/mpqc/mpqc/internal/par"

// weightPass computes weight gradients. The sum runs over pixels, so both x and dy are turned pixel-major first: then
// the channels of a tap are neighbours, and a step of the sum is an offset into x. Images are cut into parts fixed by
// the shape; each part has its own sums, and parts are added in order. Where planes are small, few parts keep the sums
// long; then several tasks split the output channels of a part, and x is turned once for all of them.
type weightPass struct {
	s                    ConvShape
	isa                  ISA
	cg, kg, cp           int // channels per group in and out; cg rounded up to whole segments
	rows, cols           int // of the padded image
	parts, splits, batch int // parts of the images, pieces of the output channels, images per product
	ldc                  int // floats of sums per output channel
	shared               bool
	swapped              bool // x and dy have changed places, and so have C and K
	off, src, dst        []int32

	now        weightRun
	turned     []float32 // x of all images, group by group, if shared
	turnTask   func(task int)
	sumTask    func(worker, task int)
	reduceTask func(k int)
}

// weightParts bounds the number of parts, and weightSums the floats all their sums may take.
const (
	weightParts = 16
	weightSums  = 1 << 22
	// batchPixels is the length of a sum that pays for reading and writing the tile of sums, and whose panel of dy fits
	// L1.
	batchPixels = 512
	// partPixels is the length of the sum of a part that pays for adding parts up, and weightTurned the floats that x
	// may take where tasks share it.
	partPixels   = 256
	weightTurned = 1 << 20
)

// newBackwardWeight plans the gradient of the weights.
func newBackwardWeight(s ConvShape, isa ISA) *weightPass {
	s = s.flat()
	swapped := s.swap(isa)
	if swapped {
		s.C, s.K = s.K, s.C
	}
	p := &weightPass{s: s, isa: isa, cg: s.C / s.Groups, kg: s.K / s.Groups, swapped: swapped}
	p.turnTask, p.sumTask, p.reduceTask = p.turnImage, p.sumPart, p.reduce
	p.cp = roundUp(p.cg, segWidth)
	p.rows, p.cols = (s.OH-1)*s.StrideH+(s.R-1)*s.DilH+1, (s.OW-1)*s.StrideW+(s.S-1)*s.DilW+1
	maxRows, segs := isa.tileShape()
	taps := s.R * s.S
	p.ldc = roundUp(taps*p.cp, segs*segWidth)
	p.parts = max(1, min(s.N, weightParts, weightSums/(s.K*p.ldc)))
	if s.Groups*s.N*p.imageX() <= weightTurned {
		p.parts = max(1, min(p.parts, s.N*s.OH*s.OW/partPixels))
	}
	p.splits = min(cutPanels(p.kg, maxRows).count, (weightParts+p.parts-1)/p.parts)
	p.shared = p.splits > 1 && s.Groups*s.N*p.imageX() <= weightTurned
	p.batch = max(1, min(batchPixels/(s.OH*s.OW), s.N/p.parts))
	for g := range p.batch {
		for y := range s.OH {
			for x := range s.OW {
				p.off = append(p.off, int32(((g*p.rows+y*s.StrideH)*p.cols+x*s.StrideW)*p.cp))
			}
		}
	}
	for r := range s.R {
		for q := range s.S {
			for c := 0; c < p.cp; c += segWidth {
				p.src = append(p.src, int32((r*s.DilH*p.cols+q*s.DilW)*p.cp+c))
				p.dst = append(p.dst, int32(len(p.dst)*segWidth))
			}
		}
	}
	for len(p.src)%segs != 0 {
		// Sums nobody reads; neighbours as the others are, so that the tile stays of the faster kind.
		p.src, p.dst = append(p.src, int32(len(p.src)*segWidth%p.cp)), append(p.dst, int32(len(p.dst)*segWidth))
	}
	return p
}

// swap says that the weight gradient of a 1x1 filter, a product of x and dy in either order, is to be computed
// transposed: input channels would leave more of the last tile empty than output channels do.
func (s ConvShape) swap(isa ISA) bool {
	if s.R*s.S*s.StrideH*s.StrideW != 1 || s.PadT+s.PadL+s.PadB+s.PadR != 0 {
		return false
	}
	_, segs := isa.tileShape()
	waste := func(channels int) float64 { return float64(roundUp(channels, segs*segWidth)) / float64(channels) }
	return waste(s.C/s.Groups) > 1.1*waste(s.K/s.Groups)
}

// imageX is the floats of the turned x of a group of an image, sizeX those of a worker.
func (p *weightPass) imageX() int { return p.rows * p.cols * p.cp }

func (p *weightPass) sizeX() int {
	if p.shared {
		return 0
	}
	return roundUp(p.batch*p.imageX(), line)
}

// sizeShared is the floats of x turned for all tasks.
func (p *weightPass) sizeShared() int {
	if !p.shared {
		return 0
	}
	return roundUp(p.s.Groups*p.s.N*p.imageX(), line)
}

func (p *weightPass) sizeDY() int { return roundUp(p.batch*p.kg*p.s.OH*p.s.OW, line) }

func (p *weightPass) sums() int { return p.s.K * p.ldc }

func (p *weightPass) scratch(threads int) int {
	return roundUp(p.parts*p.sums(), line) + p.sizeShared() + threads*(p.sizeX()+p.sizeDY()) + 4*line
}

// weightRun is the call in progress.
type weightRun struct{ x, dy, dw, sums, work []float32 }

// run computes dw. It allocates nothing.
func (p *weightPass) run(pool *par.Pool, x, dy, dw, scratch []float32) {
	ar := newArena(scratch, p.scratch(pool.Threads()))
	if p.swapped {
		x, dy = dy, x
	}
	p.now = weightRun{x, dy, dw, ar.take(p.parts * p.sums()), ar.take(pool.Threads() * (p.sizeX() + p.sizeDY()))}
	if p.shared {
		p.turned = ar.take(p.sizeShared())
		pool.Run(p.s.Groups*p.s.N, p.turnTask)
	}
	pool.RunWorker(p.parts*p.s.Groups*p.splits, p.sumTask)
	pool.Run(p.s.K, p.reduceTask)
	p.now, p.turned = weightRun{}, nil
}

// turnImage turns x of one group of one image.
func (p *weightPass) turnImage(task int) {
	group, n := task/p.s.N, task%p.s.N
	p.pixelMajor(p.turned[task*p.imageX():(task+1)*p.imageX()], p.now.x[(n*p.s.C+group*p.cg)*p.s.H*p.s.W:])
}

// sumPart adds up one split of the output channels of one group over one part of the images.
func (p *weightPass) sumPart(worker, task int) {
	s, r, perWorker := &p.s, &p.now, p.sizeX()+p.sizeDY()
	split, group, part := task%p.splits, task/p.splits%s.Groups, task/p.splits/s.Groups
	mine := r.work[worker*perWorker : (worker+1)*perWorker]
	out := r.sums[part*p.sums()+group*p.kg*p.ldc:]
	first, last := part*s.N/p.parts, (part+1)*s.N/p.parts
	for n := first; n < last; n += p.batch {
		p.accumulate(r.x, r.dy, out, mine, group, split, n, min(n+p.batch, last), n > first)
	}
}

// accumulate adds the images [n0, n1) to the sums of one part.
func (p *weightPass) accumulate(x, dy, out, mine []float32, group, split, n0, n1 int, acc bool) {
	s, pixels := p.s, p.s.OH*p.s.OW
	maxRows, segs := p.isa.tileShape()
	xt, dt := mine[:p.sizeX()], mine[p.sizeX():]
	if p.shared {
		xt = p.turned[(group*s.N+n0)*p.imageX():]
	} else {
		for n := n0; n < n1; n++ {
			at := (n - n0) * p.imageX()
			p.pixelMajor(xt[at:at+p.imageX()], x[(n*s.C+group*p.cg)*s.H*s.W:])
		}
	}
	k := (n1 - n0) * pixels
	pn := cutPanels(p.kg, maxRows)
	first, last := split*pn.count/p.splits, (split+1)*pn.count/p.splits
	for panel := first; panel < last; panel++ {
		lo, hi := pn.bounds(panel)
		m := hi - lo
		for n := n0; n < n1; n++ {
			from := dy[(n*s.K+group*p.kg+lo)*pixels:]
			packPanel(dt[lo*k+(n-n0)*pixels*m:][:pixels*m], from, m, pixels, pixels, 1)
		}
	}
	for t := 0; t < k; t += batchPixels { // a piece of x stays in L2 while all panels pass
		steps := min(batchPixels, k-t)
		for panel := first; panel < last; panel++ {
			lo, hi := pn.bounds(panel)
			for q := 0; q < len(p.src); q += segs {
				tile(p.isa, hi-lo, steps, dt[lo*k+t*(hi-lo):], xt, p.off[t:], p.src[q:], out[lo*p.ldc:], p.dst[q:], p.ldc, acc || t > 0)
			}
		}
	}
}

// pixelMajor writes the padded image of one group with cp channels per pixel.
func (p *weightPass) pixelMajor(dst, x []float32) {
	s, plane := p.s, p.s.H*p.s.W
	for r := range p.rows {
		row := dst[r*p.cols*p.cp : (r+1)*p.cols*p.cp]
		y := r - s.PadT
		if y < 0 || y >= s.H {
			clear(row)
			continue
		}
		left := min(s.PadL, p.cols)
		right := min(p.cols, s.PadL+s.W)
		clear(row[:left*p.cp])
		clear(row[right*p.cp:])
		if p.cp != p.cg {
			clear(row[left*p.cp : right*p.cp])
		}
		if right > left {
			transpose(row[left*p.cp:], p.cp, x[y*s.W:], plane, p.cg, right-left)
		}
	}
}

// reduce adds the parts of an output channel in order, and leaves out the channels that only fill segments up.
func (p *weightPass) reduce(k int) {
	taps := p.s.R * p.s.S
	row := p.now.sums[k*p.ldc : (k+1)*p.ldc]
	for part := 1; part < p.parts; part++ {
		at := part*p.sums() + k*p.ldc
		Add(row, p.now.sums[at:at+p.ldc], row)
	}
	if p.swapped { // a row is a column of its group's weights
		group, c := k/p.kg, k%p.kg
		transpose(p.now.dw[group*p.cg*p.kg+c:], p.kg, row, p.cp, 1, p.cg)
		return
	}
	transpose(p.now.dw[k*p.cg*taps:], taps, row, p.cp, taps, p.cg)
}
