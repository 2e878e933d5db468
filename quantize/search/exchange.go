package search

import (
	"context"

	"github.com/mpqc/mpqc/quantize"
)

const (
	// exchangeBatch is the number of trades that are evaluated before the best of them is taken.
	exchangeBatch = 8
	// exchangeWithin is the share of the present loss by which a trade may be predicted to harm and still be evaluated.
	exchangeWithin = 0.1
)

// exchange evaluates the trades whose predicted change is close to zero, and makes those that help. Evaluation and
// prediction are two noisy measurements of the same difference, so their mean decides.
func (s *state) exchange(ctx context.Context) error {
	for left := s.Exchanges; left > 0; {
		trades := s.realise(s.trades(exchangeWithin*s.score.Loss), min(exchangeBatch, left), func(p quantize.Policy) bool {
			_, tried := s.memo.seen[key(p)]
			return !tried
		})
		if len(trades) == 0 {
			return nil
		}
		left -= len(trades)
		ps := make([]quantize.Policy, len(trades))
		for i, t := range trades {
			ps[i] = t.policy
		}
		scores, err := s.memo.all(ctx, ps)
		if err != nil {
			return err
		}
		best, gain := -1, tolerance
		for i, t := range trades {
			measured := s.score.Loss - scores[i].Loss
			if g := measured - t.predicted; measured > 0 && g > gain {
				best, gain = i, g
			}
		}
		if best >= 0 {
			s.accept(trades[best], scores[best])
		}
		s.progress()
	}
	return nil
}

// accept makes an evaluated trade.
func (s *state) accept(t trade, score Score) {
	from := s.at
	s.at, s.score = t.policy, score
	for _, m := range t.moves {
		s.record("exchange", m, bitsOf(from, m.choice))
	}
}

// progress calls Options.Progress.
func (s *state) progress() {
	if s.Progress != nil {
		s.Progress(s.at, s.memo.evaluations)
	}
}
