package rounding

import "github.com/mpqc/mpqc/internal/kernel"

const (
	// passes is the largest number of passes over a block in refine. Hardly any weight changes after them.
	passes = 8
	// leastGain is the smallest share of its loss that a trial must gain by a change. Float rounding could otherwise
	// make a code go back and forth for ever.
	leastGain = 1e-6
)

// refine changes single codes of the trials as long as that lowers the loss. A weight that was rounded early could not
// know which errors the later ones would fail to compensate.
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

// slopes returns H*e for the rounding errors e of every trial, half of the negative gradient of the loss by the codes'
// values.
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

// refinement is the state of refining one block of one trial.
type refinement struct {
	h     []float32 // second moments with the ridge, [n, n]
	t     *trial
	block block
	slope []float32 // H*e, one element per weight
}

// pass moves every weight to the code that is best given all others, and reports whether any moved. A change of a
// weight's value by d lowers the loss by d*(2*slope - d*H[k][k]).
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
