package search

import (
	"math"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// Uniform is the budget-filled uniform baseline and the level it starts from: the widest uniform level within the budget, then layers in network
// order, weights before the tensor they read, raised by one width wherever that still fits, over and over until
// nothing fits. It is what one would do without a search, and every result stands next to it.
func Uniform(o Options) (quantize.Policy, int) {
	p, bits := o.Space.Level(0), math.MaxInt
	for _, l := range o.Space.Levels() {
		if q := o.Space.Level(l); o.Cost(q) <= 1 {
			p, bits = q, l
		}
	}
	if bits == math.MaxInt {
		bits = slices.Min(append([]int{8}, o.Space.Levels()...))
	}
	for raised := true; raised; {
		raised = false
		for _, c := range networkOrder(o.Plan) {
			if len(o.Space.candidates(c)) < 2 {
				continue
			}
			if q, ok := o.Space.step(p, move{c, true}); ok && o.Cost(q) <= 1 {
				p, raised = q, true
			}
		}
	}
	return p, bits
}

func networkOrder(plan *quantize.Plan) []choice {
	var out []choice
	seen := map[int]bool{}
	for i, l := range plan.Layers {
		out = append(out, choice{true, i})
		if l.Point >= 0 && !seen[l.Point] {
			seen[l.Point] = true
			out = append(out, choice{false, l.Point})
		}
	}
	for i := range plan.Points {
		if !seen[i] {
			out = append(out, choice{false, i})
		}
	}
	return out
}
