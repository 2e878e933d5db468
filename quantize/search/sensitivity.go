package search

import (
	"context"
	"fmt"
	"slices"

	"github.com/mpqc/mpqc/quantize"
)

// Sensitivity holds the loss of each width of each choice, with everything else at its widest. All targets of a
// supernet share it. Errors of different layers hardly interact, so the loss of a policy is close to the sum over its
// choices.
type Sensitivity struct {
	Base Score   `json:"base"` // of the widest policy
	W    []Costs `json:"w"`    // per Plan.Layers
	A    []Costs `json:"a"`    // per Plan.Points
}

// Costs maps the widths of one choice to the loss of the policy with that width, and all others at their widest.
type Costs map[int]float64

// measureChunk is the number of policies scored between two calls of kept.
const measureChunk = 16

// Measure scores every width of every choice of a plan. known holds what an earlier run measured, and may be nil. kept
// is called after every few scores with the result so far and their number, and may be nil. Its error ends the
// measurement.
func Measure(ctx context.Context, plan *quantize.Plan, ev Evaluator, known *Sensitivity, kept func(s *Sensitivity, done, total int) error) (*Sensitivity, error) {
	space := NewSpace(plan, quantize.Target{})
	s := newSensitivity(plan, known)
	m := &memo{ev: ev, grid: 1e-9, bitops: plan.BitOPs, seen: map[string]Score{}}
	ask := s.missing(space)
	if len(ask) == 0 {
		return s, nil
	}
	widest, total := plan.Max(), s.count()+len(ask)
	base, err := m.one(ctx, widest)
	if err != nil {
		return nil, err
	}
	s.Base = base
	for part := range slices.Chunk(ask, measureChunk) {
		ps := make([]quantize.Policy, len(part))
		for i, mv := range part {
			ps[i] = space.apply(widest, mv)
		}
		scores, err := m.all(ctx, ps)
		if err != nil {
			return nil, err
		}
		for i, mv := range part {
			s.of(mv.choice)[mv.to] = scores[i].Loss
		}
		if kept == nil {
			continue
		}
		if err := kept(s, s.count(), total); err != nil {
			return nil, err
		}
	}
	return s, nil
}

// missing lists the moves that are not measured yet, in the order of choices.
func (s *Sensitivity) missing(space Space) []move {
	var out []move
	for _, c := range space.choices() {
		for _, b := range space.candidates(c) {
			if _, ok := s.of(c)[b]; !ok {
				out = append(out, move{c, b})
			}
		}
	}
	return out
}

// newSensitivity returns empty sensitivities of a plan, filled with what is known.
func newSensitivity(plan *quantize.Plan, known *Sensitivity) *Sensitivity {
	if known != nil && len(known.W) == len(plan.Layers) && len(known.A) == len(plan.Points) {
		return known
	}
	s := &Sensitivity{W: make([]Costs, len(plan.Layers)), A: make([]Costs, len(plan.Points))}
	for i := range s.W {
		s.W[i] = Costs{}
	}
	for i := range s.A {
		s.A[i] = Costs{}
	}
	return s
}

// of returns the costs of a choice.
func (s *Sensitivity) of(c choice) Costs {
	if c.weight {
		return s.W[c.index]
	}
	return s.A[c.index]
}

// count is the number of measured losses.
func (s *Sensitivity) count() int {
	n := 0
	for _, list := range [][]Costs{s.W, s.A} {
		for _, c := range list {
			n += len(c)
		}
	}
	return n
}

// losses maps each choice and width to what it adds to the loss of the widest policy.
type losses map[choice]map[int]float64

// losses selects the sensitivities of a space. rest is the sum for choices without an alternative. A narrower width
// never costs less than a wider one: scores that say so are noise, and are raised. It is an error if a width was not
// measured.
func (s *Sensitivity) losses(space Space) (out losses, rest float64, err error) {
	if len(s.W) != len(space.W) || len(s.A) != len(space.A) {
		return nil, 0, fmt.Errorf("search: sensitivities of %d layers and %d tensors, the plan has %d and %d", len(s.W), len(s.A), len(space.W), len(space.A))
	}
	rest, out = s.Base.Loss, losses{}
	for _, c := range space.all() {
		costs := s.of(c)
		if len(costs) == 0 {
			continue // the plan never had a choice here
		}
		at, least := map[int]float64{}, 0.0
		for _, b := range slices.Backward(space.candidates(c)) {
			v, ok := costs[b]
			if !ok {
				return nil, 0, fmt.Errorf("search: no sensitivity at %d bits of choice %v", b, c)
			}
			least = max(least, v-s.Base.Loss)
			at[b] = least
		}
		if len(at) == 1 {
			rest += least
			continue
		}
		out[c] = at
	}
	return out, rest, nil
}

// Loss predicts the loss of a policy of a plan with the same layers and points. It is an error if a width was not
// measured.
func (s *Sensitivity) Loss(plan *quantize.Plan, p quantize.Policy) (float64, error) {
	space := NewSpace(plan, quantize.Target{})
	delta, rest, err := s.losses(space)
	return delta.sum(space, p, rest), err
}

// sum adds rest and the losses of all choices of a policy.
func (l losses) sum(space Space, p quantize.Policy, rest float64) float64 {
	for _, c := range space.choices() {
		rest += l[c][bitsOf(p, c)]
	}
	return rest
}

// loss is the predicted loss of a policy.
func (s *state) loss(p quantize.Policy) float64 { return s.delta.sum(s.space, p, s.rest) }

// changes is the predicted change of the loss by a move.
func (s *state) changes(m move) float64 {
	return s.delta[m.choice][m.to] - s.delta[m.choice][bitsOf(s.at, m.choice)]
}

// Check is an error if sensitivities cannot be right. Some may be missing. A nil plan is not compared.
func (s *Sensitivity) Check(plan *quantize.Plan) error {
	if plan == nil {
		return nil
	}
	if len(s.W) != len(plan.Layers) || len(s.A) != len(plan.Points) {
		return fmt.Errorf("sensitivities of %d layers and %d tensors, the plan has %d and %d", len(s.W), len(s.A), len(plan.Layers), len(plan.Points))
	}
	for i, costs := range s.W {
		if err := costs.check(plan.Layers[i].Node, plan.Layers[i].Candidates); err != nil {
			return err
		}
	}
	for i, costs := range s.A {
		if err := costs.check(plan.Points[i].Tensor, plan.Points[i].Candidates); err != nil {
			return err
		}
	}
	return nil
}

// check is an error if c is nil, to which nothing could be added, or if one of its widths is not a candidate.
func (c Costs) check(name string, candidates []int) error {
	if c == nil {
		return fmt.Errorf("sensitivities of %q are missing", name)
	}
	for bits := range c {
		if !slices.Contains(candidates, bits) {
			return fmt.Errorf("%d bits of %q are not among %v", bits, name, candidates)
		}
	}
	return nil
}
