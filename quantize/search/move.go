package search

import (
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// choice is one thing that the search can change: the width of a layer's weights, or that of a point.
type choice struct {
	weight bool
	index  int // into Plan.Layers or Plan.Points
}

// move changes the width of one choice.
type move struct {
	choice
	to int // bits
}

// choices lists everything with more than one candidate: weights in layer order, then points in plan order. This order
// breaks all ties.
func (s Space) choices() []choice {
	return slices.DeleteFunc(s.all(), func(c choice) bool { return len(s.candidates(c)) < 2 })
}

// all lists all weights and points in the order of choices.
func (s Space) all() []choice {
	var out []choice
	for i := range s.W {
		out = append(out, choice{true, i})
	}
	for i := range s.A {
		out = append(out, choice{false, i})
	}
	return out
}

// candidates returns the widths of a choice, ascending.
func (s Space) candidates(c choice) []int {
	if c.weight {
		return s.W[c.index]
	}
	return s.A[c.index]
}

// moves lists all moves from a policy, in the order of choices, narrow widths first.
func (s Space) moves(p quantize.Policy) []move {
	var out []move
	for _, c := range s.choices() {
		for _, b := range s.candidates(c) {
			if b != bitsOf(p, c) {
				out = append(out, move{c, b})
			}
		}
	}
	return out
}

// apply returns a copy of a policy after moves.
func (s Space) apply(p quantize.Policy, moves ...move) quantize.Policy {
	q := p.Clone()
	for _, m := range moves {
		set(&q, m.choice, m.to)
	}
	return q
}

// set changes the width of a choice in p.
func set(p *quantize.Policy, c choice, bits int) {
	if c.weight {
		p.W[c.index] = bits
	} else {
		p.A[c.index] = bits
	}
}

// bitsOf returns the width of a choice.
func bitsOf(p quantize.Policy, c choice) int {
	if c.weight {
		return p.W[c.index]
	}
	return p.A[c.index]
}

// key encodes a policy as a map key.
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
