package calibrate

import (
	"math"

	"github.com/mpqc/mpqc/quantize"
)

// bins of a histogram. At 8 bits a step is then at least four bins wide, so the width of a bin hardly matters.
const bins = 2048

// Histogram counts absolute values in bins of equal width. Its range doubles whenever a value lies beyond it, merging
// bins in pairs, so that one pass over the data suffices and the order of equal batches does not matter.
type Histogram struct {
	Width    float64       // of a bin; 0 before the first value other than 0
	Count    [bins]float64 // of |x| in [i*Width, (i+1)*Width)
	Zeros    float64       // exact zeros: Relu makes many, and they are quantized without error
	Below    [bins]float64 // those of Count that were negative
	Negative bool          // whether any value was below 0
	Max      float64       // largest |x|
}

// Add counts the elements of x, which are finite.
func (h *Histogram) Add(x []float32) {
	for _, v := range x {
		a := math.Abs(float64(v))
		if a == 0 {
			h.Zeros++
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
		if v < 0 {
			h.Below[int(a/h.Width)]++
		}
	}
}

func (h *Histogram) widen() {
	for _, count := range []*[bins]float64{&h.Count, &h.Below} {
		for i := range bins / 2 {
			count[i] = count[2*i] + count[2*i+1]
		}
		clear(count[bins/2:])
	}
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

// rareBelow is the share of values that an asymmetric grid need not reach.
const rareBelow = 1e-3

// Low is where the values begin, but for rare ones: 0, or the end of the bin below which only rareBelow of them lie.
func (h *Histogram) Low() float32 { return h.lowBeyond(rareBelow) }

// lowBeyond is the end of the bin below which only a share of the values lie.
func (h *Histogram) lowBeyond(share float64) float32 {
	end, found := h.end(h.Below[:], share)
	if !found {
		return 0
	}
	return -float32(end)
}

// end is the end of the bin beyond which only a share of all values lie, of those that are counted; false if they are no more
// than that altogether.
func (h *Histogram) end(count []float64, share float64) (end float64, found bool) {
	all := h.Zeros
	for _, n := range h.Count {
		all += n
	}
	var beyond float64
	for i := bins - 1; i >= 0; i-- {
		if beyond += count[i]; beyond > share*all {
			return min(float64(i+1)*h.Width, h.Max), true
		}
	}
	return 0, false
}

// AsymmetricStep is the step size with the least squared error for codes 0..2^b-1 with the zero point of low.
func (h *Histogram) AsymmetricStep(bits int, low float32) float32 {
	if h.Max == 0 {
		return 1
	}
	codes := float64(int(1)<<bits - 1)
	full := (h.Max - float64(low)) / codes
	return float32(leastError(full, codes, func(s float64) float64 {
		zero := float64(quantize.ZeroPoint(low, float32(s), bits))
		return h.errorBetween(s, -zero, codes-zero)
	}))
}

// errorBetween is the squared error of codes lo..hi.
func (h *Histogram) errorBetween(s, lo, hi float64) float64 {
	var sum float64
	for i, n := range h.Count {
		if n == 0 {
			continue
		}
		x := (float64(i) + 0.5) * h.Width
		up := x - s*min(math.RoundToEven(x/s), hi)
		down := x - s*min(math.RoundToEven(x/s), -lo)
		sum += (n-h.Below[i])*up*up + h.Below[i]*down*down
	}
	return sum
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
