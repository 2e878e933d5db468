package search

import (
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// choice is one thing the search can change: the weights of a layer or the width of a point.
type choice struct {
	weight bool
	index  int // into Plan.Layers or Plan.Points
}

// move is one step of one choice, up or down.
type move struct {
	choice
	up bool
}

// choices lists everything with more than one candidate: weights in layer order, then points in plan order. This
// order breaks all ties.
func (s Space) choices() []choice {
	var out []choice
	for i, c := range s.W {
		if len(c) > 1 {
			out = append(out, choice{true, i})
		}
	}
	for i, c := range s.A {
		if len(c) > 1 {
			out = append(out, choice{false, i})
		}
	}
	return out
}

func (s Space) candidates(c choice) []int {
	if c.weight {
		return s.W[c.index]
	}
	return s.A[c.index]
}

func bitsOf(p quantize.Policy, c choice) int {
	if c.weight {
		return p.W[c.index]
	}
	return p.A[c.index]
}

// step returns the policy after the move; ok is false where the choice is at that end already.
func (s Space) step(p quantize.Policy, m move) (q quantize.Policy, ok bool) {
	c := s.candidates(m.choice)
	i := slices.Index(c, bitsOf(p, m.choice))
	if m.up {
		i++
	} else {
		i--
	}
	if i < 0 || i >= len(c) {
		return quantize.Policy{}, false
	}
	q = p.Clone()
	if m.weight {
		q.W[m.index] = c[i]
	} else {
		q.A[m.index] = c[i]
	}
	return q, true
}

// key is a policy as a map key.
func key(p quantize.Policy) string {
	b := make([]byte, 0, len(p.W)+len(p.A))
	for _, x := range p.W {
		b = append(b, byte(x))
	}
	for _, x := range p.A {
		b = append(b, byte(x))
	}
	return string(b)
}
