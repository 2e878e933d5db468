package kernel

import "github.com/mpqc/mpqc/internal/par"

// depthwiseWeight computes weight gradients for K = C = Groups. Images are cut into parts fixed by the shape, as in
// weightPass.
type depthwiseWeight struct {
	s            ConvShape
	isa          ISA
	parts        int
	src          source
	cols         int // of a row of dy, padded to whole segments
	off          []int32
	srcAt, dstAt []int32 // of each segment, in x and in dy
}

// depthwiseParts bounds the number of parts.
const depthwiseParts = 8

func newDepthwiseWeight(s ConvShape) *depthwiseWeight {
	p := &depthwiseWeight{s: s, isa: Active(), parts: max(1, min(s.N, depthwiseParts)), cols: roundUp(s.OW, segWidth)}
	p.src = convSource(s)
	for r := range s.R {
		for q := range s.S {
			p.off = append(p.off, int32(p.src.offset(0, r*s.DilH, q*s.DilW)))
		}
	}
	for y := range s.OH {
		for x := 0; x < s.OW; x += segWidth {
			p.srcAt, p.dstAt = append(p.srcAt, int32(y*p.src.cols+x)), append(p.dstAt, int32(y*p.cols+x))
		}
	}
	return p
}

// sizes are the floats of the padded plane of x, the padded plane of dy, and the lane sums.
func (p *depthwiseWeight) sizes() (x, dy, sums int) {
	if p.isa == Go {
		return 0, 0, 0
	}
	if p.cols != p.s.OW {
		dy = roundUp(p.s.OH*p.cols, line)
	}
	return p.src.size(1), dy, roundUp(len(p.off)*segWidth, line)
}

func (p *depthwiseWeight) scratch(threads int) int {
	x, dy, sums := p.sizes()
	return roundUp(p.parts*p.s.C*len(p.off), line) + threads*(x+dy+sums) + 4*line
}

func (p *depthwiseWeight) run(pool *par.Pool, x, dy, dw, scratch []float32) {
	s, filter := p.s, len(p.off)
	ar := newArena(scratch, p.scratch(pool.Threads()))
	total := ar.take(p.parts * s.C * filter)
	sizeX, sizeDY, sizeSums := p.sizes()
	per := sizeX + sizeDY + sizeSums
	work := ar.take(pool.Threads() * per)
	clear(work) // margins stay zero
	pool.RunWorker(p.parts*s.C, func(worker, task int) {
		part, c := task/s.C, task%s.C
		sum := total[task*filter : (task+1)*filter]
		clear(sum)
		mine := work[worker*per : (worker+1)*per]
		for n := part * s.N / p.parts; n < (part+1)*s.N/p.parts; n++ {
			at := n*s.C + c
			xp, yp := x[at*s.H*s.W:(at+1)*s.H*s.W], dy[at*s.OH*s.OW:(at+1)*s.OH*s.OW]
			if p.isa == Go {
				p.addGo(sum, xp, yp)
			} else {
				p.add(sum, xp, yp, mine[:sizeX], mine[sizeX:sizeX+sizeDY], mine[sizeX+sizeDY:])
			}
		}
	})
	for i := range dw[:s.C*filter] {
		dw[i] = total[i]
		for part := 1; part < p.parts; part++ {
			dw[i] += total[part*s.C*filter+i]
		}
	}
}

// add adds one channel of one image.
func (p *depthwiseWeight) add(sum, x, dy, xPad, dyPad, lane []float32) {
	p.src.fill(xPad, x, 1)
	if len(dyPad) > 0 {
		copyRows(dyPad, p.cols, dy, p.s.OW, p.s.OH, p.s.OW)
		dy = dyPad
	}
	clear(lane)
	tapSumsArch(xPad, p.off, dy, p.srcAt, p.dstAt, lane)
	for t := range sum {
		l := lane[t*segWidth : (t+1)*segWidth]
		sum[t] += ((l[0] + l[4]) + (l[2] + l[6])) + ((l[1] + l[5]) + (l[3] + l[7]))
	}
}

func (p *depthwiseWeight) addGo(sum, x, dy []float32) {
	s := p.s
	s.taps(func(t, oy, iy, lo, hi, ix int) {
		row := dy[oy*s.OW+lo : oy*s.OW+hi]
		if s.StrideW == 1 {
			sum[t] += float32(Dot(row, x[iy*s.W+ix:iy*s.W+ix+len(row)]))
			return
		}
		at := iy*s.W + ix
		for _, v := range row {
			sum[t] += float32(v * x[at])
			at += s.StrideW
		}
	})
}
