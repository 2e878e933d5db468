package rounding

import "github.com/mpqc/mpqc/quantize"

// partners bound codes of 8 bits by each other, so that no pair of them can saturate: see quantize.LimitPairs. They are those of
// quantize.Partners; nil: no code bounds another.
type partners [][]int

// bounds are those of code k between lo and hi, as its partners leave them. Codes that are still to come are 0 and bound nothing.
func (p partners) bounds(codes []int8, k int, lo, hi float32) (float32, float32) {
	for _, order := range p {
		if order[k] < 0 {
			continue
		}
		c := float32(codes[order[k]])
		lo, hi = max(lo, -quantize.PairLimit-min(c, 0)), min(hi, quantize.PairLimit-max(c, 0))
	}
	return lo, hi
}

// fitting is the step, at least own, from which on the nearest codes of weights keep to the bounds.
func (p partners) fitting(weights []float32, own float32) float32 {
	var worst float32
	for _, order := range p {
		for i, j := range order {
			if j >= 0 && weights[i]*weights[j] > 0 {
				sum := weights[i] + weights[j]
				worst = max(worst, sum, -sum)
			}
		}
	}
	return max(own, worst/(quantize.PairLimit-1)) // rounding may add one
}
