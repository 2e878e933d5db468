package rounding

import (
	"math"

	"github.com/mpqc/mpqc/internal/kernel"
)

// round chooses codes between lo and hi, at a step, for weights of one output channel, one after the other. What the rounding of one
// does to the output, those that are still to come make up for: it moves where they are rounded from.
func (f *factored) round(w []float32, step, lo, hi float32, codes []int8) {
	to := make([]float32, len(w))
	for k, at := range f.order {
		to[k] = w[at]
	}
	for k := len(to) - 1; k >= 0; k-- {
		code := min(max(float32(math.RoundToEven(float64(to[k]/step))), lo), hi)
		at := f.order[k]
		codes[at] = int8(code)
		kernel.Axpy(w[at]-step*code, f.lower[k], to[:k])
	}
}
