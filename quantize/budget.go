package quantize

import (
	"fmt"
	"strconv"
)

// Check reports whether a policy keeps every limit of the target and holds activations where the target wants them.
// A max-drop is not looked at: it needs measured accuracy.
func (t Target) Check(p *Plan, q Policy) bool {
	for _, l := range t.Limits {
		if !l.Fits(p, q) {
			return false
		}
	}
	held := t.Hold(p, q)
	for i := range p.Points {
		if held.A[i] != q.A[i] {
			return false
		}
	}
	return true
}

// Hold returns the policy with searchable activations at the width the target fixes (the nearest candidate not above
// it), or an unchanged copy.
func (t Target) Hold(p *Plan, q Policy) Policy {
	q = q.Clone()
	if t.FixedActivations > 0 {
		copy(q.A, p.Uniform(t.FixedActivations).A)
	}
	return q
}

// Budgeted reports whether the target has a limit that can be checked without measuring accuracy.
func (t Target) Budgeted() bool { return len(t.Limits) > 0 }

// Range is what a plan can reach, lowest and highest, in the unit of one limit.
type Range struct {
	Limit  Limit
	Lo, Hi float64
}

// Ranges lists for each limit what the plan reaches with all layers at their lowest and at their highest candidate.
// A target without limits (max-drop alone) has the range of total BitOPs, with a limit of zero.
func (t Target) Ranges(p *Plan) []Range {
	lo, hi := t.Hold(p, p.Min()), t.Hold(p, p.Max())
	limits := t.Limits
	if len(limits) == 0 {
		limits = []Limit{{Kind: LimitBitOPs}}
	}
	out := make([]Range, len(limits))
	for i, l := range limits {
		out[i] = Range{Limit: l, Lo: l.Cost(p, lo), Hi: l.Cost(p, hi)}
	}
	return out
}

// Feasible is the range of the target's first limit, in its unit.
func (t Target) Feasible(p *Plan) (lo, hi float64) {
	r := t.Ranges(p)[0]
	return r.Lo, r.Hi
}

// Validate returns an error that wraps ErrInfeasible and names the range where a limit lies below what the plan can
// reach, or where all limits lie above it (the target would bound nothing).
func (t Target) Validate(p *Plan) error {
	if !t.Budgeted() {
		return nil
	}
	above := 0
	ranges := t.Ranges(p)
	for _, r := range ranges {
		if r.Lo > r.Limit.Value*(1+slack) {
			return r.infeasible(t.Text)
		}
		if r.Hi < r.Limit.Value*(1-slack) {
			above++
		}
	}
	if above == len(ranges) {
		return ranges[0].infeasible(t.Text)
	}
	return nil
}

func (r Range) infeasible(text string) error {
	f := func(v float64) string { return strconv.FormatFloat(v, 'g', 6, 64) }
	return fmt.Errorf("%w: %s (%s): this network reaches %s to %s %s", ErrInfeasible, text, r.Limit, f(r.Lo), f(r.Hi), r.Limit.Unit())
}

// BudgetUniform is the baseline a search has to beat: the widest uniform policy within the target, then layers (weights
// and the tensor they read together, else the one that fits) raised by one width in network order, round after round,
// until nothing fits. It is an error that wraps ErrInfeasible if not even the lowest policy fits.
func BudgetUniform(p *Plan, t Target) (Policy, error) {
	if !t.Check(p, t.Hold(p, p.Min())) {
		if err := t.Validate(p); err != nil {
			return Policy{}, err
		}
		return Policy{}, fmt.Errorf("%w: %s: the limits do not hold together", ErrInfeasible, t.Text)
	}
	q := t.Hold(p, p.Min())
	for _, b := range p.widths() {
		if u := t.Hold(p, p.Uniform(b)); t.Check(p, u) {
			q = u
		}
	}
	for raised := true; raised; {
		raised = false
		for i := range p.Layers {
			if next, ok := p.raise(t, q, i); ok {
				q, raised = next, true
			}
		}
	}
	return q, nil
}

// raise lifts layer i by one width within the target.
func (p *Plan) raise(t Target, q Policy, i int) (Policy, bool) {
	l := &p.Layers[i]
	if l.Fixed {
		return q, false
	}
	w, a := above(l.Candidates, q.W[i]), q.A[l.Point]
	if p.Points[l.Point].Searched() && t.FixedActivations == 0 {
		a = above(p.Points[l.Point].Candidates, a)
	}
	for _, move := range [][2]int{{w, a}, {w, q.A[l.Point]}, {q.W[i], a}} {
		next := q.Clone()
		next.W[i], next.A[l.Point] = move[0], move[1]
		if (next.W[i] != q.W[i] || next.A[l.Point] != q.A[l.Point]) && t.Check(p, next) {
			return next, true
		}
	}
	return q, false
}

// above is the next candidate after b, or b.
func above(candidates []int, b int) int {
	for _, c := range candidates {
		if c > b {
			return c
		}
	}
	return b
}

// widths lists the bit-widths that occur among the candidates of searchable layers and points, ascending.
func (p *Plan) widths() []int {
	var seen [maxBits + 1]bool
	for i := range p.Layers {
		if !p.Layers[i].Fixed {
			mark(&seen, p.Layers[i].Candidates)
		}
	}
	for i := range p.Points {
		if p.Points[i].Searched() {
			mark(&seen, p.Points[i].Candidates)
		}
	}
	var out []int
	for b, ok := range seen {
		if ok {
			out = append(out, b)
		}
	}
	return out
}

func mark(seen *[maxBits + 1]bool, candidates []int) {
	for _, c := range candidates {
		if c >= 0 && c <= maxBits {
			seen[c] = true
		}
	}
}

// maxBits and minBits bound every candidate: containers hold 8 bits, and one signed bit has no positive level.
const (
	minBits = 2
	maxBits = 8
)
