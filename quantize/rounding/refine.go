package rounding

import "github.com/mpqc/mpqc/internal/kernel"

const (
	// passes over the weights of a block that refining makes at most. Hardly any weight changes after them.
	passes = 8
	// leastGain is the share of its loss that a trial must gain by a change: rounding must not make a code go back and forth.
	leastGain = 1e-6
)

// refine changes codes of trials one by one, as long as that lessens their loss: those that were rounded early did not know what the
// later ones could not make up for.
func (f *factored) refine(b block, trials []*trial) {
	slopes := f.slopes(b, trials)
	for i, t := range trials {
		r := refinement{h: f.matrix, n: b.size(), t: t, codes: t.codes[b.from:b.to], slope: slopes[i]}
		for range passes {
			if !r.pass() {
				break
			}
		}
	}
}

// slopes are H*error of every trial: half of what its loss falls by with each weight.
func (f *factored) slopes(b block, trials []*trial) [][]float32 {
	n := b.size()
	errors, slopes, some := make([][]float32, len(trials)), make([][]float32, len(trials)), make([][]float32, len(trials))
	for i, t := range trials {
		errors[i], slopes[i] = make([]float32, n), make([]float32, n)
		for k := range n {
			errors[i][k] = t.weights[b.from+k] - t.step*float32(t.codes[b.from+k])
		}
	}
	for k := 0; k < n; k += panelRows {
		for i := range some {
			some[i] = errors[i][k:min(k+panelRows, n)]
		}
		addRows(some, f.matrix[k*n:], n, slopes)
	}
	return slopes
}

// refinement is that of a block of weights.
type refinement struct {
	h     []float32 // second moments, damped
	n     int
	t     *trial
	codes []int8
	slope []float32 // of all weights
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
