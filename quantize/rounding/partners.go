package rounding

import "github.com/mpqc/mpqc/quantize"

// partners bounds 8-bit codes by each other so that no pair of them can saturate: see quantize.LimitPairs. Each element
// maps the index of a weight to that of its partner, or to -1, as quantize.Partners returns it. nil means no bounds.
type partners [][]int

// bounds narrows [lo, hi] for code k to what its partners allow. Codes that are not chosen yet are 0 and bound nothing.
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

// fitting returns the smallest step size, at least own, at which the nearest codes of the weights keep to the bounds.
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
