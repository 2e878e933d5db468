package kernel

import "github.com/mpqc/mpqc/internal/par"

// prepareWeights allocates what Weights works with.
func (c *IntConv) prepareWeights() {
	limit, _ := c.pass.isa.tileShape()
	c.rows = make([]int32, c.threads*limit*c.pass.parts[0].k)
}

// Weights takes over weights on their grids, stepW per output channel. Weight (k, c, r, q) is
// w[k*rowStride+c*stride+r*S+q], c counting within the group: C/Groups*R*S and R*S as [ConvForward] has them.
func (c *IntConv) Weights(pool *par.Pool, w, stepW []float32, rowStride, stride int) {
	s := c.shape
	if len(stepW) != s.K || len(w) < (s.K-1)*rowStride+(c.cg-1)*stride+s.R*s.S || pool.Threads() > c.threads {
		panic("kernel: IntConv: weights do not fit the shape, or too many threads")
	}
	limit, _ := c.pass.isa.tileShape()
	if stride != s.R*s.S && c.columns == nil {
		c.columns = make([]int32, c.threads*limit*c.cg)
	}
	c.run.w, c.run.stepW, c.run.rowStride, c.run.stride = w, stepW, rowStride, stride
	pool.RunWorker(s.Groups*cutPanels(c.kg, limit).count, c.packTask)
	c.run.w = nil
}

// packPanel turns the weights of one panel into words, row by row, and lays them out for tileInt.
func (c *IntConv) packPanel(worker, task int) {
	p, r, taps := c.pass, &c.run, c.shape.R*c.shape.S
	limit, _ := p.isa.tileShape()
	pn, k := cutPanels(c.kg, limit), p.parts[0].k
	group, panel := task/pn.count, task%pn.count
	lo, hi := pn.bounds(panel)
	m := hi - lo
	first := group*c.kg + lo
	from, stride := r.w[first*r.rowStride:], r.rowStride
	if r.stride != taps { // a matrix whose rows are input channels
		columns := floats(c.columns[worker*limit*c.cg:])
		transpose(columns, c.cg, from, r.stride, c.cg, m)
		from, stride = columns, c.cg
	}
	rows := c.rows[worker*limit*k:][:m*k]
	for i := range m {
		row, inverse := rows[i*k:(i+1)*k], 1/r.stepW[first+i]
		var seen int32
		if taps == 1 {
			seen = codesRow(p.isa, row, from[i*stride:][:c.cg], inverse)
		} else {
			seen = c.filterWords(row, from[i*stride:], inverse)
		}
		c.invalid[first+i] = seen&^0xff != 0
		if c.signed {
			c.sums[first+i] = p.isa.laneSum(row)
		}
	}
	packed := c.weights[group*p.packed+lo*k : group*p.packed+hi*k]
	transpose(floats(packed), m, floats(rows), k, m, k)
}

// filterWords makes the words of one output channel of several taps.
func (c *IntConv) filterWords(row []int32, w []float32, inverse float32) (seen int32) {
	isa, taps := c.pass.isa, c.shape.R*c.shape.S
	var rows [maxLanes][]float32
	for first := 0; first < c.cg; first += c.lanes {
		for l := range c.lanes {
			ch := min(first+l, c.cg-1)
			rows[l] = w[ch*taps : (ch+1)*taps]
		}
		to := row[first/c.lanes*taps:][:taps]
		seen |= codes(isa, to, &rows, inverse, 128)
		isa.toSigned(to, c.cg-first)
	}
	return seen
}

// toSigned subtracts 128 from all lanes, and leaves n of them: the others are 0.
func (i ISA) toSigned(words []int32, n int) {
	keep := int32(-1)
	if n < i.lanes() {
		keep = int32(1)<<(32/i.lanes()*n) - 1
	}
	switch i {
	case AVX512:
		for j, w := range words {
			words[j] = int32(uint32(w)^0x80808080) & keep
		}
	case AVX2:
		for j, w := range words {
			words[j] = ((w-128)&0xffff | (w>>16-128)<<16) & keep
		}
	default:
		for j := range words {
			words[j] -= 128
		}
	}
}

// laneSum is the sum of all lanes, signed.
func (i ISA) laneSum(words []int32) (sum int32) {
	for _, w := range words {
		switch i {
		case AVX512:
			sum += int32(int8(w)) + int32(int8(w>>8)) + int32(int8(w>>16)) + w>>24
		case AVX2:
			sum += int32(int16(w)) + w>>16
		default:
			sum += w
		}
	}
	return sum
}
