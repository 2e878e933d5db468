package kernel

import "github.com/mpqc/mpqc/internal/par"

// passRun is the call in progress.
type passRun struct {
	x, w, y      []float32
	packed, work []float32
	started      []bool // per worker
	units, group int    // group is units per task
}

// run computes y from x; for a data gradient these are dy and dx. It allocates nothing from the second call on.
func (p *convPass) run(pool *par.Pool, x, w, y, scratch []float32) {
	threads := pool.Threads()
	ar := newArena(scratch, p.scratch(threads))
	r := &p.now
	r.x, r.w, r.y = x, w, y
	r.packed = ar.take(p.groups * p.packed)
	r.work = ar.take(threads * p.perWorker())
	if len(r.started) < threads {
		r.started = make([]bool, threads)
	}
	clear(r.started)
	rows, _ := p.isa.tileShape()
	pool.Run(p.groups*cutPanels(p.outC, rows).count, p.packTask)
	r.units = p.n * p.groups * p.splits
	r.group = max(p.together, blockFloats/(p.abreast*(p.inC*p.inPlane+p.outC*p.outPlane))) // units so small that a task takes several
	pool.RunWorker((r.units+r.group-1)/r.group, p.unitTask)
	r.x, r.w, r.y, r.packed, r.work = nil, nil, nil, nil, nil
}

// someUnits computes the units of a task.
func (p *convPass) someUnits(worker, task int) {
	r := &p.now
	mine := r.work[worker*p.perWorker() : (worker+1)*p.perWorker()]
	if !r.started[worker] {
		clear(mine[p.turned():][:p.src.size(p.inC)])
		r.started[worker] = true
	}
	sizeIn, sizeOut := p.inC*p.inPlane*p.abreast, p.outC*p.outPlane*p.abreast
	turnedIn, turned := p.turnedIn(), p.turned()
	for unit, end := task*r.group, min((task+1)*r.group, r.units); unit < end; {
		split, image := unit%p.splits, unit/p.splits
		group := image % p.groups
		groups := min(p.together, end-unit, p.groups-group) // more than one only where there are no splits
		in, out := mine, mine[turnedIn:]
		if p.abreast == 1 {
			in, out = r.x[image*sizeIn:], r.y[image*sizeOut:]
		} else {
			p.turnIn(in, r.x, image, groups)
		}
		for i := range groups {
			p.unit(split, group+i, in[i*sizeIn:], out[i*sizeOut:], mine[turned:])
		}
		if p.abreast > 1 {
			p.turnOut(r.y, out, image, groups, split)
		}
		unit += groups
	}
}

// unit computes one split of the output channels of one group of one image, or of images abreast.
func (p *convPass) unit(split, group int, in, out, mine []float32) {
	if !p.src.direct {
		p.src.fill(mine[:p.srcSize], in, p.inC)
		in, mine = mine, mine[p.srcSize:]
	}
	weights := p.now.packed[group*p.packed:]
	for _, c := range p.parts {
		c.run(p, split, weights[c.packedAt:], in, out, mine)
	}
	for _, c := range p.parts {
		c.deliver(p, split, out, mine)
	}
}

// packPanels lays out one panel of the weights of one group, for all parts.
func (p *convPass) packPanels(task int) {
	rows, _ := p.isa.tileShape()
	pn := cutPanels(p.outC, rows)
	group, panel := task/pn.count, task%pn.count
	dst, from := p.now.packed[group*p.packed:(group+1)*p.packed], p.now.w[group*p.weights:(group+1)*p.weights]
	lo, hi := pn.bounds(panel)
	for _, c := range p.parts {
		c.pack(dst[lo*c.k:hi*c.k], from, lo, hi)
		dst = dst[roundUp(c.rows*c.k, line):]
	}
}
