package rounding

import "github.com/mpqc/mpqc/internal/kernel"

const (
	// passes over the weights of a block that refining makes at most. Hardly any weight changes after them.
	passes = 8
	// leastGain is the share of its loss that a trial must gain by a change: rounding must not make a code go back and forth.
	leastGain = 1e-6
)

// refine changes codes of a trial one by one, as long as that lessens its loss: those that were rounded early did not know what the later
// ones could not make up for.
func (c *channel) refine(t *trial) {
	for i, b := range c.blocks {
		r := refinement{h: c.factors[i].matrix, n: b.size(), t: t, codes: t.codes[b.from:b.to]}
		r.begin(c.weights[b.from:b.to])
		for range passes {
			if !r.pass() {
				break
			}
		}
	}
}

// refinement is that of a block of weights.
type refinement struct {
	h     []float32 // second moments, damped
	n     int
	t     *trial
	codes []int8
	slope []float32 // H*error: half of what the loss falls by with each weight
}

// begin computes the slopes.
func (r *refinement) begin(w []float32) {
	r.slope = make([]float32, r.n)
	for k, code := range r.codes {
		kernel.Axpy(w[k]-r.t.step*float32(code), r.h[k*r.n:(k+1)*r.n], r.slope)
	}
}

// pass takes every weight to the code that is best beside the others, and reports whether any moved.
func (r *refinement) pass() (moved bool) {
	for k, code := range r.codes {
		own := r.h[k*(r.n+1)]
		to := r.t.nearest(float32(code) + r.slope[k]/(r.t.step*own))
		by := r.t.step * (to - float32(code))
		gain := float64(by) * (2*float64(r.slope[k]) - float64(by)*float64(own))
		if !(gain > leastGain*max(r.t.loss, 0)) {
			continue // also where it is no number
		}
		r.codes[k], moved = int8(to), true
		r.t.loss -= gain
		kernel.Axpy(-by, r.h[k*r.n:(k+1)*r.n], r.slope)
	}
	return moved
}
