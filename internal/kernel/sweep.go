package kernel

import "github.com/mpqc/mpqc/internal/par"

// sweep computes the passes of a depthwise 3x3 convolution that keeps the size of the planes. It goes down a plane, up
// to 16 columns at a time, and loads each row once for the three rows it meets; the border is masked, so no plane is
// copied.
type sweep struct {
	n, c, h, w int
	cuts       []sweepCut

	planes, group int // of all images, and per task
	// Tasks of the weight gradient are blocks of so many images and channels; what a block adds up depends on the shape
	// alone, so the order of additions does.
	images, chans int
	now           sweepRun
	planeTask     func(task int)
	sumTask       func(task int)
}

// sweepCut is a block of columns and which of them have a left neighbour, are there, and have a right neighbour.
type sweepCut struct {
	at               int
	left, mid, right int
}

// sweepRun is the call in progress. sums has lanes for each block of images, channel and tap.
type sweepRun struct {
	x, w, y []float32
	flip    bool
	sums    []float32
}

const (
	sweepWidth = 16
	sweepTaps  = 9
	// sweepLeast is the narrowest plane that uses enough of a vector.
	sweepLeast = 8
	// sweepChain is about how many products add up in a lane.
	sweepChain = 512
)

// newSweep returns nil for shapes that it does not serve.
func newSweep(s ConvShape, isa ISA) *sweep {
	if isa != AVX512 || !s.depthwise() || s.R != 3 || s.S != 3 || s.StrideH*s.StrideW*s.DilH*s.DilW != 1 ||
		s.PadT != 1 || s.PadL != 1 || s.PadB != 1 || s.PadR != 1 || s.W < sweepLeast {
		return nil
	}
	p := &sweep{n: s.N, c: s.C, h: s.H, w: s.W, planes: s.N * s.C}
	for at := 0; at < s.W; at += sweepWidth {
		n := min(sweepWidth, s.W-at)
		cut := sweepCut{at: at, mid: 1<<n - 1}
		cut.left, cut.right = cut.mid, cut.mid
		if at == 0 {
			cut.left &^= 1
		}
		if at+n == s.W {
			cut.right = cut.mid >> 1
		}
		p.cuts = append(p.cuts, cut)
	}
	p.group = max(1, blockFloats/(2*s.H*s.W))
	p.images = max(1, sweepChain/(s.H*len(p.cuts)))
	p.chans = min(s.C, max(1, normFloats/(s.H*s.W)))
	p.planeTask, p.sumTask = p.somePlanes, p.someSums
	return p
}

// run computes y from x, or with flip dx from dy.
func (p *sweep) run(pool *par.Pool, x, w, y []float32, flip bool) {
	p.now = sweepRun{x: x, w: w, y: y, flip: flip}
	pool.Run((p.planes+p.group-1)/p.group, p.planeTask)
	p.now = sweepRun{}
}

func (p *sweep) somePlanes(task int) {
	r, size := &p.now, p.h*p.w
	var w [sweepTaps]float32
	for i := task * p.group; i < min((task+1)*p.group, p.planes); i++ {
		copy(w[:], r.w[i%p.c*sweepTaps:])
		if r.flip {
			for a, b := 0, sweepTaps-1; a < b; a, b = a+1, b-1 {
				w[a], w[b] = w[b], w[a]
			}
		}
		x, y := r.x[i*size:(i+1)*size], r.y[i*size:(i+1)*size]
		for _, cut := range p.cuts {
			sweepArch(x[cut.at:], &w, y[cut.at:], p.h, p.w, cut)
		}
	}
}

func (p *sweep) blocks() int { return (p.n + p.images - 1) / p.images }

func (p *sweep) scratch() int { return p.blocks()*p.c*sweepTaps*sweepWidth + 2*line }

// gradient computes dw from x and dy.
func (p *sweep) gradient(pool *par.Pool, x, dy, dw, scratch []float32) {
	ar := newArena(scratch, p.scratch())
	p.now = sweepRun{x: x, y: dy, sums: ar.take(p.blocks() * p.c * sweepTaps * sweepWidth)}
	pool.Run(p.blocks()*p.strips(), p.sumTask)
	for i := range p.c * sweepTaps {
		var total float64
		for b := range p.blocks() {
			total += (*lanes)(p.now.sums[(b*p.c*sweepTaps+i)*sweepWidth:]).fold()
		}
		dw[i] = float32(total)
	}
	p.now = sweepRun{}
}

// strips is the number of tasks that share the channels of a block of images.
func (p *sweep) strips() int { return (p.c + p.chans - 1) / p.chans }

func (p *sweep) someSums(task int) {
	r, size := &p.now, p.h*p.w
	block, c0 := task/p.strips(), task%p.strips()*p.chans
	c1 := min(c0+p.chans, p.c)
	sums := r.sums[block*p.c*sweepTaps*sweepWidth:]
	clear(sums[c0*sweepTaps*sweepWidth : c1*sweepTaps*sweepWidth])
	for i := block * p.images; i < min((block+1)*p.images, p.n); i++ {
		for c := c0; c < c1; c++ {
			at := (i*p.c + c) * size
			for _, cut := range p.cuts {
				sweepSumsArch(r.x[at+cut.at:at+size], r.y[at+cut.at:at+size], sums[c*sweepTaps*sweepWidth:], p.h, p.w, cut)
			}
		}
	}
}
