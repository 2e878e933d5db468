package search

import (
	"context"
	"errors"
	"fmt"

	"github.com/mpqc/mpqc/quantize"
)

// Score says how good a policy is on the evaluator's samples.
type Score struct {
	Loss float64 `json:"loss"` // such as the distance of its outputs to those of the widest policy
	Top1 float64 `json:"top1"` // share of right predictions
}

// Evaluator scores policies. Those of one call are independent and may run in parallel; the result has their order.
type Evaluator interface {
	Evaluate(ctx context.Context, ps []quantize.Policy) ([]Score, error)
}

// Options of one search. Plan, Target and Sensitivity must be set; zero means the default elsewhere.
type Options struct {
	Plan   *quantize.Plan
	Target quantize.Target // its limits; the caller turns a max-drop into limits
	// Sensitivity was measured on a plan with the same layers and points and at least the candidates of Plan.
	Sensitivity *Sensitivity

	Exchanges int // trades to evaluate at the end; default one per choice, negative: none
	// Grid is what losses are rounded to, so that the last digits of a runtime decide nothing; default 1e-6.
	Grid float64

	// Progress is called after every round of evaluations with the policy reached and the number of evaluations so far.
	// It may be nil.
	Progress func(p quantize.Policy, evaluations int)
}

// Step is one accepted move and its result.
type Step struct {
	Phase string `json:"phase"` // descend, fill, swap, exchange, baseline or, by the caller, drop
	Kind  string `json:"kind"`  // w or a; empty for a change of the whole policy
	Name  string `json:"name"`  // node of the layer or tensor of the point
	From  int    `json:"from"`
	To    int    `json:"to"`
	// Loss is evaluated in the phases exchange and baseline. In the others it is the sum of sensitivities, and Top1 is
	// 0.
	Loss   float64 `json:"loss"`
	Top1   float64 `json:"top1"`
	BitOPs int64   `json:"bitops"`
}

// Point is a policy on the Pareto front of everything evaluated: no other has both fewer BitOPs and less loss.
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
	Predicted    float64         `json:"predicted"` // loss of Policy predicted from sensitivities
	Steps        []Step          `json:"steps"`
	Pareto       []Point         `json:"pareto"`
	Uniform      quantize.Policy `json:"uniform"` // uniform baseline, widened as far as the budget allows
	UniformBits  int             `json:"uniform_bits"`
	UniformScore Score           `json:"uniform_score"`
	// UniformPredicted is the loss of Uniform predicted from sensitivities.
	UniformPredicted float64 `json:"uniform_predicted"`
	Evaluations      int     `json:"evaluations"`
}

// Run finds the policy with the least loss that fits the target. It descends from the widest policy on predicted
// losses, trades widths while the prediction improves, and evaluates the closest calls.
//
// The result always fits, and its loss is at most that of the uniform baseline. The error wraps quantize.ErrInfeasible
// if no policy fits. Other errors are those of the evaluator and the context.
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

// Predict returns the policy from which Run starts its evaluations: the best one by sensitivities only. It takes
// milliseconds.
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

// state is the state of a search.
type state struct {
	Options
	space Space
	memo  *memo
	at    quantize.Policy
	score Score
	steps []Step
	delta losses
	rest  float64 // predicted loss of everything without a choice
}

// newState prepares a search. The error wraps quantize.ErrInfeasible if the narrowest policy does not fit.
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

// fits reports whether a policy meets the target.
func (s *state) fits(p quantize.Policy) bool { return s.Target.Check(s.Plan, p) }

// take makes a move without evaluation.
func (s *state) take(phase string, m move) {
	from := bitsOf(s.at, m.choice)
	s.at = s.space.apply(s.at, m)
	s.score = Score{Loss: s.loss(s.at)}
	s.record(phase, m, from)
}

// record appends a step to the record of the search.
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

// Check is an error if a result cannot be right, such as numbers out of range or, unless plan is nil, policies that are
// not of the plan.
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

// Check is an error if a point cannot be right, or unless plan is nil, if its policy is not of the plan.
func (p *Point) Check(plan *quantize.Plan) error {
	if p.BitOPs < 0 {
		return fmt.Errorf("a policy costs %d BitOPs", p.BitOPs)
	}
	if plan == nil {
		return nil
	}
	return plan.Validate(p.Policy)
}
