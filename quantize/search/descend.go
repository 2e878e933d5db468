package search

import (
	"context"
	"math"

	"github.com/mpqc/mpqc/quantize"
)

// predict finds the policy with the least predicted loss within the budget, as far as greedy moves and trades lead from
// three starts: down from the widest policy, up from the narrowest, and from the uniform baseline. It evaluates
// nothing.
func (s *state) predict(ctx context.Context, uniform quantize.Policy) error {
	starts := []quantize.Policy{s.space.Level(math.MaxInt), s.space.Level(0), uniform}
	best := *s
	for i, p := range starts {
		one := *s
		one.at, one.score = p, Score{Loss: s.loss(p)}
		one.descend()
		one.climb()
		if err := one.swap(ctx); err != nil {
			return err
		}
		if i == 0 || one.score.Loss < best.score.Loss-tolerance {
			best = one
		}
	}
	*s = best
	return nil
}

// swap makes trades as long as the predicted loss falls.
func (s *state) swap(ctx context.Context) error {
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		better := s.realise(s.trades(0), 1, func(quantize.Policy) bool { return true })
		if len(better) == 0 {
			return nil
		}
		for _, m := range better[0].moves {
			s.take("swap", m)
		}
		s.climb()
	}
}

// descend narrows one choice at a time until the budget holds, by any number of widths. It takes the move with the
// least loss per saving. [newState] has made sure that the narrowest policy fits.
func (s *state) descend() {
	for !s.fits(s.at) {
		best, rate, most := move{}, math.Inf(1), 0.0
		for _, m := range s.space.moves(s.at) {
			if m.to > bitsOf(s.at, m.choice) {
				continue
			}
			saved := s.saves(m)
			if saved <= 0 {
				continue
			}
			if r := s.changes(m) / saved; r < rate || r == rate && saved > most {
				best, rate, most = m, r, saved
			}
		}
		if best.to == 0 {
			return
		}
		s.take("descend", best)
	}
}

// climb widens one choice at a time as long as the budget holds. It takes the move with the largest gain per cost.
func (s *state) climb() {
	for {
		best, rate := move{}, 0.0
		now := s.used(s.at)
		for _, m := range s.space.moves(s.at) {
			q := s.space.apply(s.at, m)
			if m.to < bitsOf(s.at, m.choice) || !s.fits(q) {
				continue
			}
			cost := tolerance // a move may be free where the limits do not see it
			for i, v := range s.used(q) {
				cost += v - now[i]
			}
			if r := -s.changes(m) / cost; best.to == 0 || r > rate {
				best, rate = m, r
			}
		}
		if best.to == 0 {
			return
		}
		s.take("fill", best)
	}
}

// saves is the part of the exceeded limits that a move removes, each limit in units of itself. Limits that hold already
// do not count.
func (s *state) saves(m move) float64 {
	q := s.space.apply(s.at, m)
	var sum float64
	for _, l := range s.Target.Limits {
		excess := func(p quantize.Policy) float64 { return max(l.Cost(s.Plan, p)/l.Value-1, 0) }
		sum += excess(s.at) - excess(q)
	}
	return sum
}

// used returns the share of each limit that a policy uses.
func (s *state) used(p quantize.Policy) []float64 {
	out := make([]float64, len(s.Target.Limits))
	for i, l := range s.Target.Limits {
		out[i] = l.Cost(s.Plan, p) / l.Value
	}
	return out
}
