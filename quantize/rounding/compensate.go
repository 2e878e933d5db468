package rounding

import (
	"math"
	"slices"

	"github.com/mpqc/mpqc/internal/kernel"
)

// trial is one way to round the weights of an output channel: at a step, to codes between lo and hi.
type trial struct {
	step, lo, hi float32
	codes        []int8  // of the whole channel
	loss         float64 // squared error of the output, summed over what the layer has read: by the damped moments

	to []float32 // room
}

func newTrial(g *grid, step float32, weights int) *trial {
	return &trial{step: step, lo: g.lo, hi: g.hi, codes: make([]int8, weights)}
}

// nearest is the code nearest to a number of steps.
func (t *trial) nearest(steps float32) float32 {
	return min(max(float32(math.RoundToEven(float64(steps))), t.lo), t.hi)
}

// round chooses the codes of a block of weights, which begins at from in its output channel, for every trial: one after the other. What
// the rounding of one does to the output, those that are still to come make up for: it moves where they are rounded from.
func (f *factored) round(w []float32, from int, trials []*trial) {
	for _, t := range trials {
		t.to = slices.Grow(t.to[:0], len(f.order))
		for _, at := range f.order {
			t.to = append(t.to, w[at])
		}
	}
	for k := len(f.order) - 1; k >= 0; k-- {
		at := f.order[k]
		for _, t := range trials {
			code := t.nearest(t.to[k] / t.step)
			left := float64(t.to[k] - t.step*code)
			t.loss += f.diagonal[k] * left * left
			t.codes[from+at] = int8(code)
			kernel.Axpy(w[at]-t.step*code, f.lower[k], t.to[:k])
		}
	}
}
