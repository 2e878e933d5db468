package kernel

import "github.com/mpqc/mpqc/internal/par"

// planarWeight computes weight gradients where a group has fewer input channels than a segment has floats: depthwise
// convolutions, and the first layer of a network. Turning pixels into neighbours would then leave most of a segment empty;
// instead, a tap's sum runs over segments of neighbouring pixels in lanes. Images are cut into parts fixed by the shape, as
// in weightPass.
type planarWeight struct {
	s            ConvShape
	isa          ISA
	cg, kg       int
	parts        int
	src          source
	cols         int     // of a row of dy, padded to whole segments
	off          []int32 // of each tap of each input channel of a group
	srcAt, dstAt []int32 // of each segment, in x and in dy

	now     weightRun
	sumTask func(worker, task int)
}

func newPlanarWeight(s ConvShape, isa ISA) *planarWeight {
	p := &planarWeight{s: s, isa: isa, cg: s.C / s.Groups, kg: s.K / s.Groups, parts: max(1, min(s.N, weightParts)), cols: roundUp(s.OW, segWidth)}
	p.src, p.sumTask = convSource(s), p.sumPart
	for c := range p.cg {
		for r := range s.R {
			for q := range s.S {
				p.off = append(p.off, int32(p.src.offset(c, r*s.DilH, q*s.DilW)))
			}
		}
	}
	for y := range s.OH {
		for x := 0; x < s.OW; x += segWidth {
			p.srcAt, p.dstAt = append(p.srcAt, int32(y*p.src.cols+x)), append(p.dstAt, int32(y*p.cols+x))
		}
	}
	return p
}

// sizes are the floats of the padded planes of x, the padded plane of dy, and the lane sums.
func (p *planarWeight) sizes() (x, dy, sums int) {
	if p.cols != p.s.OW {
		dy = roundUp(p.s.OH*p.cols, line)
	}
	return p.src.size(p.cg), dy, roundUp(len(p.off)*segWidth, line)
}

func (p *planarWeight) scratch(threads int) int {
	x, dy, sums := p.sizes()
	return roundUp(p.parts*p.s.K*len(p.off), line) + threads*(x+dy+sums) + 4*line
}

// run computes dw. It allocates nothing.
func (p *planarWeight) run(pool *par.Pool, x, dy, dw, scratch []float32) {
	ar := newArena(scratch, p.scratch(pool.Threads()))
	weights := p.s.K * len(p.off)
	total := ar.take(p.parts * weights)
	sizeX, sizeDY, sizeSums := p.sizes()
	p.now = weightRun{x, dy, dw, total, ar.take(pool.Threads() * (sizeX + sizeDY + sizeSums))}
	clear(p.now.work) // margins stay zero
	pool.RunWorker(p.parts*p.s.Groups, p.sumTask)
	copy(dw[:weights], total)
	for part := 1; part < p.parts; part++ {
		Add(dw[:weights], total[part*weights:], dw[:weights])
	}
	p.now = weightRun{}
}

// sumPart adds up one group over one part of the images.
func (p *planarWeight) sumPart(worker, task int) {
	s, r := &p.s, &p.now
	sizeX, sizeDY, sizeSums := p.sizes()
	per := sizeX + sizeDY + sizeSums
	part, group := task/s.Groups, task%s.Groups
	first := part*s.K*len(p.off) + group*p.kg*len(p.off)
	sums := r.sums[first : first+p.kg*len(p.off)]
	clear(sums)
	mine := r.work[worker*per : (worker+1)*per]
	for n := part * s.N / p.parts; n < (part+1)*s.N/p.parts; n++ {
		p.src.fill(mine[:sizeX], r.x[(n*s.C+group*p.cg)*s.H*s.W:], p.cg)
		for k := range p.kg {
			at := (n*s.K + group*p.kg + k) * s.OH * s.OW
			p.add(sums[k*len(p.off):(k+1)*len(p.off)], r.dy[at:at+s.OH*s.OW], mine[:sizeX], mine[sizeX:sizeX+sizeDY], mine[sizeX+sizeDY:])
		}
	}
}

// add adds one output channel of one image.
func (p *planarWeight) add(sums, dy, x, dyPad, lane []float32) {
	if len(dyPad) > 0 {
		copyRows(dyPad, p.cols, dy, p.s.OW, p.s.OH, p.s.OW)
		dy = dyPad
	}
	clear(lane)
	tapSums(p.isa, x, p.off, dy, p.srcAt, p.dstAt, lane)
	for t := range sums {
		l := lane[t*segWidth : (t+1)*segWidth]
		sums[t] += ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
	}
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
