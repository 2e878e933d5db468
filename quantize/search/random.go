package search

import (
	"context"
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/mpqc/mpqc/quantize"
)

// Random draws a policy that fits a target. It narrows random choices from the widest policy until the budget holds.
// Then it widens random choices while the budget holds, so that it uses as much of it as a searched policy would.
//
// The error wraps quantize.ErrInfeasible if no policy fits.
func Random(plan *quantize.Plan, target quantize.Target, rng *rand.Rand) (quantize.Policy, error) {
	space := NewSpace(plan, target)
	p := space.Level(math.MaxInt)
	for !target.Check(plan, p) {
		moves := space.moves(p)
		down := moves[:0]
		for _, m := range moves {
			if m.to < bitsOf(p, m.choice) {
				down = append(down, m)
			}
		}
		if len(down) == 0 {
			return p, fmt.Errorf("%w: %s", quantize.ErrInfeasible, target.Text)
		}
		p = space.apply(p, down[rng.IntN(len(down))])
	}
	for {
		var up []quantize.Policy
		for _, m := range space.moves(p) {
			if q := space.apply(p, m); m.to > bitsOf(p, m.choice) && target.Check(plan, q) {
				up = append(up, q)
			}
		}
		if len(up) == 0 {
			return p, nil
		}
		p = up[rng.IntN(len(up))]
	}
}

// BestRandom returns the least score of n random policies that fit the target.
func BestRandom(ctx context.Context, o Options, ev Evaluator, n int, seed uint64) (Score, error) {
	rng := rand.New(rand.NewPCG(seed, uint64(n)))
	ps := make([]quantize.Policy, n)
	for i := range ps {
		var err error
		if ps[i], err = Random(o.Plan, o.Target, rng); err != nil {
			return Score{}, err
		}
	}
	scores, err := ev.Evaluate(ctx, ps)
	if err != nil {
		return Score{}, err
	}
	best := scores[0]
	for _, s := range scores[1:] {
		if s.Loss < best.Loss {
			best = s
		}
	}
	return best, nil
}
