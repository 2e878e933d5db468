package search

import (
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// Space is what a search may choose from: the candidates of every layer's weights and every point, ascending, in plan
// order. With a single candidate there is nothing to search.
type Space struct {
	W [][]int // per Plan.Layers
	A [][]int // per Plan.Points
}

// NewSpace takes the candidates of a plan, with activations held where the target fixes them. Pins and caps are already
// restrictions of the plan, see quantize.Plan.Pin.
func NewSpace(plan *quantize.Plan, target quantize.Target) Space {
	s := Space{W: make([][]int, len(plan.Layers)), A: make([][]int, len(plan.Points))}
	hold := target.Hold(plan, plan.Max())
	for i, l := range plan.Layers {
		s.W[i] = []int{hold.W[i]}
		if !l.Fixed && len(l.Candidates) > 0 {
			s.W[i] = slices.Clone(l.Candidates)
		}
	}
	for i := range plan.Points {
		p := &plan.Points[i]
		s.A[i] = []int{hold.A[i]}
		if p.Searched() && target.FixedActivations == 0 && len(p.Candidates) > 0 {
			s.A[i] = slices.Clone(p.Candidates)
		}
	}
	return s
}

// Level returns the policy with every choice at its widest candidate of at most bits, or at its narrowest if all are
// wider.
func (s Space) Level(bits int) quantize.Policy {
	pick := func(c []int) int {
		best := c[0]
		for _, b := range c {
			if b <= bits {
				best = b
			}
		}
		return best
	}
	p := quantize.Policy{W: make([]int, len(s.W)), A: make([]int, len(s.A))}
	for i, c := range s.W {
		p.W[i] = pick(c)
	}
	for i, c := range s.A {
		p.A[i] = pick(c)
	}
	return p
}

// Levels lists every width among the candidates of choices, ascending. It is empty if there is no choice.
func (s Space) Levels() []int {
	var out []int
	for _, set := range [][][]int{s.W, s.A} {
		for _, c := range set {
			if len(c) > 1 {
				out = append(out, c...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
