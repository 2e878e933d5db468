package search

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// memo evaluates each policy once and keeps the Pareto front of the results.
type memo struct {
	ev          Evaluator
	grid        float64
	bitops      func(quantize.Policy) int64
	seen        map[string]Score
	points      []Point
	evaluations int
}

// all returns the scores of policies, in their order, and evaluates those that are new.
func (m *memo) all(ctx context.Context, ps []quantize.Policy) ([]Score, error) {
	var ask []quantize.Policy
	asked := map[string]bool{}
	for _, p := range ps {
		k := key(p)
		if _, ok := m.seen[k]; !ok && !asked[k] {
			asked[k] = true
			ask = append(ask, p)
		}
	}
	if len(ask) > 0 {
		if err := m.evaluate(ctx, ask); err != nil {
			return nil, err
		}
	}
	out := make([]Score, len(ps))
	for i, p := range ps {
		out[i] = m.seen[key(p)]
	}
	return out, nil
}

// evaluate scores new policies.
func (m *memo) evaluate(ctx context.Context, ask []quantize.Policy) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	scores, err := m.ev.Evaluate(ctx, ask)
	if err != nil {
		return err
	}
	if len(scores) != len(ask) {
		return fmt.Errorf("evaluate %d policies: got %d scores", len(ask), len(scores))
	}
	for i, p := range ask {
		s := scores[i]
		// A policy that does not compute anything finite is merely very bad, so that one dead width does not stop a
		// search.
		if math.IsNaN(s.Loss) || s.Loss > maxLoss {
			s.Loss = maxLoss
		}
		s.Loss = math.Round(s.Loss/m.grid) * m.grid
		m.seen[key(p)] = s
		m.points = append(m.points, Point{BitOPs: m.bitops(p), Loss: s.Loss, Top1: s.Top1, Policy: p.Clone()})
	}
	m.evaluations += len(ask)
	m.points = m.front()
	return nil
}

// maxLoss is the loss of a policy that does not compute finite numbers. It counts as very bad, so that one unusable
// width does not stop a search.
const maxLoss = 1e6

// one returns the score of one policy.
func (m *memo) one(ctx context.Context, p quantize.Policy) (Score, error) {
	s, err := m.all(ctx, []quantize.Policy{p})
	if err != nil {
		return Score{}, err
	}
	return s[0], nil
}

// front returns the evaluated policies that no other beats in both BitOPs and loss, by ascending BitOPs.
func (m *memo) front() []Point {
	ps := slices.Clone(m.points)
	slices.SortStableFunc(ps, func(a, b Point) int {
		if c := cmp.Compare(a.BitOPs, b.BitOPs); c != 0 {
			return c
		}
		return cmp.Compare(a.Loss, b.Loss)
	})
	var out []Point
	for _, p := range ps {
		if len(out) == 0 || p.Loss < out[len(out)-1].Loss {
			out = append(out, p)
		}
	}
	return out
}
