package search

import (
	"context"
	"errors"
	"math"

	"github.com/mpqc/mpqc/quantize"
)

// Score says how good a policy is on the evaluator's pictures: the loss that training used (cross-entropy with
// labels, KL to the float model without), and the share of right predictions.
type Score struct {
	Loss float64 `json:"loss"`
	Top1 float64 `json:"top1"`
}

// Evaluator scores policies. Policies of one call are independent of each other and may be run side by side; the
// result has the order of the argument.
type Evaluator interface {
	Evaluate(ctx context.Context, ps []quantize.Policy) ([]Score, error)
}

// Options of one search. Plan and Target must be set; zero means the default elsewhere.
type Options struct {
	Plan   *quantize.Plan
	Target quantize.Target // its limits; a max-drop is the caller's to resolve into limits

	ErrorWeight float64 // weight of the error against the savings; default 1.5, the paper's
	Rescore     int     // all moves are scored anew after this many; default 8
	Lanes       int     // stale moves checked at once; default 4. It decides results, so it is not the thread count
	Exchanges   int     // rounds of local exchange at the end; default 4, negative none
	Grid        float64 // losses are rounded to it, so that last digits of a runtime decide nothing; default 1e-6

	// Progress is called after every move with the policy reached and the number of evaluations so far; may be nil.
	Progress func(p quantize.Policy, evaluations int)
}

func (o Options) withDefaults() Options {
	if o.ErrorWeight == 0 {
		o.ErrorWeight = 1.5
	}
	if o.Rescore == 0 {
		o.Rescore = 8
	}
	if o.Lanes == 0 {
		o.Lanes = 4
	}
	if o.Exchanges == 0 {
		o.Exchanges = 4
	}
	if o.Grid == 0 {
		o.Grid = 1e-6
	}
	return o
}

// Step is one accepted move with what it led to.
type Step struct {
	Phase  string  `json:"phase"` // descend, fill, exchange or baseline
	Kind   string  `json:"kind"`  // w or a; empty for a change of the whole policy
	Name   string  `json:"name"`  // node of the layer or tensor of the point
	From   int     `json:"from"`
	To     int     `json:"to"`
	Score  float64 `json:"score"` // 1.5*norm(error) - norm(saved) among the candidates of its step; 0 outside descend
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
	Start        int             `json:"start"` // uniform level the descent began at
	Steps        []Step          `json:"steps"`
	Pareto       []Point         `json:"pareto"`
	Uniform      quantize.Policy `json:"uniform"` // the budget-filled uniform baseline
	UniformBits  int             `json:"uniform_bits"`
	UniformScore Score           `json:"uniform_score"`
	Evaluations  int             `json:"evaluations"`
}

// Run searches the policy with the least loss that fits the target. An error that wraps quantize.ErrInfeasible says
// that none does. The result always fits, and its loss is never
// above that of the budget-filled uniform baseline.
func Run(ctx context.Context, o Options, ev Evaluator) (*Result, error) {
	o = o.withDefaults()
	if o.Plan == nil || !o.Target.Budgeted() {
		return nil, errors.New("search: a plan and a target with a limit must be given")
	}
	uniform, err := quantize.BudgetUniform(o.Plan, o.Target)
	if err != nil {
		return nil, err
	}
	s := &state{Options: o, space: NewSpace(o.Plan, o.Target)}
	s.memo = &memo{ev: ev, grid: o.Grid, bitops: o.Plan.BitOPs, seen: map[string]Score{}}
	start, bits := s.startLevel()
	res := &Result{Start: bits}
	if err := s.enter(ctx, start); err != nil {
		return nil, err
	}
	if err := s.descend(ctx); err != nil {
		return nil, err
	}
	if err := s.polish(ctx); err != nil {
		return nil, err
	}
	res.Uniform, res.UniformBits = uniform, s.uniformBits()
	if res.UniformScore, err = s.memo.one(ctx, res.Uniform); err != nil {
		return nil, err
	}
	if res.UniformScore.Loss < s.score.Loss {
		if err := s.restart(ctx, res.Uniform); err != nil {
			return nil, err
		}
	}
	res.Policy, res.Score, res.Steps = s.at, s.score, s.steps
	res.Pareto, res.Evaluations = s.memo.front(), s.memo.evaluations
	return res, nil
}

// startLevel is the narrowest uniform level that exceeds the budget, or the widest where none does. Starting right
// above the target, not at the top, is the paper's choice; it also saves most of the evaluations.
func (s *state) startLevel() (quantize.Policy, int) {
	bits := 8
	for _, l := range s.space.Levels() {
		if q := s.space.Level(l); !s.fits(q) {
			return q, l
		}
		bits = l
	}
	return s.space.Level(math.MaxInt), bits
}

// uniformBits is the widest uniform level within the budget, from which the baseline starts.
func (s *state) uniformBits() int {
	bits := 0
	for _, l := range s.space.Levels() {
		if bits == 0 || s.fits(s.space.Level(l)) {
			bits = l
		}
	}
	return bits
}

// restart leaves the policy found for the baseline, which scored better, and improves that.
func (s *state) restart(ctx context.Context, p quantize.Policy) error {
	if err := s.enter(ctx, p); err != nil {
		return err
	}
	s.steps = append(s.steps, Step{Phase: "baseline", Loss: s.score.Loss, Top1: s.score.Top1, BitOPs: s.Plan.BitOPs(p)})
	return s.polish(ctx)
}
