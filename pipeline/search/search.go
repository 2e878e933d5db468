package search

import (
	"context"
	"errors"
	"fmt"
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

// Options of one search. Plan, Space, Cost and BitOPs must be set; zero means the default elsewhere.
type Options struct {
	Plan  *quantize.Plan
	Space Space
	// Cost is the share of the budget that a policy uses: it fits if and only if the cost is at most 1. Cost must
	// not fall when any bit-width rises.
	Cost func(quantize.Policy) float64
	// BitOPs of a policy, for the record of moves and for Pareto points.
	BitOPs func(quantize.Policy) int64

	ErrorWeight float64 // weight of the error against the savings; default 1.5, the paper's
	Rescore     int     // all moves are scored anew after this many; default 8
	Lanes       int     // stale moves checked at once; default 4. It decides results, so it is not the thread count
	Exchanges   int     // rounds of local exchange at the end; default 4, negative none
	Grid        float64 // losses are rounded to it, so that last digits of a runtime decide nothing; default 1e-6

	// Progress is called after every move with the cost reached and the number of evaluations so far; may be nil.
	Progress func(cost float64, evaluations int)
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

// ErrInfeasible is returned where not even the narrowest policy of the space fits the budget.
var ErrInfeasible = errors.New("no policy fits the budget")

// Run searches the policy with the least loss that fits the budget. The result always fits, and its loss is never
// above that of the budget-filled uniform baseline.
func Run(ctx context.Context, o Options, ev Evaluator) (*Result, error) {
	o = o.withDefaults()
	if err := o.validate(); err != nil {
		return nil, err
	}
	if o.Cost(o.Space.Level(0)) > 1 {
		return nil, ErrInfeasible
	}
	s := &state{Options: o, memo: &memo{ev: ev, grid: o.Grid, bitops: o.BitOPs, seen: map[string]Score{}}}
	start, bits := startLevel(o)
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
	var err error
	res.Uniform, res.UniformBits = Uniform(o)
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

func (o Options) validate() error {
	switch {
	case o.Plan == nil || o.Cost == nil || o.BitOPs == nil:
		return errors.New("search: plan, cost and BitOPs must be given")
	case len(o.Space.W) != len(o.Plan.Layers) || len(o.Space.A) != len(o.Plan.Points):
		return fmt.Errorf("search: space of %d layers and %d points does not fit a plan of %d and %d",
			len(o.Space.W), len(o.Space.A), len(o.Plan.Layers), len(o.Plan.Points))
	}
	return nil
}

// startLevel is the narrowest uniform level that exceeds the budget, or the widest where none does. Starting right
// above the target, not at the top, is the paper's choice; it also saves most of the evaluations.
func startLevel(o Options) (quantize.Policy, int) {
	p, bits := o.Space.Level(math.MaxInt), 8
	for _, l := range o.Space.Levels() {
		if q := o.Space.Level(l); o.Cost(q) > 1 {
			return q, l
		}
		bits = l
	}
	return p, bits
}

// restart leaves the policy found for the baseline, which scored better, and improves that.
func (s *state) restart(ctx context.Context, p quantize.Policy) error {
	if err := s.enter(ctx, p); err != nil {
		return err
	}
	s.steps = append(s.steps, Step{Phase: "baseline", Loss: s.score.Loss, Top1: s.score.Top1, BitOPs: s.BitOPs(p)})
	return s.polish(ctx)
}
