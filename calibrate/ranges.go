package calibrate

import (
	"fmt"
	"slices"
	"strings"
)

// Ranges selects how initial step sizes are chosen. Training changes them; without it they stay.
type Ranges string

// Ways to choose step sizes.
const (
	// MSE minimises the squared error at each width. Low widths then clip more.
	MSE Ranges = "mse"
	// Percentile covers all but a share of 1e-4 of the values, by magnitude, at every width. The low end of asymmetric
	// points leaves out a share of 1e-3, as with MSE. Weights use the least squared error, since a channel has too few
	// for a percentile.
	Percentile Ranges = "percentile"
	// MinMax covers all values at every width.
	MinMax Ranges = "minmax"
)

// AllRanges lists the values of Ranges, the default first.
func AllRanges() []string { return []string{string(MSE), string(Percentile), string(MinMax)} }

// ParseRanges parses the name of a Ranges; "" is MSE. Other names are an error.
func ParseRanges(s string) (Ranges, error) {
	if s == "" {
		return MSE, nil
	}
	if !slices.Contains(AllRanges(), s) {
		return "", fmt.Errorf("ranges: %q is not one of %s", s, strings.Join(AllRanges(), ", "))
	}
	return Ranges(s), nil
}

// rareAbove is the share of values that Percentile need not cover. The percentile calibrators of TensorRT and NNCF use
// the same.
const rareAbove = 1e-4

// reach is the largest magnitude that codes must cover.
func (h *Histogram) reach(r Ranges) float64 {
	if r != Percentile {
		return h.Max
	}
	if end, found := h.end(h.Count[:], rareAbove); found {
		return end
	}
	return h.Max
}

// StepFrom is Step with the range chosen by r.
func (h *Histogram) StepFrom(r Ranges, bits int, signed bool) float32 {
	if r == MSE || h.Max == 0 {
		return h.Step(bits, signed)
	}
	return float32(h.reach(r) / positive(bits, signed))
}

// AsymmetricStepFrom is AsymmetricStep with the range chosen by r.
func (h *Histogram) AsymmetricStepFrom(r Ranges, bits int, low float32) float32 {
	if r == MSE || h.Max == 0 {
		return h.AsymmetricStep(bits, low)
	}
	return float32((h.reach(r) - float64(low)) / float64(int(1)<<bits-1))
}

// LowFrom is Low with the range chosen by r.
func (h *Histogram) LowFrom(r Ranges) float32 {
	if r == MinMax {
		return h.lowBeyond(0)
	}
	return h.Low()
}
