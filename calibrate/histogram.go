package calibrate

import "math"

// bins of a histogram. At 8 bits a step is then at least four bins wide, so the width of a bin hardly matters.
const bins = 2048

// Histogram counts absolute values in bins of equal width. Its range doubles whenever a value lies beyond it, merging
// bins in pairs, so that one pass over the data suffices and the order of equal batches does not matter.
type Histogram struct {
	Width    float64       // of a bin; 0 before the first value other than 0
	Count    [bins]float64 // of |x| in [i*Width, (i+1)*Width)
	Zeros    float64       // exact zeros: Relu makes many, and they are quantized without error
	Negative bool          // whether any value was below 0
	Max      float64       // largest |x|
}

// Add counts the elements of x. Values that are not finite are left out.
func (h *Histogram) Add(x []float32) {
	for _, v := range x {
		a := math.Abs(float64(v))
		switch {
		case a == 0:
			h.Zeros++
			continue
		case math.IsNaN(a) || math.IsInf(a, 0):
			continue
		}
		if v < 0 {
			h.Negative = true
		}
		h.Max = max(h.Max, a)
		if h.Width == 0 {
			// A power of two, so that the bins of two histograms of the same data are the same.
			_, e := math.Frexp(a)
			h.Width = math.Ldexp(1, e) / bins
		}
		for a >= h.Width*bins {
			h.widen()
		}
		h.Count[int(a/h.Width)]++
	}
}

func (h *Histogram) widen() {
	for i := range bins / 2 {
		h.Count[i] = h.Count[2*i] + h.Count[2*i+1]
	}
	clear(h.Count[bins/2:])
	h.Width *= 2
}

// Step returns the step size with the least squared error at a bit-width, for codes -2^(b-1)..2^(b-1)-1 or, unsigned,
// 0..2^b-1. A tensor that is always 0 gets 1, which quantizes it exactly.
func (h *Histogram) Step(bits int, signed bool) float32 {
	if h.Max == 0 {
		return 1
	}
	levels := positive(bits, signed)
	full := h.Max / levels
	return float32(leastError(full, levels, func(s float64) float64 { return h.squaredError(s, levels) }))
}

// positive is the number of positive codes.
func positive(bits int, signed bool) float64 {
	if signed {
		return float64(int(1)<<(bits-1) - 1)
	}
	return float64(int(1)<<bits - 1)
}

func (h *Histogram) squaredError(s, levels float64) float64 {
	var sum float64
	for i, n := range h.Count {
		if n == 0 {
			continue
		}
		x := (float64(i) + 0.5) * h.Width
		d := x - s*min(math.RoundToEven(x/s), levels)
		sum += n * d * d
	}
	return sum
}

// leastError tries step sizes from full, which clips nothing, down to where a 1-bit grid would still reach the bulk of
// the values, and returns the best. 1 % apart is finer than training moves a step in its first hundred updates.
func leastError(full, levels float64, squared func(s float64) float64) float64 {
	// Steps below full/32 clip at 3 % of the range, which no real distribution wants; wide grids never clip that much.
	lowest := full / 32
	if levels > 64 {
		lowest = full / 4
	}
	best, least := full, squared(full)
	for s := full / 1.03; s > lowest; s /= 1.03 {
		if e := squared(s); e < least {
			best, least = s, e
		}
	}
	return best
}
