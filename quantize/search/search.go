package search

import (
	"context"
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/quantize"
)

// Score says how good a policy is on the evaluator's pictures: its loss, such as the distance of its outputs to those of
// the widest policy, and the share of right predictions.
type Score struct {
	Loss float64 `json:"loss"`
	Top1 float64 `json:"top1"`
}

// Evaluator scores policies. Policies of one call are independent of each other and may be run side by side; the
// result has the order of the argument.
type Evaluator interface {
	Evaluate(ctx context.Context, ps []quantize.Policy) ([]Score, error)
}

// Options of one search. Plan, Target and Sensitivity must be set; zero means the default elsewhere.
type Options struct {
	Plan   *quantize.Plan
	Target quantize.Target // its limits; a max-drop is the caller's to resolve into limits
	// Sensitivity was measured on a plan with the same layers and points and at least the candidates of Plan.
	Sensitivity *Sensitivity

	Exchanges int     // trades that are evaluated at the end; default one per choice, negative none
	Grid      float64 // losses are rounded to it, so that last digits of a runtime decide nothing; default 1e-6

	// Progress is called after every round of evaluations with the policy reached and the number of evaluations so far; may be nil.
	Progress func(p quantize.Policy, evaluations int)
}

// Step is one accepted move with what it led to.
type Step struct {
	Phase string `json:"phase"` // descend, fill, swap, exchange, baseline or, by the caller, drop
	Kind  string `json:"kind"`  // w or a; empty for a change of the whole policy
	Name  string `json:"name"`  // node of the layer or tensor of the point
	From  int    `json:"from"`
	To    int    `json:"to"`
	// Loss is evaluated in phases exchange and baseline, the sum of sensitivities before, where Top1 is 0.
	Loss   float64 `json:"loss"`
	Top1   float64 `json:"top1"`
	BitOPs int64   `json:"bitops"`
}

// Point is a policy on the Pareto front of everything that was evaluated: no other has both fewer BitOPs and less loss.
type Point struct {
	BitOPs int64           `json:"bitops"`
	Loss   float64         `json:"loss"`
	Top1   float64         `json:"top1"`
	Policy quantize.Policy `json:"policy"`
}

// Result is the outcome of a search.
type Result struct {
	Policy       quantize.Policy `json:"policy"`
	Score        Score           `json:"score"`
	Predicted    float64         `json:"predicted"` // loss of Policy by its sensitivities
	Steps        []Step          `json:"steps"`
	Pareto       []Point         `json:"pareto"`
	Uniform      quantize.Policy `json:"uniform"` // the budget-filled uniform baseline
	UniformBits  int             `json:"uniform_bits"`
	UniformScore Score           `json:"uniform_score"`
	// UniformPredicted is the loss of Uniform by its sensitivities.
	UniformPredicted float64 `json:"uniform_predicted"`
	Evaluations      int     `json:"evaluations"`
}

// Run searches the policy with the least loss that fits the target. It descends on predicted losses from the widest
// policy, trades widths until no trade is predicted to help, then lets evaluations decide about the closest calls. An
// error that wraps quantize.ErrInfeasible says that no policy fits. The result always fits, and its loss is never above
// that of the budget-filled uniform baseline.
func Run(ctx context.Context, o Options, ev Evaluator) (*Result, error) {
	s, err := newState(o, ev)
	if err != nil {
		return nil, err
	}
	res := &Result{UniformBits: UniformBits(s.Plan, s.Target)}
	if res.Uniform, err = quantize.BudgetUniform(s.Plan, s.Target); err != nil {
		return nil, err
	}
	if err := s.predict(ctx, res.Uniform); err != nil {
		return nil, err
	}
	scores, err := s.memo.all(ctx, []quantize.Policy{s.at, res.Uniform})
	if err != nil {
		return nil, err
	}
	s.score, res.UniformScore = scores[0], scores[1]
	if res.UniformScore.Loss < s.score.Loss {
		s.at, s.score = res.Uniform, res.UniformScore
		s.record("baseline", move{}, 0)
	}
	s.progress()
	if err := s.exchange(ctx); err != nil {
		return nil, err
	}
	res.Policy, res.Score, res.Steps, res.Predicted = s.at, s.score, s.steps, s.loss(s.at)
	res.UniformPredicted = s.loss(res.Uniform)
	res.Pareto, res.Evaluations = s.memo.front(), s.memo.evaluations
	return res, nil
}

// Predict is the policy that Run starts its evaluations from: the best one by sensitivities alone. It takes milliseconds.
func Predict(ctx context.Context, o Options) (quantize.Policy, error) {
	s, err := newState(o, nil)
	if err != nil {
		return quantize.Policy{}, err
	}
	uniform, err := quantize.BudgetUniform(s.Plan, s.Target)
	if err != nil {
		return quantize.Policy{}, err
	}
	if err := s.predict(ctx, uniform); err != nil {
		return quantize.Policy{}, err
	}
	return s.at, nil
}

// state is where a search stands.
type state struct {
	Options
	space Space
	memo  *memo
	at    quantize.Policy
	score Score
	steps []Step
	delta losses
	rest  float64 // predicted loss of what cannot be chosen
}

func newState(o Options, ev Evaluator) (*state, error) {
	if o.Plan == nil || o.Sensitivity == nil || !o.Target.Budgeted() {
		return nil, errors.New("search: a plan, its sensitivities and a target with a limit must be given")
	}
	if o.Grid == 0 {
		o.Grid = 1e-6
	}
	s := &state{Options: o, space: NewSpace(o.Plan, o.Target)}
	s.memo = &memo{ev: ev, grid: o.Grid, bitops: o.Plan.BitOPs, seen: map[string]Score{}}
	var err error
	if s.delta, s.rest, err = o.Sensitivity.losses(s.space); err != nil {
		return nil, err
	}
	if s.Exchanges == 0 {
		s.Exchanges = len(s.space.choices())
	}
	return s, nil
}

func (s *state) fits(p quantize.Policy) bool { return s.Target.Check(s.Plan, p) }

// take makes a move on the way to a policy that has not been evaluated.
func (s *state) take(phase string, m move) {
	from := bitsOf(s.at, m.choice)
	s.at = s.space.apply(s.at, m)
	s.score = Score{Loss: s.loss(s.at)}
	s.record(phase, m, from)
}

// record notes that a move led to where the search stands.
func (s *state) record(phase string, m move, from int) {
	st := Step{Phase: phase, From: from, To: m.to, Loss: s.score.Loss, Top1: s.score.Top1, BitOPs: s.Plan.BitOPs(s.at)}
	switch {
	case m.to == 0:
	case m.weight:
		st.Kind, st.Name = "w", s.Plan.Layers[m.index].Node
	default:
		st.Kind, st.Name = "a", s.Plan.Points[m.index].Tensor
	}
	s.steps = append(s.steps, st)
}

// Check says what cannot be in the outcome of a search and, unless the plan is nil, which of its policies are none of the plan.
func (r *Result) Check(plan *quantize.Plan) error {
	if r.Evaluations < 0 || r.UniformBits < 0 {
		return fmt.Errorf("%d evaluations, a baseline of %d bits", r.Evaluations, r.UniformBits)
	}
	for _, s := range r.Steps {
		if min(s.From, s.To) < 0 || s.BitOPs < 0 {
			return fmt.Errorf("a step of %q goes from %d to %d bits, with %d BitOPs", s.Name, s.From, s.To, s.BitOPs)
		}
	}
	points := append([]Point{{Policy: r.Policy}, {Policy: r.Uniform}}, r.Pareto...)
	for i := range points {
		p := &points[i]
		if len(p.Policy.W) != len(r.Policy.W) || len(p.Policy.A) != len(r.Policy.A) {
			return fmt.Errorf("policies of %d and %d layers, of %d and %d tensors", len(p.Policy.W), len(r.Policy.W), len(p.Policy.A), len(r.Policy.A))
		}
		if err := p.Check(plan); err != nil {
			return err
		}
	}
	return nil
}

// Check says what cannot be in a point.
func (p *Point) Check(plan *quantize.Plan) error {
	if p.BitOPs < 0 {
		return fmt.Errorf("a policy costs %d BitOPs", p.BitOPs)
	}
	if plan == nil {
		return nil
	}
	return plan.Validate(p.Policy)
}
