package quantize

// MACs is the number of multiply-accumulates per sample of all layers of the plan.
func (p *Plan) MACs() int64 {
	var n int64
	for i := range p.Layers {
		n += p.Layers[i].MACs
	}
	return n
}

// Bits returns the weight and activation bits that layer i computes with under a policy: 8/8 for a fixed layer.
func (p *Plan) Bits(q Policy, i int) (w, a int) {
	l := &p.Layers[i]
	if l.Fixed {
		return fixedBits, fixedBits
	}
	if p.Points[l.Point].Fixed {
		return q.W[i], fixedBits
	}
	return q.W[i], q.A[l.Point]
}

// BitOPs is the sum of w_bits*a_bits*MACs over all layers, fixed ones at 8x8.
func (p *Plan) BitOPs(q Policy) int64 {
	var n int64
	for i := range p.Layers {
		w, a := p.Bits(q, i)
		n += int64(w) * int64(a) * p.Layers[i].MACs
	}
	return n
}

// PackedBytes is the sum of w_bits*numel/8 over all layers, rounded up once, plus floatRest bytes for what is not
// packed (see Plan.FloatRest).
func (p *Plan) PackedBytes(q Policy, floatRest int64) int64 {
	var bits int64
	for i := range p.Layers {
		w, _ := p.Bits(q, i)
		bits += int64(w) * p.Layers[i].Params
	}
	return (bits+7)/8 + floatRest
}

// AverageBits is the average of weight bits, weighted by parameters, and of activation bits, weighted by the elements
// of the tensors. Fixed layers and points, and streams that no layer reads, are left out; where nothing is left the
// average is that of a fixed network, 8.
func (p *Plan) AverageBits(q Policy) (w, a float64) {
	var wBits, wCount, aBits, aCount int64
	for i := range p.Layers {
		if l := &p.Layers[i]; !l.Fixed {
			wBits += int64(q.W[i]) * l.Params
			wCount += l.Params
		}
	}
	for i := range p.Points {
		if t := &p.Points[i]; t.Searched() {
			aBits += int64(q.A[i]) * t.Elements
			aCount += t.Elements
		}
	}
	return average(wBits, wCount), average(aBits, aCount)
}

// Searched reports whether the search may choose the bits of the point: it is not fixed and some layer reads it.
func (t *Point) Searched() bool { return !t.Fixed && len(t.Layers) > 0 }

// Uniform gives every layer and point its widest candidate that does not exceed b, or its lowest one where all do.
// Fixed layers and points have 8 bits.
func (p *Plan) Uniform(b int) Policy {
	return p.choose(func(candidates []int) int {
		best := candidates[0]
		for _, c := range candidates {
			if c <= b {
				best = c
			}
		}
		return best
	})
}

// Min is the policy with every layer and point at its lowest candidate.
func (p *Plan) Min() Policy { return p.choose(func(c []int) int { return c[0] }) }

// Max is the policy with every layer and point at its highest candidate.
func (p *Plan) Max() Policy { return p.choose(func(c []int) int { return c[len(c)-1] }) }

// choose builds a policy from a choice among ascending candidates; where none are listed the width is fixed.
func (p *Plan) choose(pick func([]int) int) Policy {
	q := Policy{W: make([]int, len(p.Layers)), A: make([]int, len(p.Points))}
	for i := range p.Layers {
		q.W[i] = fixedBits
		if l := &p.Layers[i]; !l.Fixed && len(l.Candidates) > 0 {
			q.W[i] = pick(l.Candidates)
		}
	}
	for i := range p.Points {
		q.A[i] = fixedBits
		if t := &p.Points[i]; t.Searched() && len(t.Candidates) > 0 {
			q.A[i] = pick(t.Candidates)
		}
	}
	return q
}

// fixedBits is the width of first and last layers and of streams. RFQuant (arXiv 2401.01543) fixes those layers at 8
// bits, too, and integer kernels take no other width for streams.
const fixedBits = 8

func average(sum, count int64) float64 {
	if count == 0 {
		return fixedBits
	}
	return float64(sum) / float64(count)
}
