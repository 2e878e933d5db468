package search

import (
	"cmp"
	"context"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// tradesTried is how many exchanges of a round are evaluated, best prediction first. Predictions add the single
// changes, which is right for small ones; eight leave room for it to be a little wrong.
const tradesTried = 8

// polish fills what the budget leaves and then exchanges widths between choices as long as the loss falls.
func (s *state) polish(ctx context.Context) error {
	if err := s.fill(ctx); err != nil {
		return err
	}
	for range max(s.Exchanges, 0) {
		changed, err := s.exchange(ctx)
		if err != nil {
			return err
		}
		if !changed {
			break
		}
		if err := s.fill(ctx); err != nil {
			return err
		}
	}
	return nil
}

// fill raises one choice after the other, always the one that lowers the loss most, while the budget holds.
func (s *state) fill(ctx context.Context) error {
	for {
		moves := s.moves(func(m move) bool { return m.up && s.affordable(m) })
		if err := s.rescore(ctx, moves, true); err != nil {
			return err
		}
		best := -1
		for i, m := range moves {
			if s.known[m].delta <= 0 && (best < 0 || s.known[m].delta < s.known[moves[best]].delta) {
				best = i
			}
		}
		if best < 0 {
			return nil
		}
		if err := s.take(ctx, moves[best], "fill", 0); err != nil {
			return err
		}
	}
}

func (s *state) affordable(m move) bool {
	q, ok := s.space.step(s.at, m)
	return ok && s.fits(q)
}

// trade is a set of moves that together still fit, with the change of loss that the single moves add up to.
type trade struct {
	moves     []move
	predicted float64
	policy    quantize.Policy
}

// exchange tries the most promising trades and takes the best one if it lowers the loss.
func (s *state) exchange(ctx context.Context) (bool, error) {
	moves := s.moves(func(move) bool { return true })
	if err := s.rescore(ctx, moves, true); err != nil {
		return false, err
	}
	trades := s.trades(moves)
	ps := make([]quantize.Policy, len(trades))
	for i, p := range trades {
		ps[i] = p.policy
	}
	scores, err := s.memo.all(ctx, ps)
	if err != nil {
		return false, err
	}
	best := -1
	for i, sc := range scores {
		if sc.Loss < s.score.Loss && (best < 0 || sc.Loss < scores[best].Loss) {
			best = i
		}
	}
	if best < 0 {
		return false, nil
	}
	return true, s.jump(ctx, trades[best].policy, trades[best].moves, "exchange", 0)
}

// trades lists, best prediction first: every pair of one move up and one down; every move up, repaired by the moves
// down that cost least loss for what they save; every move down, with its savings spent on the moves up that gain
// most for their cost. The last two reach what pairs cannot where one choice is much dearer than another.
func (s *state) trades(moves []move) []trade {
	var out []trade
	for _, first := range moves {
		for _, second := range moves {
			if first.up && !second.up && second.choice != first.choice {
				out = s.appendTrade(out, []move{first, second})
			}
		}
		out = s.appendTrade(out, s.balance(first, moves))
	}
	slices.SortStableFunc(out, func(a, b trade) int { return cmp.Compare(a.predicted, b.predicted) })
	out = slices.CompactFunc(out, func(a, b trade) bool { return key(a.policy) == key(b.policy) })
	return out[:min(tradesTried, len(out))]
}

func (s *state) appendTrade(out []trade, moves []move) []trade {
	t := trade{moves: moves, policy: s.at}
	for _, m := range moves {
		t.policy, _ = s.space.step(t.policy, m)
		t.predicted += s.known[m].delta
	}
	if len(moves) < 2 || !s.fits(t.policy) {
		return out
	}
	return append(out, t)
}

// balance completes first with moves in the other direction: downwards until the budget holds, upwards while it does.
func (s *state) balance(first move, moves []move) []move {
	now := s.used(s.at)
	var others []move
	rate := map[move]float64{}
	for _, m := range moves {
		q, _ := s.space.step(s.at, m)
		change := s.used(q) - now
		if m.up == first.up || m.choice == first.choice || change == 0 {
			continue
		}
		others, rate[m] = append(others, m), -s.known[m].delta/change
	}
	// Downwards the rate is loss per saving, to be small; upwards gain per cost, to be large.
	slices.SortStableFunc(others, func(a, b move) int {
		if first.up {
			return cmp.Compare(rate[a], rate[b])
		}
		return cmp.Compare(rate[b], rate[a])
	})
	out := []move{first}
	p, _ := s.space.step(s.at, first)
	for _, m := range others {
		if first.up && s.fits(p) {
			break
		}
		q, _ := s.space.step(p, m)
		if !first.up && (!s.fits(q) || s.known[m].delta >= 0) {
			continue
		}
		p, out = q, append(out, m)
	}
	return out
}

// rank returns the indices of x by ascending value, ties by index.
func rank(x []float64) []int {
	out := make([]int, len(x))
	for i := range out {
		out[i] = i
	}
	slices.SortStableFunc(out, func(a, b int) int { return cmp.Compare(x[a], x[b]) })
	return out
}
