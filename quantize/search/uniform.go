package search

import (
	"math"
	"strconv"

	"github.com/mpqc/mpqc/quantize"
)

// UniformBits is the widest uniform width within a target, from which its baseline starts: the narrowest where none
// fits, 0 where there is nothing to choose from.
func UniformBits(plan *quantize.Plan, t quantize.Target) int {
	space := NewSpace(plan, t)
	bits := 0
	for _, l := range space.Levels() {
		if bits == 0 || t.Check(plan, space.Level(l)) {
			bits = l
		}
	}
	return bits
}

// OnlyPolicy is the target of a plan that leaves no choice, named after its widths; false: there is a choice.
func OnlyPolicy(plan *quantize.Plan) (quantize.Target, bool) {
	p := plan.Max()
	if !p.Equal(plan.Min()) {
		return quantize.Target{}, false
	}
	w, a := plan.AverageBits(p)
	short := func(v float64) string { return strconv.FormatFloat(math.Round(10*v)/10, 'f', 1, 64) }
	text := short(w) + "bit"
	if math.Abs(w-a) > 0.05 {
		text = "w" + short(w) + "a" + short(a)
	}
	if t, err := quantize.ParseTarget(text); err == nil && t.Validate(plan) == nil && t.Check(plan, p) {
		return t, true
	}
	t := quantize.BitOPsTarget(plan.BitOPs(p)) // depthwise layers have other widths than the rest
	t.Text = text
	return t, true
}
