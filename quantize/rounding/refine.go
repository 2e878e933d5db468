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
		r := refinement{h: f.matrix, t: t, block: b, slope: slopes[i]}
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
	t     *trial
	block block
	slope []float32 // of its weights
}

// pass takes every weight to the code that is best beside the others, and reports whether any moved.
func (r *refinement) pass() (moved bool) {
	n, codes := r.block.size(), r.t.codes[r.block.from:r.block.to]
	for k, code := range codes {
		own := r.h[k*(n+1)]
		to := r.t.nearest(r.block.from+k, float32(code)+r.slope[k]/(r.t.step*own))
		by := r.t.step * (to - float32(code))
		gain := float64(by) * (2*float64(r.slope[k]) - float64(by)*float64(own))
		if !(gain > leastGain*max(r.t.loss, 0)) {
			continue // also where it is no number
		}
		codes[k], moved = int8(to), true
		r.t.loss -= gain
		kernel.Axpy(-by, r.h[k*n:(k+1)*n], r.slope)
	}
	return moved
}
