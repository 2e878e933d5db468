package rounding

import "github.com/mpqc/mpqc/internal/kernel"

const (
	// passes over the weights of a block that refining makes at most. Hardly any weight changes after them.
	passes = 8
	// leastGain is the share of its loss that a trial must gain by a change: rounding must not make a code go back and forth.
	leastGain = 1e-6
)

// refine changes codes of trials one by one, as long as that lessens their loss: those that were rounded early did not know what the
// later ones could not make up for. The codes are those of a block of weights, which begins at from in its output channel.
func (f *factored) refine(w []float32, from int, trials []*trial) {
	list := make([]refinement, len(trials))
	for i, t := range trials {
		list[i] = refinement{h: f.matrix, n: len(w), t: t, codes: t.codes[from : from+len(w)], slope: make([]float32, len(w))}
	}
	for k := range w {
		for i := range list {
			list[i].begin(k, w[k])
		}
	}
	for i := range list {
		for range passes {
			if !list[i].pass() {
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

// begin adds the share of weight k to the slopes.
func (r *refinement) begin(k int, w float32) {
	kernel.Axpy(w-r.t.step*float32(r.codes[k]), r.h[k*r.n:(k+1)*r.n], r.slope)
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
