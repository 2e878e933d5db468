package kernel

// Planes of few pixels fill no tile: of a 2x2 plane with its padding, a tile of 32 floats computes 4 that anybody
// wants. For those, several images lie abreast, their numbers for one pixel as neighbours. A column is then as many
// floats, rows are wide, and nothing is computed in vain; it costs a transposition of x and of y.

// layAbreast decides how many images of outH x outW results the pass lays abreast. p.src must have its columns.
func (p *convPass) layAbreast(outH, outW int) {
	p.abreast = imagesAbreast(p.isa, p.images, outH, outW, p.src.cols)
	p.src.abreast = p.abreast
	p.n = (p.images + p.abreast - 1) / p.abreast
}

// imagesAbreast is 1 unless more images use the tile markedly better. cols is the length of a row with its padding.
func imagesAbreast(isa ISA, images, outH, outW, cols int) int {
	_, segs := isa.tileShape()
	tile := segs * segWidth
	computed := outH * roundUp(outW, segWidth)
	if outW < segWidth {
		computed = roundUp((outH-1)*cols+outW, segWidth)
	}
	used := func(useful, computed int) float64 { return float64(useful) / float64(roundUp(computed, tile)) }
	best, most := 1, 1.3*used(outH*outW, computed)
	for n := segWidth; n <= min(images, tile); n *= 2 {
		if u := used(outH*outW*n, outH*outW*n); u > most {
			best, most = n, 1.1*u
		}
	}
	return best
}

// turnedIn and turned are the floats of x, and of x and y, of the images of one unit abreast.
func (p *convPass) turnedIn() int {
	if p.abreast == 1 {
		return 0
	}
	return roundUp(p.together*p.inC*p.inPlane*p.abreast, line)
}

func (p *convPass) turned() int {
	if p.abreast == 1 {
		return 0
	}
	return p.turnedIn() + roundUp(p.together*p.outC*p.outPlane*p.abreast, line)
}

// block gives the first image of a unit, how many there are, and the group. unit counts groups within images.
func (p *convPass) block(unit int) (first, images, group int) {
	first, group = unit/p.groups*p.abreast, unit%p.groups
	return first, min(p.abreast, p.images-first), group
}

// turnIn lays the inputs of some groups, from that of a unit on, abreast: turned[e*abreast+i] is element e of image i.
func (p *convPass) turnIn(turned, x []float32, unit, groups int) {
	first, n, group := p.block(unit)
	size := p.inC * p.inPlane
	if n < p.abreast {
		clear(turned[:groups*size*p.abreast])
	}
	transpose(turned, p.abreast, x[(first*p.groups+group)*size:], p.groups*size, n, groups*size)
}

// turnOut puts one split of the outputs of those groups where it belongs; several groups have one split.
func (p *convPass) turnOut(y, turned []float32, unit, groups, split int) {
	pn, from, to := p.parts[0].panels(p, split)
	if from == to {
		return
	}
	lo, _ := pn.bounds(from)
	_, hi := pn.bounds(to - 1)
	first, n, group := p.block(unit)
	size := p.outC * p.outPlane
	count := (groups-1)*size + (hi-lo)*p.outPlane
	transpose(y[(first*p.groups+group)*size+lo*p.outPlane:], p.groups*size, turned[lo*p.outPlane*p.abreast:], p.abreast, count, n)
}
