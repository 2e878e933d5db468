package rounding

import (
	"math"

	"github.com/mpqc/mpqc/internal/kernel"
)

// trial is one way to round the weights of an output channel: one step size, codes in [lo, hi].
type trial struct {
	weights      []float32 // of the channel
	step, lo, hi float32
	partners     partners // nil: no code bounds another
	codes        []int8
	loss         float64 // squared error of the output, e^T*H*e with the ridge in H
}

// newTrial returns a trial with all codes 0.
func newTrial(weights []float32, g *grid, step float32) *trial {
	return &trial{weights: weights, step: step, lo: g.lo, hi: g.hi, partners: g.partners, codes: make([]int8, len(weights))}
}

// nearest returns the allowed code nearest to a number of steps for weight k, halves to even.
func (t *trial) nearest(k int, steps float32) float32 {
	lo, hi := t.partners.bounds(t.codes, k, t.lo, t.hi)
	return min(max(float32(math.RoundToEven(float64(steps))), lo), hi)
}

// round chooses the codes of a block of weights for every trial, one weight after the other. The rounding error of each
// weight moves the values that later weights are rounded from: to[k] = w[k] + sum_{j>k} L[j][k]*e[j].
func (f *factored) round(b block, trials []*trial) {
	to, front, errors := make([][]float32, len(trials)), make([][]float32, len(trials)), make([][]float32, len(trials))
	for i, t := range trials {
		to[i], errors[i] = make([]float32, b.size()), make([]float32, panelRows)
		for k, at := range f.order {
			to[i][k] = t.weights[b.from+at]
		}
	}
	for next := len(f.panels) - 1; next >= 0; next-- {
		p := &f.panels[next]
		for i, t := range trials {
			errors[i] = errors[i][:p.to-p.from]
			f.roundPanel(p, b, t, to[i], errors[i])
			front[i] = to[i][:p.from]
		}
		addRows(errors, p.rest, p.from, front)
	}
}

// roundPanel chooses the codes of the weights that belong to one panel of L. It moves the targets of the later weights
// inside the panel. errors receives the rounding errors, the last weight first.
func (f *factored) roundPanel(p *panel, b block, t *trial, to, errors []float32) {
	for k := p.to - 1; k >= p.from; k-- {
		at := b.from + f.order[k]
		code := t.nearest(at, to[k]/t.step)
		left := float64(to[k] - t.step*code)
		t.loss += f.diagonal[k] * left * left
		t.codes[at] = int8(code)
		_, corner := p.row(k)
		e := t.weights[at] - t.step*code
		kernel.Axpy(e, corner, to[p.from:k])
		errors[p.to-1-k] = e
	}
}
