package calibrate

import (
	"math"

	"github.com/mpqc/mpqc/quantize"
)

// bins is the number of bins of a histogram. A step size at 8 bits is at least four bins wide, so the width of a bin
// hardly matters.
const bins = 2048

// Histogram counts absolute values in bins of equal width. Its range doubles whenever a value exceeds it; pairs of bins
// are then merged. One pass over the data suffices, and the order of equal batches does not matter.
type Histogram struct {
	Width    float64       // of a bin; 0 before the first value other than 0
	Count    [bins]float64 // of |x| in [i*Width, (i+1)*Width)
	Zeros    float64       // exact zeros, such as those of a Relu, which are quantized without error
	Below    [bins]float64 // those of Count whose value was negative
	Negative bool          // any value was negative
	Max      float64       // largest |x|
}

// Add counts the elements of x, which must be finite.
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

// widen doubles the range and merges pairs of bins.
func (h *Histogram) widen() {
	for _, count := range []*[bins]float64{&h.Count, &h.Below} {
		for i := range bins / 2 {
			count[i] = count[2*i] + count[2*i+1]
		}
		clear(count[bins/2:])
	}
	h.Width *= 2
}

// Step returns the step size with the least squared error at a bit-width. Codes are -2^(b-1)..2^(b-1)-1 or, unsigned,
// 0..2^b-1. A tensor that is always 0 gets 1, which quantizes it exactly.
func (h *Histogram) Step(bits int, signed bool) float32 {
	if h.Max == 0 {
		return 1
	}
	levels := positive(bits, signed)
	full := h.Max / levels
	return float32(leastError(full, levels, func(s float64) float64 { return h.squaredError(s, levels) }))
}

// rareBelow is the share of values that may lie below an asymmetric grid.
const rareBelow = 1e-3

// Low returns the lower end of an asymmetric range: the end of the bin below which a share of rareBelow lies, at most
// 0.
func (h *Histogram) Low() float32 { return h.lowBeyond(rareBelow) }

// lowBeyond is Low for any share.
func (h *Histogram) lowBeyond(share float64) float32 {
	end, found := h.end(h.Below[:], share)
	if !found {
		return 0
	}
	return -float32(end)
}

// end returns the end of the bin of count beyond which only a share of all values lies. found is false if count holds
// no more than that share altogether.
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

// AsymmetricStep returns the step size with the least squared error for codes 0..2^b-1, whose zero point follows from
// low.
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

// errorBetween is the squared error at step size s for codes lo..hi.
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

// squaredError is the squared error of all magnitudes at step size s, with codes 0..levels.
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

// leastError returns the step size for which squared is least. It tries sizes from full, which clips nothing, down to
// where a 1-bit grid would still reach the bulk of the values. They are 3 % apart.
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
