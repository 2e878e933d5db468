package kernel

import "github.com/mpqc/mpqc/internal/par"

// planarWeight computes weight gradients where a group has fewer input channels than a segment has floats: depthwise
// convolutions, and the first layer of a network. Turning pixels into neighbours would then leave most of a segment
// empty; instead, a tap's sum runs over segments of neighbouring pixels in lanes, or, where rows are no longer than a
// segment, over one pixel of neighbouring images. Blocks of images are cut into parts fixed by the shape, as in
// weightPass.
type planarWeight struct {
	s            ConvShape
	isa          ISA
	cg, kg       int
	abreast      int // images of a block, which lie abreast if they are several
	blocks       int
	parts        int
	group        int // groups of a task
	src          source
	cols         int     // of a row of dy, padded to whole segments
	off          []int32 // of each tap of each input channel of a group
	srcAt, dstAt []int32 // of each segment, in x and in dy

	now     weightRun
	margins []float32 // the padded planes of all workers
	sumTask func(worker, task int)
}

const (
	// planarAbreast is how many images lie abreast where there are as many: a cache line's worth of segments.
	planarAbreast = 32
	// planarFloats is the size of a task: what it reads stays in L2 while it is turned.
	planarFloats = 1 << 13
	// planarChain is the number of additions after which lane sums go to the sums proper.
	planarChain = 512
)

// newPlanarWeight plans the gradient of the weights plane by plane.
func newPlanarWeight(s ConvShape, isa ISA) *planarWeight {
	p := &planarWeight{s: s, isa: isa, cg: s.C / s.Groups, kg: s.K / s.Groups, abreast: 1}
	if s.OW <= segWidth {
		for n := segWidth; n <= min(s.N, planarAbreast); n *= 2 {
			p.abreast = n
		}
	}
	p.blocks = (s.N + p.abreast - 1) / p.abreast
	p.parts = min(p.blocks, weightParts)
	images := max(p.abreast, s.N/p.parts)
	p.group = min(s.Groups, max(1, planarFloats/(images*(p.cg*s.H*s.W+p.kg*s.OH*s.OW))))
	p.src, p.sumTask = convSource(s), p.sumPart
	p.src.abreast = p.abreast
	p.cols = roundUp(s.OW*p.abreast, segWidth)
	for c := range p.cg {
		for r := range s.R {
			for q := range s.S {
				p.off = append(p.off, int32(p.src.offset(c, r*s.DilH, q*s.DilW)))
			}
		}
	}
	for y := range s.OH {
		for x := 0; x < s.OW*p.abreast; x += segWidth {
			p.srcAt, p.dstAt = append(p.srcAt, int32(y*p.src.cols*p.abreast+x)), append(p.dstAt, int32(y*p.cols+x))
		}
	}
	return p
}

// padded are the floats of the padded planes of x and of the padded plane of dy.
func (p *planarWeight) padded() (x, dy int) {
	if p.cols != p.s.OW*p.abreast {
		dy = roundUp(p.s.OH*p.cols, line)
	}
	return p.src.size(p.cg), dy
}

// turned are the floats of x and dy of a task with images abreast.
func (p *planarWeight) turned() (x, dy int) {
	if p.abreast == 1 {
		return 0, 0
	}
	n := p.group * p.abreast
	return n * p.cg * p.s.H * p.s.W, n * p.kg * p.s.OH * p.s.OW
}

func (p *planarWeight) lanes() int { return p.group * p.kg * len(p.off) * segWidth }

// perWorker are the floats of a worker, those with margins apart.
func (p *planarWeight) perWorker() (margins, others int) {
	padX, padDY := p.padded()
	x, dy := p.turned()
	return padX + padDY, roundUp(x+dy+p.lanes(), line)
}

func (p *planarWeight) scratch(threads int) int {
	margins, others := p.perWorker()
	return roundUp(p.parts*p.s.K*len(p.off), line) + threads*(margins+others) + 4*line
}

// run computes dw. It allocates nothing.
func (p *planarWeight) run(pool *par.Pool, x, dy, dw, scratch []float32) {
	threads := pool.Threads()
	ar := newArena(scratch, p.scratch(threads))
	weights := p.s.K * len(p.off)
	margins, others := p.perWorker()
	total := ar.take(p.parts * weights)
	p.margins = ar.take(threads * margins)
	p.now = weightRun{x, dy, dw, total, ar.take(threads * others)}
	clear(p.margins) // they stay zero
	pool.RunWorker(p.parts*p.chunks(), p.sumTask)
	copy(dw[:weights], total)
	for part := 1; part < p.parts; part++ {
		Add(dw[:weights], total[part*weights:], dw[:weights])
	}
	p.now, p.margins = weightRun{}, nil
}

// chunks is the number of tasks of a part.
func (p *planarWeight) chunks() int { return (p.s.Groups + p.group - 1) / p.group }

// planarTask is the work of a worker: groups [g0, g1) of some blocks of images.
type planarTask struct {
	g0, g1    int
	x, dy     []float32 // abreast
	padX, pad []float32 // of x, of dy
	lanes     []float32
}

// sumPart adds up some groups over one part of the images.
func (p *planarWeight) sumPart(worker, task int) {
	margins, others := p.perWorker()
	turnedX, turnedDY := p.turned()
	padX, _ := p.padded()
	part, g0 := task/p.chunks(), task%p.chunks()*p.group
	t := planarTask{g0: g0, g1: min(g0+p.group, p.s.Groups)}
	m, mine := p.margins[worker*margins:(worker+1)*margins], p.now.work[worker*others:(worker+1)*others]
	t.padX, t.pad = m[:padX], m[padX:]
	t.x, t.dy, t.lanes = mine[:turnedX], mine[turnedX:turnedX+turnedDY], mine[turnedX+turnedDY:][:p.lanes()]
	weights := p.kg * len(p.off)
	sums := p.now.sums[part*p.s.K*len(p.off):][t.g0*weights : t.g1*weights]
	clear(sums)
	clear(t.lanes)
	chain := 0
	for block := part * p.blocks / p.parts; block < (part+1)*p.blocks/p.parts; block++ {
		p.addBlock(&t, block)
		if chain += len(p.srcAt); chain >= planarChain {
			foldLanes(sums, t.lanes)
			chain = 0
		}
	}
	foldLanes(sums, t.lanes)
}

// addBlock adds a block of images to the lanes of a task.
func (p *planarWeight) addBlock(t *planarTask, block int) {
	s, r := &p.s, &p.now
	first := block * p.abreast
	sizeX, sizeDY := p.cg*s.H*s.W*p.abreast, p.kg*s.OH*s.OW*p.abreast // of a group
	x, dy := r.x[(first*s.C+t.g0*p.cg)*s.H*s.W:], r.dy[(first*s.K+t.g0*p.kg)*s.OH*s.OW:]
	if p.abreast > 1 {
		n, groups := min(p.abreast, s.N-first), t.g1-t.g0
		if n < p.abreast {
			clear(t.x)
			clear(t.dy)
		}
		transpose(t.x, p.abreast, x, s.C*s.H*s.W, n, groups*p.cg*s.H*s.W)
		transpose(t.dy, p.abreast, dy, s.K*s.OH*s.OW, n, groups*p.kg*s.OH*s.OW)
		x, dy = t.x, t.dy
	}
	lanes := t.lanes
	for range t.g1 - t.g0 {
		p.src.fill(t.padX, x, p.cg)
		for k := range p.kg {
			g := dy[k*s.OH*s.OW*p.abreast:]
			if len(t.pad) > 0 {
				copyRows(t.pad, p.cols, g, s.OW, s.OH, s.OW)
				g = t.pad
			}
			tapSums(p.isa, t.padX, p.off, g, p.srcAt, p.dstAt, lanes)
			lanes = lanes[len(p.off)*segWidth:]
		}
		x, dy = x[sizeX:], dy[sizeDY:]
	}
}

// foldLanes adds lane sums to sums and clears them.
func foldLanes(sums, lanes []float32) {
	for t := range sums {
		l := lanes[t*segWidth:][:segWidth:segWidth]
		sums[t] += ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
	}
	clear(lanes)
}

// tapSums adds dy[dst[q]+j]*x[src[q]+off[t]+j] to sums[t*8+j] for every tap t, segment q and j < 8.
func tapSums(isa ISA, x []float32, off []int32, dy []float32, src, dst []int32, sums []float32) {
	if isa != Go {
		tapSumsArch(x, off, dy, src, dst, sums)
		return
	}
	for t, o := range off {
		l := sums[t*segWidth:][:segWidth:segWidth]
		for q, at := range src {
			xs, ds := x[at+o:][:segWidth:segWidth], dy[dst[q]:][:segWidth:segWidth]
			for j := range l {
				l[j] += float32(xs[j] * ds[j])
			}
		}
	}
}
