package search

import (
	"context"
	"errors"
	"math"

	"github.com/mpqc/mpqc/quantize"
)

// state is where a search stands.
type state struct {
	Options
	space Space
	memo  *memo
	at    quantize.Policy
	score Score
	steps []Step

	known    map[move]known
	clock    int // moves made so far; a known delta of an older clock is stale
	sinceAll int // moves since all were scored
}

// known is the change of loss that a move caused when it was last scored.
type known struct {
	delta float64
	clock int
}

func (s *state) enter(ctx context.Context, p quantize.Policy) error {
	score, err := s.memo.one(ctx, p)
	if err != nil {
		return err
	}
	s.at, s.score = p, score
	s.clock++
	s.known, s.sinceAll = map[move]known{}, 0
	return nil
}

// descend takes the best move until the budget holds. A choice may go up at most once in a descent: that is enough to
// take back a move that later ones made bad, and bounds the number of steps.
func (s *state) descend(ctx context.Context) error {
	raised := map[choice]bool{}
	for !s.fits(s.at) {
		moves := s.moves(func(m move) bool {
			return (!m.up || !raised[m.choice]) && s.saves(m) != 0
		})
		if s.sinceAll == 0 || s.sinceAll >= s.Rescore {
			if err := s.rescore(ctx, moves, true); err != nil {
				return err
			}
			s.sinceAll = 0
		}
		m, score, err := s.best(ctx, moves)
		if err != nil {
			return err
		}
		if m.up {
			raised[m.choice] = true
		}
		if err := s.take(ctx, m, "descend", score); err != nil {
			return err
		}
		s.sinceAll++
	}
	return nil
}

func (s *state) fits(p quantize.Policy) bool { return s.Target.Check(s.Plan, p) }

// saves is how much of what exceeds the limits a move takes away, each limit in units of itself; negative for a move
// that exceeds them further. Limits that hold already do not count: saving there brings the target no nearer.
func (s *state) saves(m move) float64 {
	q, ok := s.space.step(s.at, m)
	if !ok {
		return 0
	}
	var sum float64
	for _, l := range s.Target.Limits {
		excess := func(p quantize.Policy) float64 { return max(l.Cost(s.Plan, p)/l.Value-1, 0) }
		sum += excess(s.at) - excess(q)
	}
	return sum
}

// used is the share of its budget that a policy uses, summed over the limits.
func (s *state) used(p quantize.Policy) float64 {
	var sum float64
	for _, l := range s.Target.Limits {
		sum += l.Cost(s.Plan, p) / l.Value
	}
	return sum
}

// moves lists the moves that are possible now and allowed, down before up, each in choice order.
func (s *state) moves(allowed func(move) bool) []move {
	var out []move
	for _, up := range []bool{false, true} {
		for _, c := range s.space.choices() {
			m := move{c, up}
			if !allowed(m) {
				continue
			}
			if _, ok := s.space.step(s.at, m); ok {
				out = append(out, m)
			}
		}
	}
	return out
}

// rescore brings the known deltas up to date: of all moves, or only of those never scored.
func (s *state) rescore(ctx context.Context, moves []move, all bool) error {
	var ask []move
	var ps []quantize.Policy
	for _, m := range moves {
		k, ok := s.known[m]
		if ok && (!all || k.clock == s.clock) {
			continue
		}
		q, _ := s.space.step(s.at, m)
		ask, ps = append(ask, m), append(ps, q)
	}
	scores, err := s.memo.all(ctx, ps)
	if err != nil {
		return err
	}
	for i, m := range ask {
		s.known[m] = known{delta: scores[i].Loss - s.score.Loss, clock: s.clock}
	}
	return nil
}

// best returns the move with the least score 1.5*norm(error) - norm(saved). Stale moves that come out on top are
// scored again, a few at a time, until the top one is fresh (Minoux's lazy greedy).
func (s *state) best(ctx context.Context, moves []move) (move, float64, error) {
	if err := s.rescore(ctx, moves, false); err != nil {
		return move{}, 0, err
	}
	for {
		scores := s.scores(moves)
		order := rank(scores)
		if len(order) == 0 {
			return move{}, 0, errors.New("search: no move left above the budget") // excluded by the check in Run
		}
		top := moves[order[0]]
		if s.known[top].clock == s.clock {
			return top, scores[order[0]], nil
		}
		var stale []move
		for _, i := range order[:min(2*s.Lanes, len(order))] {
			if s.known[moves[i]].clock != s.clock && len(stale) < s.Lanes {
				stale = append(stale, moves[i])
			}
		}
		if err := s.rescore(ctx, stale, true); err != nil {
			return move{}, 0, err
		}
	}
}

// scores gives every move its score among these moves: both terms min-max normalised, rounded so that sums of
// floating point decide no tie.
func (s *state) scores(moves []move) []float64 {
	loss, saved := make([]float64, len(moves)), make([]float64, len(moves))
	for i, m := range moves {
		loss[i] = s.known[m].delta
		saved[i] = s.saves(m)
	}
	normalise(loss)
	normalise(saved)
	out := make([]float64, len(moves))
	for i := range out {
		out[i] = math.Round((s.ErrorWeight*loss[i]-saved[i])*1e6) / 1e6
	}
	return out
}

// normalise maps x to [0, 1] by its minimum and maximum; to 0 where all are equal.
func normalise(x []float64) {
	lo, hi := math.Inf(1), math.Inf(-1)
	for _, v := range x {
		lo, hi = min(lo, v), max(hi, v)
	}
	for i, v := range x {
		if hi > lo {
			x[i] = (v - lo) / (hi - lo)
		} else {
			x[i] = 0
		}
	}
}

// take makes a move and records it.
func (s *state) take(ctx context.Context, m move, phase string, score float64) error {
	q, _ := s.space.step(s.at, m)
	return s.jump(ctx, q, []move{m}, phase, score)
}

// jump goes to q by the given moves, which are recorded one by one with the loss of q.
func (s *state) jump(ctx context.Context, q quantize.Policy, moves []move, phase string, score float64) error {
	next, err := s.memo.one(ctx, q)
	if err != nil {
		return err
	}
	for _, m := range moves {
		st := Step{
			Phase: phase, From: bitsOf(s.at, m.choice), To: bitsOf(q, m.choice),
			Score: score, Loss: next.Loss, Top1: next.Top1, BitOPs: s.Plan.BitOPs(q),
		}
		if m.weight {
			st.Kind, st.Name = "w", s.Plan.Layers[m.index].Node
		} else {
			st.Kind, st.Name = "a", s.Plan.Points[m.index].Tensor
		}
		s.steps = append(s.steps, st)
		// What this choice's next moves would do has never been measured.
		delete(s.known, move{m.choice, true})
		delete(s.known, move{m.choice, false})
	}
	s.at, s.score = q, next
	s.clock++
	if s.Progress != nil {
		s.Progress(q, s.memo.evaluations)
	}
	return nil
}
